//! An upstream that puts the bytes on the wire that it was given, and counts what reaches it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use headgate::domain::AccountId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

use super::House;

/// What is done with the next request, on whatever connection it comes.
#[derive(Clone)]
pub enum Reply {
    /// These bytes; the connection stays open.
    Keep(String),
    /// These bytes; then the connection is closed.
    Close(String),
    /// As `Keep`, once it is let go.
    Held(String),
    /// One after the other.
    Steps(Vec<Step>),
}

/// A part of a reply that goes wrong on its way.
#[derive(Clone)]
pub enum Step {
    Bytes(Vec<u8>),
    /// A moment of silence, shorter than any limit.
    Wait,
    /// The connection is closed, as by a server that has finished.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more comes until the client leaves.
    Stall,
}

/// The upstream. Dropped, it is gone.
pub struct Wire {
    pub base_url: String,
    heard: Arc<Mutex<usize>>,
    arrived: Arc<Notify>,
    let_go: Arc<Notify>,
    _tasks: JoinSet<()>,
}

impl Wire {
    /// Replies in this order, whichever connection asks.
    pub async fn saying(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let replies: Arc<Mutex<VecDeque<Reply>>> = Arc::new(Mutex::new(replies.into_iter().collect()));
        let (heard, arrived, let_go) = <(Arc<Mutex<usize>>, Arc<Notify>, Arc<Notify>)>::default();
        let mut tasks = JoinSet::new();
        let shared = (Arc::clone(&heard), Arc::clone(&arrived), Arc::clone(&let_go));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (heard, arrived, let_go) = shared.clone();
                let replies = Arc::clone(&replies);
                connections.spawn(async move {
                    let _ = converse(socket, &replies, &heard, &arrived, &let_go).await;
                });
            }
        });
        Self { base_url, heard, arrived, let_go, _tasks: tasks }
    }

    /// How many requests have reached it whole.
    pub fn heard(&self) -> usize {
        *self.heard.lock().unwrap()
    }

    /// Waits until a request has reached it.
    pub async fn arrival(&self) {
        super::soon("a request to reach the upstream", self.arrived.notified()).await;
    }

    /// Lets a held reply go.
    pub fn let_go(&self) {
        self.let_go.notify_one();
    }

    /// Makes it an account of this house.
    pub fn account(&self, house: &House, name: &str, priority: i32) -> AccountId {
        house.add(name, &self.base_url, priority)
    }
}

async fn converse(
    mut socket: TcpStream,
    replies: &Mutex<VecDeque<Reply>>,
    heard: &Mutex<usize>,
    arrived: &Notify,
    let_go: &Notify,
) -> std::io::Result<()> {
    while read_request(&mut socket).await? {
        *heard.lock().unwrap() += 1;
        arrived.notify_one();
        let reply = replies.lock().unwrap().pop_front();
        match reply {
            Some(Reply::Keep(bytes)) => socket.write_all(bytes.as_bytes()).await?,
            Some(Reply::Held(bytes)) => {
                let_go.notified().await;
                socket.write_all(bytes.as_bytes()).await?;
            }
            Some(Reply::Close(bytes)) => return socket.write_all(bytes.as_bytes()).await,
            Some(Reply::Steps(steps)) => {
                for step in steps {
                    if !take(&mut socket, step).await? {
                        return Ok(());
                    }
                }
            }
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Whether the connection goes on.
async fn take(socket: &mut TcpStream, step: Step) -> std::io::Result<bool> {
    match step {
        Step::Bytes(bytes) => socket.write_all(&bytes).await?,
        Step::Wait => tokio::time::sleep(std::time::Duration::from_millis(150)).await,
        Step::Close => return Ok(false),
        Step::Reset => {
            // What was sent must be read before a reset throws it away.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            socket.set_zero_linger()?;
            return Ok(false);
        }
        Step::Stall => {
            let _ = socket.read(&mut [0]).await;
            return Ok(false);
        }
    }
    Ok(true)
}

async fn read_request(socket: &mut TcpStream) -> std::io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if socket.read(&mut byte).await? == 0 {
            return Ok(false);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    socket.read_exact(&mut body).await?;
    Ok(true)
}

/// A whole answer of this status, type and body.
pub fn answer(status: &str, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

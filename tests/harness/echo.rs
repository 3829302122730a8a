//! An upstream that keeps every byte it gets and answers with the bytes it was told, whatever they are.

use std::sync::{Arc, Mutex};

use headgate::domain::AccountId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::House;

/// The upstream. Dropped, it is gone.
pub struct Echo {
    base_url: String,
    shared: Arc<Mutex<Shared>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    reply: Vec<u8>,
    seen: Vec<Seen>,
}

/// A request as it came over the wire.
#[derive(Clone)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

impl Echo {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Mutex<Shared>>::default();
        let mut tasks = JoinSet::new();
        let served = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let shared = Arc::clone(&served);
                connections.spawn(async move { drop(converse(socket, &shared).await) });
            }
        });
        Self { base_url, shared, _tasks: tasks }
    }

    /// Answers so from now on, and forgets what it has seen.
    pub fn say(&self, reply: Vec<u8>) {
        *self.shared.lock().unwrap() = Shared { reply, seen: Vec::new() };
    }

    /// The only request since then.
    pub fn seen(&self) -> Seen {
        let shared = self.shared.lock().unwrap();
        assert_eq!(shared.seen.len(), 1, "one request reached the upstream");
        shared.seen[0].clone()
    }

    /// Makes it an account of this house.
    pub fn account(&self, house: &House, name: &str) -> AccountId {
        house.add(name, &self.base_url, 0)
    }
}

async fn converse(mut socket: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        socket.read_exact(&mut body).await?;
        let reply = {
            let mut shared = shared.lock().unwrap();
            shared.seen.push(Seen { head, body });
            shared.reply.clone()
        };
        socket.write_all(&reply).await?;
    }
}

/// A 200 of this type with a stated length, and these headers besides.
pub fn sized(kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A 200 of this type in chunks of this size.
pub fn chunked(kind: &str, more: &str, body: &[u8], size: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}transfer-encoding: chunked\r\n\r\n");
    let mut reply = head.into_bytes();
    for chunk in body.chunks(size) {
        reply.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        reply.extend_from_slice(chunk);
        reply.extend_from_slice(b"\r\n");
    }
    reply.extend_from_slice(b"0\r\n\r\n");
    reply
}

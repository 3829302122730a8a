//! The upstream of the soak, in the bench's own process. It speaks HTTP by hand, because it has to do what
//! no library does: stop in the middle, reset, and never answer at all.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use headgate::tasks::Tasks;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// The header in which a request says what it wants.
pub const PLAY: &str = "x-soak-play";
/// The header with the request's own name.
pub const NAME: &str = "x-claude-code-session-id";
/// Accounts with these keys fail where only some are to fail; the others never do then.
pub const SHAKY: [&str; 2] = ["sk-soak-shaky-a", "sk-soak-shaky-b"];

/// What a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// A small message.
    Json,
    /// So many events, the next one after a pause.
    Stream { events: usize, pause: Duration },
    /// A stream that is closed in the middle.
    Cut,
    /// A stream that is reset in the middle.
    Reset,
    /// A stream that falls silent.
    Stalled,
    /// Half a message, and then silence.
    HalfMessage,
    /// No answer; the client of this name is told that its request has arrived.
    Silent,
    /// 529, whoever asks.
    Overloaded,
    /// A shaky account has trouble of this kind, and any other one answers.
    Shaky(Trouble),
}

/// What may befall a shaky account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 429, to come back in a second.
    Throttled,
    /// 529.
    Overloaded,
    /// A reset before the head.
    Reset,
    /// No head within the limit.
    Late,
}

impl Play {
    /// All of them, with the word that stands in the header.
    const ALL: [(&str, Self); 13] = [
        ("json", Self::Json),
        ("burst", Self::Stream { events: 50, pause: Duration::ZERO }),
        ("slow", Self::Stream { events: 20, pause: Duration::from_millis(100) }),
        ("cut", Self::Cut),
        ("reset", Self::Reset),
        ("stalled", Self::Stalled),
        ("half", Self::HalfMessage),
        ("silent", Self::Silent),
        ("overloaded", Self::Overloaded),
        ("shaky-throttled", Self::Shaky(Trouble::Throttled)),
        ("shaky-overloaded", Self::Shaky(Trouble::Overloaded)),
        ("shaky-reset", Self::Shaky(Trouble::Reset)),
        ("shaky-late", Self::Shaky(Trouble::Late)),
    ];

    /// The play with this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(of, play)| (of == word).then_some(play))
    }
}

/// A running upstream. Clones are the same one.
#[derive(Clone)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    open: Arc<AtomicUsize>,
    awaited: Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>,
}

const MESSAGE: &str = concat!(
    r#"{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","#,
    r#""text":"The test fails because the clock is asked twice."}],"stop_reason":"end_turn","stop_sequence":null,"#,
    r#""usage":{"input_tokens":12,"cache_read_input_tokens":9000,"output_tokens":25}}"#
);
const MODELS: &str = r#"{"data":[{"type":"model","id":"claude-opus-5-5","display_name":"Claude Opus 5.5","created_at":"2026-01-01T00:00:00Z"}],"has_more":false}"#;

impl Upstream {
    /// Listens and answers for as long as the runtime lives.
    pub async fn start(tasks: Tasks) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let upstream =
            Self { address: listener.local_addr()?, open: Arc::default(), awaited: Arc::default() };
        let accepting = upstream.clone();
        tasks.clone().spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let upstream = accepting.clone();
                tasks.spawn(async move {
                    let _open = Open::count(&upstream.open);
                    // Whoever leaves is the load's business.
                    let _ = upstream.converse(socket).await;
                });
            }
        });
        Ok(upstream)
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Completes once the request of this name has arrived here.
    pub fn arrival(&self, name: &str) -> oneshot::Receiver<()> {
        let (tell, arrival) = oneshot::channel();
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), tell);
        arrival
    }

    async fn converse(&self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let mut buffer = BytesMut::new();
        while let Some(head) = read_request(&mut socket, &mut buffer).await? {
            let Some(play) = header(&head, PLAY).and_then(Play::of) else {
                answer(&mut socket, "200 OK", "", MODELS).await?;
                continue;
            };
            let is_shaky = SHAKY.iter().any(|key| head.contains(key));
            match play {
                Play::Json => answer(&mut socket, "200 OK", "", MESSAGE).await?,
                Play::Shaky(_) if !is_shaky => answer(&mut socket, "200 OK", "", MESSAGE).await?,
                Play::Stream { events, pause } => stream(&mut socket, events, events, pause).await?,
                Play::Cut | Play::Reset | Play::Stalled => {
                    stream(&mut socket, 5, 50, Duration::ZERO).await?;
                    return match play {
                        Play::Cut => socket.shutdown().await,
                        Play::Reset => reset(socket),
                        _ => silence(socket).await,
                    };
                }
                Play::HalfMessage => {
                    let half = &MESSAGE[..MESSAGE.len() / 2];
                    let head = head_of("200 OK", "application/json", MESSAGE.len(), "");
                    socket.write_all(format!("{head}{half}").as_bytes()).await?;
                    return silence(socket).await;
                }
                Play::Silent => {
                    let name = header(&head, NAME).unwrap_or_default();
                    let told = self.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                    let _ = told.map(|tell| tell.send(()));
                    return silence(socket).await;
                }
                Play::Overloaded | Play::Shaky(Trouble::Overloaded) => {
                    answer(&mut socket, "529 Overloaded", "", &error("overloaded_error")).await?;
                }
                Play::Shaky(Trouble::Throttled) => {
                    let soon = "retry-after: 1\r\n";
                    answer(&mut socket, "429 Too Many Requests", soon, &error("rate_limit_error")).await?;
                }
                Play::Shaky(Trouble::Reset) => return reset(socket),
                Play::Shaky(Trouble::Late) => return silence(socket).await,
            }
        }
        Ok(())
    }
}

/// Counts a connection for as long as it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn count(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The head of the next request, whose body is read and forgotten; `None` where the connection ends.
async fn read_request(socket: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<String>> {
    let length = loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer.split_to(length)).into_owned();
    let mut left = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    loop {
        let here = buffer.len().min(left);
        buffer.advance(here);
        left -= here;
        if left == 0 {
            return Ok(Some(head));
        }
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find_map(|(of, value)| of.eq_ignore_ascii_case(name).then_some(value.trim()))
}

fn head_of(status: &str, kind: &str, length: usize, more: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{more}\r\n")
}

fn error(kind: &str) -> String {
    format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"The soak wants it so"}}}}"#)
}

async fn answer(socket: &mut TcpStream, status: &str, more: &str, body: &str) -> io::Result<()> {
    let head = head_of(status, "application/json", body.len(), more);
    socket.write_all(format!("{head}{body}").as_bytes()).await
}

/// The first `events` of so many; its end too, if these are all.
async fn stream(socket: &mut TcpStream, events: usize, of: usize, pause: Duration) -> io::Result<()> {
    let mut text = String::from(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for n in 0..events {
        let event = event(n, of);
        text += &format!("{:x}\r\n{event}\r\n", event.len());
        if !pause.is_zero() {
            socket.write_all(text.as_bytes()).await?;
            text.clear();
            tokio::time::sleep(pause).await;
        }
    }
    if events == of {
        text += "0\r\n\r\n";
    }
    socket.write_all(text.as_bytes()).await
}

fn event(n: usize, of: usize) -> String {
    let (name, fields) = match of - n {
        _ if n == 0 => (
            "message_start",
            r#","message":{"id":"msg_01","model":"claude-opus-5-5","usage":{"input_tokens":12,"cache_read_input_tokens":9000,"output_tokens":1}}"#,
        ),
        1 => ("message_stop", ""),
        2 => ("message_delta", r#","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":55}"#),
        _ => ("content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":" asked twice:"}"#),
    };
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields}}}\n\n")
}

fn reset(socket: TcpStream) -> io::Result<()> {
    socket.set_zero_linger()
}

/// Says nothing more until the other side has left.
async fn silence(mut socket: TcpStream) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while socket.read(&mut ignored).await? > 0 {}
    Ok(())
}

//! The upstream of the load bench, in a process of its own. It answers as Anthropic does, at once or at a
//! pace, and writes the time into each event of a paced stream, so that the other end knows its delay.

use std::{
    convert::Infallible,
    io::Read as _,
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use bytes::Bytes;
use headgate::{clock::Clock, tasks::Tasks};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, time::Interval};

/// The header in which a request says what it wants.
pub const WISH: &str = "x-bench";

/// What a request wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A small message.
    Json,
    /// A stream of so many events, the next one after a pause.
    Stream { events: usize, pause: Duration },
    /// How many connections there have been.
    Connections,
}

impl Wish {
    /// As it stands in the header.
    pub fn word(self) -> String {
        match self {
            Self::Json => "json".into(),
            Self::Stream { events, pause } => format!("stream {events} {}", pause.as_millis()),
            Self::Connections => "connections".into(),
        }
    }

    fn read(word: &str) -> Self {
        let mut words = word.split(' ');
        let kind = words.next();
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        match kind {
            Some("stream") => Self::Stream {
                events: usize::try_from(number()).unwrap_or(0),
                pause: Duration::from_millis(number()),
            },
            Some("connections") => Self::Connections,
            _ => Self::Json,
        }
    }

    /// How long the answer's body is.
    pub fn answer_bytes(self) -> usize {
        match self {
            Self::Json => JSON.len(),
            Self::Stream { events, .. } => (0..events).map(|n| event(n, events, 0).len()).sum(),
            Self::Connections => 0,
        }
    }
}

const JSON: &str = concat!(
    r#"{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","#,
    r#""text":"The test fails because the clock is asked twice: once before and once after midnight."}],"#,
    r#""stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":40,"#,
    r#""cache_read_input_tokens":9000,"output_tokens":25,"service_tier":"standard"}}"#
);

/// What stands before the time in an event; the time is 16 digits of microseconds since 1970.
pub const STAMP: &[u8] = b"\"at\":";

fn event(n: usize, of: usize, at: i64) -> Bytes {
    let (name, fields) = match of - n {
        _ if n == 0 => (
            "message_start",
            r#","message":{"id":"msg_01","model":"claude-opus-5-5","usage":{"input_tokens":12,"cache_creation_input_tokens":40,"cache_read_input_tokens":9000,"output_tokens":1}}"#,
        ),
        1 => ("message_stop", ""),
        2 => ("message_delta", r#","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":55}"#),
        _ => ("content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":" asked twice:"}"#),
    };
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields},\"at\":{at:016}}}\n\n").into()
}

/// Serves until standard input ends, so that it never outlives the bench.
pub fn run() -> std::io::Result<()> {
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("listening on http://{}", listener.local_addr()?);
        let upstream = Upstream::default();
        let tasks = Tasks::default();
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            upstream.connections.fetch_add(1, Ordering::Relaxed);
            let upstream = upstream.clone();
            let service = service_fn(move |request| {
                let upstream = upstream.clone();
                async move { Ok::<_, Infallible>(upstream.answer(request).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            tasks.spawn(async move { drop(connection.await) });
        }
    })
}

#[derive(Clone, Default)]
struct Upstream {
    connections: Arc<AtomicU64>,
    /// The events of the last stream without pauses, made once.
    burst: Arc<std::sync::Mutex<Arc<[Bytes]>>>,
}

type AnswerBody = Either<Full<Bytes>, Events>;

impl Upstream {
    async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let wish =
            request.headers().get(WISH).and_then(|word| word.to_str().ok()).map_or(Wish::Json, Wish::read);
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        let (kind, body) = match wish {
            Wish::Json => ("application/json", Either::Left(JSON.into())),
            Wish::Connections => {
                ("text/plain", Either::Left(self.connections.load(Ordering::Relaxed).to_string().into()))
            }
            Wish::Stream { events, pause } if pause.is_zero() => {
                ("text/event-stream; charset=utf-8", Either::Right(Events::Ready(self.burst_of(events), 0)))
            }
            Wish::Stream { events, pause } => {
                let ticks = Box::new(tokio::time::interval(pause));
                (
                    "text/event-stream; charset=utf-8",
                    Either::Right(Events::Paced { ticks, next: 0, of: events }),
                )
            }
        };
        let now = Clock::system().now().as_second();
        // An upstream's windows move slowly; nobody should learn something new from each answer.
        let used = 0.30 + f64::from(u8::try_from(now % 60).unwrap_or(0)) / 1000.0;
        Response::builder()
            .header("content-type", kind)
            .header("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy")
            .header("anthropic-ratelimit-unified-status", "allowed")
            .header("anthropic-ratelimit-unified-5h-status", "allowed")
            .header("anthropic-ratelimit-unified-5h-utilization", format!("{used:.3}"))
            .header("anthropic-ratelimit-unified-5h-reset", (now / 18_000 + 1) * 18_000)
            .header("anthropic-ratelimit-unified-7d-status", "allowed")
            .header("anthropic-ratelimit-unified-7d-utilization", "0.21")
            .header("anthropic-ratelimit-unified-7d-reset", (now / 604_800 + 1) * 604_800)
            .body(body)
            .expect("these are headers")
    }

    fn burst_of(&self, events: usize) -> Arc<[Bytes]> {
        let mut burst = self.burst.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if burst.len() != events {
            *burst = (0..events).map(|n| event(n, events, 0)).collect();
        }
        Arc::clone(&burst)
    }
}

/// The body of a stream: each event a frame of its own, as an upstream writes them.
enum Events {
    Ready(Arc<[Bytes]>, usize),
    Paced { ticks: Box<Interval>, next: usize, of: usize },
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match &mut *self {
            Self::Ready(events, next) => {
                *next += 1;
                events.get(*next - 1).cloned()
            }
            Self::Paced { next, of, .. } if *next >= *of => None,
            Self::Paced { ticks, next, of } => {
                ready!(ticks.poll_tick(cx));
                *next += 1;
                Some(event(*next - 1, *of, Clock::system().now().as_microsecond()))
            }
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }
}

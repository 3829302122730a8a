//! The client of the load bench: one connection, driven by whoever asks, so that the load itself costs as
//! little of the two cores as it can. Every answer is checked for its status and its length.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use headgate::clock::Clock;
use http::{Method, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::upstream::{STAMP, WISH, Wish};

/// What is asked, again and again.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The request's body.
    pub body: Bytes,
    /// What is wanted back.
    pub wish: Wish,
    /// The length that the answer must have.
    pub answer_bytes: usize,
}

impl Ask {
    /// With this body, wanting this.
    pub fn new(body: Bytes, wish: Wish) -> Self {
        Self { body, wish, answer_bytes: wish.answer_bytes() }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        Request::builder()
            .method(Method::POST)
            .uri("/v1/messages?beta=true")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("user-agent", "claude-cli/2.1.330 (external, cli)")
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14")
            .header("x-claude-code-session-id", "5d2c7a1e-0000-4000-8000-000000000001")
            .header("authorization", "Bearer none")
            .header(WISH, self.wish.word())
            .body(Full::new(self.body.clone()))
            .expect("these are headers")
    }
}

/// How one answer came.
#[derive(Debug, Default)]
pub struct Answer {
    /// From the request to the first byte of the body.
    pub first_byte: Duration,
    /// From the request to the last byte.
    pub took: Duration,
    /// How late each stamped event was, in microseconds.
    pub delays: Vec<f64>,
    /// The body, where it is asked for.
    pub text: Vec<u8>,
}

/// A connection with both its ends.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    driven: Driven,
}

struct Driven {
    connection: Pin<Box<Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
    is_over: bool,
}

impl Driven {
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_over && self.connection.as_mut().poll(cx).is_ready() {
            self.is_over = true;
        }
    }

    fn frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => {
                self.drive(cx);
                Pin::new(body).poll_frame(cx)
            }
            ready @ Poll::Ready(_) => ready,
        }
    }
}

impl Line {
    /// Connects.
    pub async fn open(to: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(to).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driven: Driven { connection: Box::pin(connection), is_over: false } })
    }

    /// Asks once and reads the answer to its end.
    pub async fn ask(&mut self, ask: &Ask, clock: &Clock) -> io::Result<Answer> {
        self.exchange(ask, clock).await.map_err(io::Error::other)?
    }

    async fn exchange(&mut self, ask: &Ask, clock: &Clock) -> Result<io::Result<Answer>, hyper::Error> {
        let Self { sender, driven } = self;
        poll_fn(|cx| {
            driven.drive(cx);
            sender.poll_ready(cx)
        })
        .await?;
        let request = ask.request();
        let began = clock.instant();
        let mut head = pin!(sender.send_request(request));
        let head = poll_fn(|cx| match head.as_mut().poll(cx) {
            Poll::Pending => {
                driven.drive(cx);
                head.as_mut().poll(cx)
            }
            ready @ Poll::Ready(_) => ready,
        })
        .await?;
        let status = head.status();
        let mut body = head.into_body();
        let mut bytes = 0;
        let mut answer = Answer::default();
        while let Some(frame) = poll_fn(|cx| driven.frame(&mut body, cx)).await {
            let Ok(data) = frame?.into_data() else { continue };
            if bytes == 0 {
                answer.first_byte = clock.instant().duration_since(began);
            }
            bytes += data.len();
            answer.hear(&data, ask, clock);
        }
        answer.took = clock.instant().duration_since(began);
        Ok(check(status, bytes, ask).map(|()| answer))
    }
}

impl Answer {
    fn hear(&mut self, data: &[u8], ask: &Ask, clock: &Clock) {
        match ask.wish {
            Wish::Connections => self.text.extend_from_slice(data),
            Wish::Stream { pause, .. } if !pause.is_zero() => {
                let now = clock.now().as_microsecond();
                let late = stamps(data).map(|at| (now - at) as f64);
                self.delays.extend(late);
            }
            _ => {}
        }
    }
}

/// The times in a piece of a stream. One that is torn between two pieces is passed over.
fn stamps(data: &[u8]) -> impl Iterator<Item = i64> {
    memchr::memmem::find_iter(data, STAMP).filter_map(|found| {
        let digits = data.get(found + STAMP.len()..found + STAMP.len() + 16)?;
        str::from_utf8(digits).ok()?.parse().ok()
    })
}

fn check(status: StatusCode, bytes: usize, ask: &Ask) -> io::Result<()> {
    if status != StatusCode::OK {
        return Err(io::Error::other(format!("answered {status}")));
    }
    if ask.answer_bytes != 0 && bytes != ask.answer_bytes {
        return Err(io::Error::other(format!("{bytes} bytes instead of {}", ask.answer_bytes)));
    }
    Ok(())
}

/// Time since an instant of the same clock.
pub fn since(began: Instant, clock: &Clock) -> Duration {
    clock.instant().duration_since(began)
}

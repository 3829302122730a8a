//! One connection, driven by whoever holds it.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a connection runs on: a socket, or TLS on one.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The end that has to be polled.
pub type Connection = http1::Connection<TokioIo<Box<dyn Io>>, Full<Bytes>>;

/// A request with its whole body, as it is sent.
pub type Whole = Request<Full<Bytes>>;

/// A request that got no head.
pub enum Lost {
    /// It left this machine, or part of it did.
    Sent,
    /// Nothing of it left; here it is again.
    Unsent(Box<Whole>),
    /// What came back was no HTTP/1.1.
    Garbled,
}

/// One connection with both its ends: the one that sends and the one that has to be polled.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    drive: Pin<Box<Connection>>,
    is_over: bool,
}

impl Line {
    /// A connection that has just been made.
    pub fn new(sender: SendRequest<Full<Bytes>>, drive: Connection) -> Self {
        Self { sender, drive: Box::pin(drive), is_over: false }
    }

    /// Sends one request and drives the connection until the head of its answer is there.
    pub async fn exchange(&mut self, request: Whole) -> Result<Response<Incoming>, Lost> {
        let answer = self.sender.try_send_request(request);
        tokio::pin!(answer);
        let lost = |mut error: hyper::client::conn::TrySendError<_>| match error.take_message() {
            Some(unsent) => Lost::Unsent(Box::new(unsent)),
            None if error.error().is_parse() => Lost::Garbled,
            None => Lost::Sent,
        };
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            if !self.is_over && self.drive.as_mut().poll(cx).is_ready() {
                self.is_over = true;
            }
            // Driving may have brought the head, or the reason why there will be none.
            answer.as_mut().poll(cx)
        })
        .await
        .map_err(lost)
    }

    /// Polls it; what came in lies in its body then.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_over && self.drive.as_mut().poll(cx).is_ready() {
            self.is_over = true;
        }
    }

    /// Whether it can carry another request: looks at the socket, for nobody has watched it.
    pub fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }
}

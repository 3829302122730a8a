//! The client's side of one connection, driven by whoever asks, so that the load itself costs as little of
//! the two cores as it can. Dropped, it hangs up at once.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    ops::ControlFlow,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection with both its ends.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    driven: Driven,
}

/// How an answer came.
#[derive(Debug)]
pub struct Heard {
    /// Its status.
    pub status: StatusCode,
    /// Whether its body came to its end.
    pub end: io::Result<()>,
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

    /// Returns once another request can be sent.
    pub async fn ready(&mut self) -> io::Result<()> {
        let Self { sender, driven } = self;
        let ready = poll_fn(|cx| {
            driven.drive(cx);
            sender.poll_ready(cx)
        });
        ready.await.map_err(io::Error::other)
    }

    /// Sends a request and hears the answer to its end, or until `hear` has had enough.
    ///
    /// # Errors
    /// If there is no head.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        mut hear: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> io::Result<Heard> {
        let Self { sender, driven } = self;
        let mut head = pin!(sender.send_request(request));
        let head = poll_fn(|cx| match head.as_mut().poll(cx) {
            Poll::Pending => {
                driven.drive(cx);
                head.as_mut().poll(cx)
            }
            ready @ Poll::Ready(_) => ready,
        });
        let head = head.await.map_err(io::Error::other)?;
        let status = head.status();
        let mut body = head.into_body();
        while let Some(frame) = poll_fn(|cx| driven.frame(&mut body, cx)).await {
            let data = match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => return Ok(Heard { status, end: Err(io::Error::other(error)) }),
            };
            if hear(&data).is_break() {
                break;
            }
        }
        Ok(Heard { status, end: Ok(()) })
    }
}

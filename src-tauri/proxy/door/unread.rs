//! A client that stops reading: what is ready for it may wait as long as `limits.unread_seconds`, then its request
//! is let go as if it had hung up. A timer is made with the first wait, so whoever reads costs none. Over HTTP/1.1 it
//! is the socket that does not move; over HTTP/2, where others may go on beside it, the one stream.

use std::{
    cell::Cell,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::joined::poll_write_joined;
use crate::proxy::seldom::Wait;

/// A client's socket on which no write may wait longer than the limit, and a small one leaves in one piece.
pub struct Watched<T> {
    io: T,
    limit: Duration,
    wait: Wait,
}

impl<T> Watched<T> {
    /// Watches this one.
    pub fn new(io: T, limit: Duration) -> Self {
        Self { io, limit, wait: Wait::default() }
    }

    fn watch<R>(&mut self, polled: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.wait.over();
            return polled;
        }
        ready!(self.wait.poll_too_long(self.limit, cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client has stopped reading")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = poll_write_joined(Pin::new(&mut self.io), cx, pieces);
        self.watch(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        // A flush that finds nothing to do says nothing of a write that waits.
        if polled.is_ready() { polled } else { self.watch(polled, cx) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(polled, cx)
    }
}

/// Whom an answer's body waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// For the upstream's next piece.
    Upstream,
    /// A piece was given: for the client to take it.
    Client,
}

tokio::task_local! {
    /// What the body has said while its stream was polled; `None` if it was not asked.
    static TURN: Cell<Option<Turn>>;
    /// Set while a stream is dropped that nobody reads.
    static LET_GO: ();
}

/// A body says whose turn it is. Outside a stream of HTTP/2 nobody listens.
pub fn is_turn_of(turn: Turn) {
    let _ = TURN.try_with(|told| told.set(Some(turn)));
}

/// Whether what is dropped here is the answer of a stream that nobody reads: the last that it gave was not taken, whatever
/// it had heard of its upstream by then.
pub fn is_let_go() -> bool {
    LET_GO.try_with(|()| ()).is_ok()
}

/// Runs the streams of one HTTP/2 connection, each only as long as its client reads.
#[derive(Clone)]
pub struct Streams {
    limit: Duration,
}

impl Streams {
    /// Under this limit.
    pub fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    #[expect(clippy::disallowed_methods, reason = "a stream ends with its connection, which is counted")]
    fn execute(&self, stream: F) {
        tokio::spawn(Stream { running: Some(Box::pin(stream)), limit: self.limit, wait: Wait::default() });
    }
}

/// One stream. Dropped, it is reset, and its answer's body with all that this holds is gone.
struct Stream<F> {
    /// `None` once it was let go.
    running: Option<Pin<Box<F>>>,
    limit: Duration,
    wait: Wait,
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = self.running.as_mut().map(Pin::as_mut) else { return Poll::Ready(()) };
        let (polled, told) = TURN.sync_scope(Cell::new(None), || (stream.poll(cx), TURN.with(Cell::get)));
        if polled.is_ready() {
            return polled;
        }
        match told {
            Some(Turn::Upstream) => {
                self.wait.over();
                return Poll::Pending;
            }
            Some(Turn::Client) => self.wait.over(),
            None if !self.wait.is_on() => return Poll::Pending,
            None => {}
        }
        let limit = self.limit;
        ready!(self.wait.poll_too_long(limit, cx));
        tracing::debug!("a client has stopped reading one of its answers");
        let stream = self.running.take();
        LET_GO.sync_scope((), || drop(stream));
        Poll::Ready(())
    }
}

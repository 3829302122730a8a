//! One HTTP/1.1 connection, driven by whoever holds it: no task of its own, no channel between the socket and its
//! reader. What is there is handed on in one piece; hyper's client takes a task's poll and a message for each
//! chunk, which was a third of what a burst of events cost.

use std::{
    future::{Future as _, poll_fn},
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Method, Response, response::Parts};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::unconstrained,
};
use tokio_util::io::poll_read_buf;

use super::request::UpstreamRequest;
use crate::formats::http1::{BadChunk, BadHead, Framing, Head, Names, read_head, write_head};

/// What a connection runs on: a socket, or TLS on one.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A request that got no head.
pub enum Lost {
    /// It left this machine, or part of it did.
    Sent,
    /// Nothing of it left.
    Unsent,
    /// What came back was no HTTP/1.1.
    Garbled,
}

/// Why an answer breaks off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the connection was closed")]
    Closed,
    #[error("its chunks make no sense")]
    Garbled,
    #[error("{0}")]
    Socket(#[from] io::Error),
    #[error("{0}")]
    Stream(#[from] hyper::Error),
}

/// A connection, with what has arrived on it and what has still to leave.
pub struct Line {
    io: Box<dyn Io>,
    arrived: BytesMut,
    names: Names,
    /// Of the request: what is left of its head, and of its body.
    leaving: [Bytes; 2],
    has_sent: bool,
    is_flushed: bool,
    framing: Framing,
    may_stay: bool,
    /// Room that is made for the next read.
    room: usize,
    /// Whether the last read left most of it: a second one in a row makes it smaller, for a burst's last read is
    /// small too.
    was_small: bool,
}

/// A read gets at least so much room, and up to so much if it fills what it had: events are small, and documents
/// are not.
const LEAST_ROOM: usize = 4 * 1024;
const MOST_ROOM: usize = 64 * 1024;
/// As much of an answer goes on in one piece.
const MOST_AT_ONCE: usize = 32 * 1024;
/// A body up to this size is put behind its head: the kernel takes longer over a list of two than their copy does, and
/// where a connection takes no lists, two writes would be two packets.
const SMALL_BODY: usize = 8 * 1024;

impl Line {
    /// A connection that has just been made.
    pub fn new(io: Box<dyn Io>) -> Self {
        Self {
            io,
            arrived: BytesMut::new(),
            names: Names::default(),
            leaving: [Bytes::new(), Bytes::new()],
            has_sent: false,
            is_flushed: true,
            framing: Framing::Over,
            may_stay: true,
            room: LEAST_ROOM,
            was_small: false,
        }
    }

    /// Sends one request and drives the connection until the head of its answer is there.
    pub async fn exchange(&mut self, request: &UpstreamRequest<'_>) -> Result<Response<()>, Lost> {
        self.begin(request);
        match poll_fn(|cx| self.poll_head(request.method, cx)).await {
            Ok(parts) => Ok(Response::from_parts(parts, ())),
            Err(_) if !self.has_sent => Err(Lost::Unsent),
            Err(Broken::Garbled) => Err(Lost::Garbled),
            Err(_) => Err(Lost::Sent),
        }
    }

    fn begin(&mut self, request: &UpstreamRequest<'_>) {
        let UpstreamRequest { method, path, headers, body } = request;
        let (together, apart) =
            if body.len() <= SMALL_BODY { (&body[..], Bytes::new()) } else { (&[][..], body.clone()) };
        let mut head = write_head(method, path, headers.iter(), body.len(), together.len());
        head.extend_from_slice(together);
        self.leaving = [head.freeze(), apart];
        self.has_sent = false;
        self.is_flushed = false;
    }

    /// An upstream may answer before it has read all of a request, and may then close: whatever it has said counts.
    fn poll_head(&mut self, method: &Method, cx: &mut Context<'_>) -> Poll<Result<Parts, Broken>> {
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            if !self.has_sent {
                return Poll::Ready(Err(error.into()));
            }
            self.stop_sending();
        }
        loop {
            let head = read_head(&mut self.arrived, method, &mut self.names)?;
            if let Some(Head { parts, framing, may_stay }) = head {
                self.framing = framing;
                self.may_stay &= may_stay;
                return Poll::Ready(Ok(parts));
            }
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Err(Broken::Closed));
            }
        }
    }

    /// The next piece of the answer's body; `None` once it is over.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Poll::Ready(Err(_)) = self.poll_write(cx) {
            self.stop_sending();
        }
        loop {
            let piece = self.framing.take(&mut self.arrived, MOST_AT_ONCE)?;
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
            if self.framing.is_over() {
                return Poll::Ready(None);
            }
            if ready!(self.poll_read(cx))? > 0 {
                continue;
            }
            if self.framing != Framing::Close {
                return Poll::Ready(Some(Err(Broken::Closed)));
            }
            self.framing = Framing::Over;
        }
    }

    /// Whether the whole body has been handed on.
    pub fn is_over(&self) -> bool {
        self.framing.is_over()
    }

    /// How many bytes of the body are still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(left) => Some(left),
            Framing::Over => Some(0),
            Framing::Chunked(_) | Framing::Close => None,
        }
    }

    /// Whether it can carry another request: looks at the socket, for nobody has watched it.
    pub fn is_ready(&mut self) -> bool {
        let is_at_rest = self.may_stay && self.is_over() && self.is_flushed && self.arrived.is_empty();
        // Anything that can be read now is the end, or an answer that nobody asked for.
        let (mut byte, cx) = ([0], &mut Context::from_waker(Waker::noop()));
        let look = poll_fn(|cx| Pin::new(&mut self.io).poll_read(cx, &mut ReadBuf::new(&mut byte)));
        // A task that has had its turn is told of every socket that nothing is there.
        is_at_rest && pin!(unconstrained(look)).poll(cx).is_pending()
    }

    /// Of a line that is ready: lets go of its buffer, which is empty and can be large.
    pub fn rest(&mut self) {
        debug_assert!(self.arrived.is_empty(), "only a line that is ready may rest");
        self.arrived = BytesMut::new();
    }

    /// The upstream reads no further.
    fn stop_sending(&mut self) {
        self.leaving = [Bytes::new(), Bytes::new()];
        self.is_flushed = true;
        self.may_stay = false;
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.leaving.iter().any(|part| !part.is_empty()) {
            let io = Pin::new(&mut self.io);
            let sent = match &self.leaving {
                [part, other] | [other, part] if other.is_empty() => ready!(io.poll_write(cx, part))?,
                parts => {
                    let parts = parts.each_ref().map(|part| IoSlice::new(part));
                    ready!(io.poll_write_vectored(cx, &parts))?
                }
            };
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.has_sent = true;
            let of_head = sent.min(self.leaving[0].len());
            self.leaving[0].advance(of_head);
            self.leaving[1].advance(sent - of_head);
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // What was read last may still be on its way to the client, so that more room is a buffer of its own: as long
        // as half of it is left, none is asked for.
        let mut spare = self.arrived.capacity() - self.arrived.len();
        if spare < self.room / 2 {
            self.arrived.reserve(self.room);
            spare = self.room;
        }
        let read = ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.arrived))?;
        if read >= spare {
            self.room = (self.room * 2).min(MOST_ROOM);
        }
        let is_small = read < self.room / 4;
        if std::mem::replace(&mut self.was_small, is_small) && is_small {
            self.room = (self.room / 2).max(LEAST_ROOM);
        }
        Poll::Ready(Ok(read))
    }
}

impl From<BadHead> for Broken {
    fn from(_: BadHead) -> Self {
        Self::Garbled
    }
}

impl From<BadChunk> for Broken {
    fn from(_: BadChunk) -> Self {
        Self::Garbled
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, uri::PathAndQuery};
    use tokio::{
        io::AsyncWriteExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::proxy::headers::UpstreamHeaders;

    #[tokio::test]
    async fn a_closed_connection_is_not_ready_for_a_task_that_has_had_its_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        drop(listener.accept().await.unwrap());
        socket.readable().await.unwrap();
        let mut line = Line::new(Box::new(socket));
        let cx = &mut Context::from_waker(Waker::noop());
        while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
        assert!(!line.is_ready());
    }

    #[tokio::test]
    async fn a_burst_like_the_last_ones_is_read_at_once() {
        let (ours, mut upstream) = tokio::io::duplex(64 * 1024);
        let mut line = Line::new(Box::new(ours));
        let answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n".as_slice(), &[b'x'; 9000]].concat();
        let (method, ours) = (Method::GET, HeaderMap::new());
        let request = UpstreamRequest {
            method: &method,
            path: PathAndQuery::from_static("/"),
            headers: UpstreamHeaders::of_our_own(&ours),
            body: Bytes::new(),
        };
        let mut pieces = Vec::new();
        for _ in 0..6 {
            upstream.write_all(&answer).await.unwrap();
            assert!(line.exchange(&request).await.is_ok());
            let mut heard = 0;
            while poll_fn(|cx| line.poll_body(cx)).await.transpose().unwrap().is_some() {
                heard += 1;
            }
            pieces.push(heard);
            assert!(line.is_ready());
            line.rest();
        }
        assert_eq!(pieces[2..], [1; 4], "{pieces:?}");
    }
}

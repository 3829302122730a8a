//! The body of an answer, and what becomes of the connection that it came over.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Upstreams, gathered::Gathered, line::Line, origin::Origin, trunk::Stream};

/// Pieces that have already arrived are handed on together up to this size.
const MERGE: usize = 32 * 1024;

/// The body of an upstream's answer, which drives its connection and gives it back when it has ended.
pub struct UpstreamBody {
    body: Incoming,
    line: Option<Line>,
    stream: Option<Stream>,
    origin: Origin,
    pool: Upstreams,
    failed: Option<hyper::Error>,
    ended: bool,
}

impl UpstreamBody {
    /// A body that has just begun; an empty one is over at once.
    pub fn new(body: Incoming, line: Line, origin: Origin, pool: Upstreams) -> Self {
        Self::begin(body, Some(line), None, origin, pool)
    }

    /// The same on a connection that others use too.
    pub fn on(body: Incoming, stream: Stream, origin: Origin, pool: Upstreams) -> Self {
        Self::begin(body, None, Some(stream), origin, pool)
    }

    fn begin(
        body: Incoming,
        line: Option<Line>,
        stream: Option<Stream>,
        origin: Origin,
        pool: Upstreams,
    ) -> Self {
        let mut body = Self { body, line, stream, origin, pool, failed: None, ended: false };
        if body.body.is_end_stream() {
            body.end();
        }
        body
    }

    /// Whether the whole body has been read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Has the body fail at the next poll, for a reader that looked ahead.
    pub fn fail_later(&mut self, error: hyper::Error) {
        self.failed = Some(error);
    }

    fn end(&mut self) {
        self.ended = true;
        self.stream = None;
        if let Some(mut line) = self.line.take()
            && line.is_ready()
        {
            self.pool.keep(self.origin.clone(), line);
        }
    }

    /// The next frame, driving the connection where nothing is there yet.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let first = Pin::new(&mut self.body).poll_frame(cx);
        let frame = match (first, &mut self.line) {
            (Poll::Pending, Some(line)) => {
                line.drive(cx);
                Pin::new(&mut self.body).poll_frame(cx)
            }
            (first, _) => first,
        };
        let is_last = matches!(frame, Poll::Ready(None)) || (frame.is_ready() && self.body.is_end_stream());
        if is_last && !self.ended {
            self.end();
        }
        frame
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let mut gathered = Gathered::default();
        while gathered.len() < MERGE && (gathered.is_empty() || !self.ended) {
            match self.poll_next(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => gathered.add(data),
                    // Trailers belong to one connection; a length or the last chunk has ended the body.
                    Err(_trailers) => {}
                },
                Poll::Ready(Some(Err(error))) if gathered.is_empty() => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Err(error))) => {
                    self.failed = Some(error);
                    break;
                }
                Poll::Ready(None) if gathered.is_empty() => return Poll::Ready(None),
                Poll::Pending if gathered.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Ok(Frame::data(gathered.whole()))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.failed.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

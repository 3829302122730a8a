//! The body of an answer, and what becomes of the connection that it came over.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    Upstreams,
    gathered::Gathered,
    line::{Broken, Line},
    origin::Origin,
    trunk::Stream,
};

/// Pieces that have already arrived are handed on together up to this size.
const MERGE: usize = 32 * 1024;

/// The body of an upstream's answer, which drives its connection and gives it back when it has ended.
pub struct UpstreamBody {
    way: Way,
    origin: Origin,
    pool: Upstreams,
    failed: Option<Broken>,
    ended: bool,
    /// Its length was known from the start. A length that shows only at its end is not told to the client, who
    /// would see another head than the upstream's.
    is_measured: bool,
}

enum Way {
    Line(Line),
    Stream {
        body: Incoming,
        _place: Stream,
    },
    /// The connection has been given back.
    None,
}

impl UpstreamBody {
    /// A body that has just begun on a connection of its own; an empty one is over at once.
    pub fn new(line: Line, origin: Origin, pool: Upstreams) -> Self {
        let is_over = line.is_over();
        Self::begin(Way::Line(line), is_over, origin, pool)
    }

    /// The same on a connection that others use too.
    pub fn on(body: Incoming, stream: Stream, origin: Origin, pool: Upstreams) -> Self {
        let is_over = body.is_end_stream();
        Self::begin(Way::Stream { body, _place: stream }, is_over, origin, pool)
    }

    fn begin(way: Way, is_over: bool, origin: Origin, pool: Upstreams) -> Self {
        let mut body = Self { way, origin, pool, failed: None, ended: false, is_measured: false };
        body.is_measured = body.size_hint().exact().is_some();
        if is_over {
            body.end();
        }
        body
    }

    /// Whether the whole body has been read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Has the body fail at the next poll, for a reader that looked ahead.
    pub fn fail_later(&mut self, error: Broken) {
        self.failed = Some(error);
    }

    fn end(&mut self) {
        self.ended = true;
        if let Way::Line(mut line) = std::mem::replace(&mut self.way, Way::None)
            && line.is_ready()
        {
            self.pool.keep(self.origin.clone(), line);
        }
    }

    /// What is there, in one piece.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match &mut self.way {
            Way::None => Poll::Ready(None),
            Way::Line(line) => {
                let data = line.poll_body(cx);
                if line.is_over() {
                    self.end();
                }
                data
            }
            Way::Stream { .. } => self.poll_gathered(cx),
        }
    }

    fn poll_gathered(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut gathered = Gathered::default();
        while gathered.len() < MERGE
            && let Way::Stream { body, .. } = &mut self.way
        {
            let frame = Pin::new(&mut *body).poll_frame(cx);
            if matches!(frame, Poll::Ready(None)) || (frame.is_ready() && body.is_end_stream()) {
                self.end();
            }
            match frame {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => gathered.add(data),
                    // Trailers belong to one connection; the body has ended without them.
                    Err(_trailers) => {}
                },
                Poll::Ready(Some(Err(error))) if gathered.is_empty() => {
                    return Poll::Ready(Some(Err(error.into())));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.failed = Some(error.into());
                    break;
                }
                Poll::Pending if gathered.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if gathered.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(Ok(gathered.whole()))) }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        self.poll_data(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.failed.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Way::Line(line) => line.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Way::Stream { body, .. } => body.size_hint(),
            Way::None if self.is_measured => SizeHint::with_exact(0),
            Way::None => SizeHint::default(),
        }
    }
}

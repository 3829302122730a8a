//! How the bytes of a reply leave: paced, held at a gate, cut, or stalled. Also the gates. Knows nothing
//! of what the bytes say.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
    vec,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

use super::{listen::Line, recorder::Open};

/// Something to wait for before the next piece.
type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Points where replies are held until a test lets them go on. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Gates(watch::Sender<BTreeMap<String, Gate>>);

#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    open: bool,
    reached: usize,
}

impl Gates {
    /// Waits at a gate until it is released; an open one is passed at once.
    pub async fn pass(&self, name: &str) {
        self.0.send_modify(|gates| gates.entry(name.to_owned()).or_default().reached += 1);
        self.until(name, |gate| gate.open).await;
    }

    /// Opens a gate for good.
    pub fn release(&self, name: &str) {
        self.0.send_modify(|gates| gates.entry(name.to_owned()).or_default().open = true);
    }

    /// Waits until so many replies have come to a gate.
    pub async fn reached(&self, name: &str, times: usize) {
        self.until(name, |gate| gate.reached >= times).await;
    }

    async fn until(&self, name: &str, holds: impl Fn(&Gate) -> bool) {
        // The sender is in `self`, so the wait cannot end for want of one.
        let _ = self.0.subscribe().wait_for(|gates| gates.get(name).is_some_and(&holds)).await;
    }
}

/// How a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With its last piece.
    Whole,
    /// The connection breaks after so many pieces, with a TCP reset or a close.
    Cut { after: usize, reset: bool },
    /// Nothing comes after so many pieces.
    Stall(usize),
}

/// The body of a reply.
pub struct Pieces {
    left: vec::IntoIter<Bytes>,
    sent: usize,
    end: End,
    pace: Duration,
    gate: Option<(usize, Wait)>,
    wait: Option<Wait>,
    /// Bytes still to come, where the head says so.
    length: Option<u64>,
    /// Whether the wire has been given time to send what stands before the cut.
    flushed: bool,
    line: Line,
    open: Open,
}

impl Pieces {
    /// A body that leaves at once. Its length is told.
    pub fn whole(bytes: Bytes, line: Line, open: Open) -> Self {
        let length = bytes.len() as u64;
        Self { length: Some(length), ..Self::events(vec![bytes], line, open) }
    }

    /// A body of as many pieces; its length is not told.
    pub fn events(pieces: Vec<Bytes>, line: Line, open: Open) -> Self {
        Self {
            left: pieces.into_iter(),
            sent: 0,
            end: End::Whole,
            pace: Duration::ZERO,
            gate: None,
            wait: None,
            length: None,
            flushed: false,
            line,
            open,
        }
    }

    /// A document in four pieces, so that it can be paced and cut. Its length is told.
    pub fn quarters(document: &Bytes, line: Line, open: Open) -> Self {
        let step = document.len().div_ceil(4).max(1);
        let pieces = document.chunks(step).map(|piece| document.slice_ref(piece)).collect();
        Self { length: Some(document.len() as u64), ..Self::events(pieces, line, open) }
    }

    /// Waits between pieces.
    pub fn paced(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Ends so instead of in order; always before the last piece.
    pub fn ending(mut self, end: End) -> Self {
        let last = self.left.len().saturating_sub(1);
        self.end = match end {
            End::Whole => End::Whole,
            End::Cut { after, reset } => End::Cut { after: after.min(last), reset },
            End::Stall(after) => End::Stall(after.min(last)),
        };
        self
    }

    /// Held at a gate before the piece of this number.
    pub fn held(mut self, before: usize, gates: &Gates, name: String) -> Self {
        let last = self.left.len().saturating_sub(1);
        let gates = gates.clone();
        self.gate = Some((before.min(last), Box::pin(async move { gates.pass(&name).await })));
        self
    }

    fn cut(&mut self, reset: bool) -> io::Error {
        self.open.close();
        if reset {
            self.line.reset();
        }
        io::Error::new(io::ErrorKind::ConnectionAborted, "the script cuts here")
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            if let Some(wait) = &mut this.wait {
                ready!(wait.as_mut().poll(cx));
                this.wait = None;
            }
            match this.end {
                // The connection notices a client that leaves and drops this body.
                End::Stall(after) if after == this.sent => return Poll::Pending,
                // One turn of the runtime first: an error would overtake the pieces before it.
                End::Cut { after, reset } if after == this.sent && this.flushed => {
                    return Poll::Ready(Some(Err(this.cut(reset))));
                }
                End::Cut { after, .. } if after == this.sent => {
                    this.flushed = true;
                    this.wait = Some(Box::pin(tokio::task::yield_now()));
                    continue;
                }
                _ => {}
            }
            if let Some((_, gate)) = this.gate.take_if(|(before, _)| *before == this.sent) {
                this.wait = Some(gate);
                continue;
            }
            let Some(piece) = this.left.next() else { return Poll::Ready(None) };
            this.sent += 1;
            if let Some(length) = &mut this.length {
                *length -= piece.len() as u64;
            }
            if this.left.len() == 0 {
                this.open.close();
            } else if !this.pace.is_zero() {
                this.wait = Some(Box::pin(tokio::time::sleep(this.pace)));
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

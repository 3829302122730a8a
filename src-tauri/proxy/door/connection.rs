//! One client's connection: as many requests as it likes, but no place for those that send nothing. It is
//! closed when no request has been open on it for a while: before the first, in the middle of a head or of
//! an HTTP/2 preface, or idle; and at once when a drain finds none open.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use super::{
    server::Answering,
    unread::{Streams, Turn, Watched, is_turn_of},
};
use crate::{
    proxy::{
        AnswerBody,
        answer::relay::Cut,
        seldom::{Deadline, Seldom, now},
    },
    settings::Limits,
};

/// Bytes of a head over HTTP/1.1; more is refused with 431. A piece of a body is as large at most.
const MAX_HEAD: usize = 400 * 1024;
/// Headers of one request. It is hyper's own bound over HTTP/1.1, which keeps them on the stack as long as nobody
/// sets another; over HTTP/2 the door counts. More is refused with 431.
pub(super) const MAX_HEADERS: usize = 100;
/// Bytes of a head over HTTP/2, counted as RFC 9113 does; more is refused with 431.
const MAX_HEAD_LIST: u32 = 64 * 1024;
/// Requests at once on one connection over HTTP/2; a client that sends more has them refused unprocessed.
const MAX_STREAMS: u32 = 256;
/// Streams that a client may open and reset before we get to see them; beyond it the connection is ended.
const MAX_RESETS: usize = 20;
/// Streams that we reset for a client's faults; beyond it the connection is ended.
const MAX_FAULTS: usize = 64;
/// Requests on one connection over HTTP/2 that the client has left before their answer was through. Beyond it
/// the client is told to take another one, and with twice as many the connection is cut: beginning a request
/// costs us more than resetting it costs a client.
const MAX_LEFT: usize = 256;
/// A peer that is silent for the first time is asked; if it does not answer within the second, it is dead.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// How long the last bytes of an answer may take once nothing else is to come.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// How connections are held. Clones share it.
#[derive(Clone)]
pub struct Connections {
    builder: Arc<auto::Builder<Streams>>,
    limit: Duration,
    unread: Duration,
}

/// What is open on one connection.
#[derive(Default)]
struct Activity {
    open: AtomicUsize,
    begun: AtomicUsize,
    left: AtomicUsize,
    /// How often the connection was polled.
    rounds: AtomicUsize,
}

/// One open request, until its answer's body is gone.
struct Open {
    activity: Arc<Activity>,
    /// Whether it counts as left by the client if it ends now.
    is_wanted: bool,
}

/// An answer's body that keeps its request open.
struct Counted {
    body: AnswerBody,
    open: Open,
    /// Its request is the only one that is open, so it is polled with the connection and not in a task of its own.
    is_alone: bool,
    /// In which round it had nothing more to give. hyper asks a body twice again behind each piece that it has sent, and
    /// whoever wakes it begins another round.
    waits_since: Option<usize>,
}

/// Why a connection is looked at.
enum Next<E> {
    Ended(Result<(), E>),
    /// The client has left more requests than it may.
    TooMuch,
    /// It is time to see whether anything was open.
    Quiet,
    Drain,
}

impl Connections {
    /// Under these bounds.
    pub fn new(limits: &Limits) -> Self {
        let mut builder = auto::Builder::new(Streams::new(limits.unread()));
        // A head that stops half way is closed with the connection that carries nothing else (`serve`), so it needs no
        // timer of its own, which would be set anew with each request.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD_LIST)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_local_error_reset_streams(MAX_FAULTS)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PONG_WITHIN);
        Self { builder: Arc::new(builder), limit: limits.client(), unread: limits.unread() }
    }

    /// How long nothing may be open.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Serves a connection to its end. `stop` tells of a drain, by a change or by being gone.
    pub async fn serve<T: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
        io: T,
        serve: impl Fn(Request<Incoming>) -> Answering,
        mut stop: watch::Receiver<()>,
    ) {
        let activity = Arc::new(Activity::default());
        let service = service_fn(|request: Request<Incoming>| {
            // Over HTTP/1.1 whoever leaves takes the connection along.
            let is_alone = request.version() != Version::HTTP_2;
            let open = Open::begin(&activity, !is_alone);
            let answer = serve(request);
            let counted = move |body| Counted { body, open, is_alone, waits_since: None };
            async move { Ok::<_, Infallible>(answer.await.map(counted)) }
        });
        let connection = self.builder.serve_connection(TokioIo::new(Watched::new(io, self.unread)), service);
        let mut connection = pin!(connection);
        let mut quiet = Deadline::at(now() + self.limit);
        let told = stop.clone();
        let changed = pin!(stop.changed());
        let mut drain = Seldom::new(changed);
        let mut known = 0;
        let mut is_ending = false;
        loop {
            let next = poll_fn(|cx| {
                activity.rounds.fetch_add(1, Ordering::Relaxed);
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    return Poll::Ready(Next::Ended(ended));
                }
                if activity.is_too_much(is_ending) {
                    return Poll::Ready(Next::TooMuch);
                }
                if quiet.poll(cx).is_ready() {
                    return Poll::Ready(Next::Quiet);
                }
                if !is_ending && drain.poll_if(|_| told.has_changed().unwrap_or(true), cx).is_ready() {
                    return Poll::Ready(Next::Drain);
                }
                Poll::Pending
            });
            match next.await {
                Next::Ended(Ok(())) => return,
                Next::Ended(Err(error)) => return tracing::debug!(%error, "a connection ended early"),
                Next::TooMuch if is_ending => return,
                Next::Quiet => {
                    let begun = activity.begun.load(Ordering::Relaxed);
                    let was_used = begun != known || activity.open.load(Ordering::Relaxed) > 0;
                    if !was_used && (is_ending || begun == 0) {
                        return;
                    }
                    known = begun;
                    if was_used && !is_ending {
                        quiet.set(now() + self.limit);
                        continue;
                    }
                }
                Next::Drain => known = activity.begun.load(Ordering::Relaxed),
                Next::TooMuch => {}
            }
            // Not simply closed: an answer may still be on its way into the socket.
            if !std::mem::replace(&mut is_ending, true) {
                connection.as_mut().graceful_shutdown();
            }
            quiet.set(now() + LAST_BYTES);
        }
    }
}

impl Activity {
    fn is_too_much(&self, was_told: bool) -> bool {
        self.left.load(Ordering::Relaxed) > if was_told { 2 * MAX_LEFT } else { MAX_LEFT }
    }
}

impl Open {
    fn begin(activity: &Arc<Activity>, is_wanted: bool) -> Self {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        activity.open.fetch_add(1, Ordering::Relaxed);
        Self { activity: Arc::clone(activity), is_wanted }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
        if self.is_wanted {
            self.activity.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // What says itself that it is over is not asked again.
        self.open.is_wanted &= !self.body.is_end_stream();
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let round = self.open.activity.rounds.load(Ordering::Relaxed);
        if self.is_alone && self.waits_since == Some(round) {
            return Poll::Pending;
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() {
            self.waits_since = Some(round);
        }
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.open.is_wanted = false;
        }
        // Over HTTP/2 alone.
        if self.open.is_wanted {
            is_turn_of(if frame.is_pending() { Turn::Upstream } else { Turn::Client });
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// Never has anything, and counts how often it is asked.
    struct Silent(Arc<AtomicUsize>);

    impl Body for Silent {
        type Data = Bytes;
        type Error = Cut;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        }
    }

    #[test]
    fn a_body_that_waits_is_asked_once_in_each_round_and_over_http_2_each_time() {
        for (is_alone, expected) in [(true, [1, 1, 2]), (false, [1, 2, 3])] {
            let (asked, activity) = (Arc::<AtomicUsize>::default(), Arc::<Activity>::default());
            let open = Open::begin(&activity, !is_alone);
            let mut body = Counted {
                body: Silent(Arc::clone(&asked)).boxed_unsync(),
                open,
                is_alone,
                waits_since: None,
            };
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let told = [false, false, true].map(|is_next| {
                activity.rounds.fetch_add(usize::from(is_next), Ordering::Relaxed);
                assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
                asked.load(Ordering::Relaxed)
            });
            assert_eq!(told, expected);
        }
    }
}

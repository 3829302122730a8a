//! Connections that carry many requests at once: HTTP/2. A trunk is driven by tasks of its own, for nobody
//! owns it alone; each request on it is a stream, and dropping that resets it at once, so that the upstream
//! sees a cancellation as it happens.

use std::{
    error::Error as _,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use foldhash::HashMap;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    line::{Io, Lost},
    origin::Origin,
    request::UpstreamRequest,
    target::Target,
};
use crate::{clock::Clock, tasks::Tasks};

/// Streams on one trunk, if the upstream does not allow fewer; for a further one another trunk is opened.
const MAX_STREAMS: usize = 100;
/// What a stream may hold unread, and what `MAX_STREAMS` of them together may: a slow client must not stop others.
const STREAM_WINDOW: u32 = 256 * 1024;
const TRUNK_WINDOW: u32 = STREAM_WINDOW * 100;
/// A head larger than this is refused.
const MAX_HEAD: u32 = 64 * 1024;
/// An upstream that is silent for the first time, with streams open, is asked; if it does not answer within
/// the second, the trunk is dead.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// The trunks of one worker.
#[derive(Default)]
pub struct Trunks(Mutex<HashMap<Origin, Place>>);

/// What is known of an origin.
struct Place {
    trunks: Vec<Arc<Trunk>>,
    /// It chose HTTP/1.1 the last time.
    is_single: bool,
    /// Whoever opens a connection holds it: those who come at the same moment may share what he opens.
    opening: Arc<Semaphore>,
}

/// One connection.
struct Trunk {
    sender: SendRequest<Full<Bytes>>,
    open: AtomicUsize,
    /// How many streams the upstream allows.
    room: AtomicUsize,
    /// It said that it takes no more, or refused one.
    is_leaving: AtomicBool,
    idle_since: Mutex<Instant>,
    clock: Clock,
}

/// A place for one request on a trunk; dropped, the request is cancelled if it has not ended.
pub struct Stream(Arc<Trunk>);

impl Trunks {
    /// A place on a trunk that is there and has room.
    pub fn take(&self, origin: &Origin) -> Option<Stream> {
        let mut places = self.lock();
        let place = places.get_mut(origin)?;
        place.trunks.retain(|trunk| trunk.is_alive());
        place.trunks.iter().find_map(Trunk::join)
    }

    /// Waits until nobody else opens a connection to this origin. Where each request has a connection of its
    /// own there is nothing to wait for.
    pub async fn turn(&self, origin: &Origin) -> Option<OwnedSemaphorePermit> {
        let opening = {
            let mut places = self.lock();
            let place = places.entry(origin.clone()).or_default();
            (!place.is_single).then(|| Arc::clone(&place.opening))
        }?;
        opening.acquire_owned().await.ok()
    }

    /// The origin chose HTTP/1.1.
    pub fn is_single(&self, origin: &Origin) {
        self.lock().entry(origin.clone()).or_default().is_single = true;
    }

    /// Opens a trunk and takes the first place on it.
    ///
    /// # Errors
    /// If the other side does not speak HTTP/2 after all.
    pub async fn begin(
        &self,
        origin: &Origin,
        io: Box<dyn Io>,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Result<Stream, hyper::Error> {
        let trunk = Trunk::begin(io, clock, tasks).await?;
        let stream = Stream::on(&trunk);
        let mut places = self.lock();
        let place = places.entry(origin.clone()).or_default();
        place.is_single = false;
        place.trunks.push(trunk);
        Ok(stream)
    }

    /// Closes what is dead or has been idle for too long. Returns whether anything is left.
    pub fn sweep(&self, now: Instant, max_idle: Duration) -> bool {
        let mut places = self.lock();
        for place in places.values_mut() {
            place.trunks.retain(|trunk| trunk.is_alive() && !trunk.has_idled(now, max_idle));
        }
        places.retain(|_, place| !place.trunks.is_empty() || place.is_opening());
        places.values().any(|place| !place.trunks.is_empty())
    }

    /// Closes each trunk as soon as its streams have ended.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { trunks: Vec::new(), is_single: false, opening: Arc::new(Semaphore::new(1)) }
    }
}

impl Place {
    fn is_opening(&self) -> bool {
        self.opening.available_permits() == 0
    }
}

impl Trunk {
    async fn begin(io: Box<dyn Io>, clock: &Clock, tasks: &Tasks) -> Result<Arc<Self>, hyper::Error> {
        let (sender, connection) = http2::Builder::new(OnTasks(tasks.clone()))
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(TRUNK_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PONG_WITHIN)
            .keep_alive_while_idle(false)
            .handshake(TokioIo::new(io))
            .await?;
        let trunk = Arc::new(Self {
            sender,
            open: AtomicUsize::new(0),
            room: AtomicUsize::new(MAX_STREAMS),
            is_leaving: AtomicBool::new(false),
            idle_since: Mutex::new(clock.instant()),
            clock: clock.clone(),
        });
        // The task may not keep the trunk: it ends when the last sender is gone.
        let told = Arc::downgrade(&trunk);
        tasks.spawn(async move {
            let mut connection = pin!(connection);
            let ended = poll_fn(|cx| {
                let polled = connection.as_mut().poll(cx);
                if let Some(trunk) = told.upgrade() {
                    let room = connection.current_max_send_streams().min(MAX_STREAMS);
                    trunk.room.store(room, Ordering::Relaxed);
                }
                polled
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "a connection to an upstream ended early");
            }
        });
        Ok(trunk)
    }

    fn is_alive(&self) -> bool {
        !self.sender.is_closed() && !self.is_leaving.load(Ordering::Relaxed)
    }

    /// Places are given out under the lock of all trunks.
    fn join(self: &Arc<Self>) -> Option<Stream> {
        let has_room = self.open.load(Ordering::Relaxed) < self.room.load(Ordering::Relaxed);
        has_room.then(|| Stream::on(self))
    }

    fn has_idled(&self, now: Instant, max_idle: Duration) -> bool {
        let since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.open.load(Ordering::Relaxed) == 0 && now.saturating_duration_since(since) >= max_idle
    }
}

impl Stream {
    fn on(trunk: &Arc<Trunk>) -> Self {
        trunk.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(trunk))
    }

    /// Sends one request and waits for the head of its answer.
    pub async fn exchange(
        &self,
        target: &Target,
        request: &UpstreamRequest<'_>,
    ) -> Result<Response<Incoming>, Lost> {
        let Some(absolute) = target.absolute(&request.path) else { return Err(Lost::Garbled) };
        // The body is shared, not copied.
        let mut sent = Request::new(Full::new(request.body.clone()));
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = absolute;
        *sent.headers_mut() = request.without_host();
        self.0.sender.clone().try_send_request(sent).await.map_err(|mut error| {
            if error.take_message().is_some() {
                return Lost::Unsent;
            }
            if was_left_alone(error.error()) {
                self.0.is_leaving.store(true, Ordering::Relaxed);
                return Lost::Unsent;
            }
            Lost::Sent
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            *self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = self.0.clock.instant();
        }
    }
}

/// Whether the upstream said that it did nothing with the request (RFC 9113, section 8.7): it refused the
/// stream, or it goes away and names an earlier one as its last.
fn was_left_alone(error: &hyper::Error) -> bool {
    let why = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    why.is_some_and(|why| {
        let is_refused = why.is_reset() && why.reason() == Some(h2::Reason::REFUSED_STREAM);
        why.is_remote() && (is_refused || why.is_go_away())
    })
}

/// Has hyper's own tasks counted among ours.
#[derive(Clone)]
struct OnTasks(Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for OnTasks {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

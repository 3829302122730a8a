//! Connections to upstreams, warm ones first. A connection is driven by whoever uses it, not by a task of
//! its own: polling the body polls the socket, so a burst of events costs no task switch each, a slow
//! client slows its own upstream alone, and dropping the body closes the connection at once.

mod body;
mod gathered;
mod line;
mod origin;
mod unreached;

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{Response, Uri};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub use body::UpstreamBody;
pub use line::Whole;
use line::{Io, Line, Lost};
use origin::Origin;
pub use unreached::Unreached;

use super::tls::TlsConnector;
use crate::{clock::Clock, settings::Limits, tasks::Tasks};

/// Idle connections kept for one origin; a further one is closed.
const MAX_IDLE: usize = 64;
/// An idle connection older than this is closed; servers commonly close theirs after a minute.
const MAX_IDLE_AGE: Duration = Duration::from_secs(50);

/// The pool of one worker. Clones share it.
#[derive(Clone)]
pub struct Upstreams(Arc<Pool>);

struct Pool {
    idle: Mutex<Idle>,
    tls: TlsConnector,
    connect_limit: Duration,
    head_limit: Duration,
    clock: Clock,
    tasks: Tasks,
    /// Where we listen ourselves: a request that went there would come round and round.
    own: SocketAddr,
}

#[derive(Default)]
struct Idle {
    lines: HashMap<Origin, Vec<(Line, Instant)>>,
    has_sweeper: bool,
}

impl Upstreams {
    /// An empty pool.
    pub fn new(own: SocketAddr, tls: TlsConnector, limits: &Limits, clock: Clock, tasks: Tasks) -> Self {
        Self(Arc::new(Pool {
            idle: Mutex::default(),
            tls,
            connect_limit: limits.connect(),
            head_limit: limits.head(),
            clock,
            tasks,
            own,
        }))
    }

    /// Sends a request whose `Uri` is absolute and waits for the head of the answer.
    ///
    /// # Errors
    /// [`Unreached`] if there is no head, for whatever reason.
    pub async fn send(&self, uri: &Uri, request: Whole) -> Result<Response<UpstreamBody>, Unreached> {
        let origin = Origin::of(uri).ok_or_else(|| Unreached::Address(uri.to_string()))?;
        let limit = self.0.head_limit;
        let late = |_| Unreached::HeadLate {
            host: uri.host().unwrap_or_default().to_owned(),
            seconds: limit.as_secs_f64(),
        };
        tokio::time::timeout(limit, self.try_send(origin, request)).await.map_err(late)?
    }

    async fn try_send(
        &self,
        origin: Origin,
        mut request: Whole,
    ) -> Result<Response<UpstreamBody>, Unreached> {
        if origin.is_at(self.0.own) {
            return Err(Unreached::Itself);
        }
        let host = || origin.host.to_string();
        let lost = |lost| match lost {
            Lost::Garbled => Unreached::Garbled { host: host() },
            Lost::Sent | Lost::Unsent(_) => Unreached::Closed { host: host() },
        };
        if let Some(mut line) = self.take_idle(&origin) {
            match line.exchange(request).await {
                Ok(head) => return Ok(self.answer(head, line, origin)),
                // The upstream may have read it and be at work on it: a second one would be paid for twice.
                Err(why @ (Lost::Sent | Lost::Garbled)) => return Err(lost(why)),
                // The peer had closed the warm connection before our request left.
                Err(Lost::Unsent(unsent)) => request = *unsent,
            }
        }
        let mut line = self.open(&origin).await?;
        match line.exchange(request).await {
            Ok(head) => Ok(self.answer(head, line, origin)),
            Err(why) => Err(lost(why)),
        }
    }

    fn answer(&self, head: Response<Incoming>, line: Line, origin: Origin) -> Response<UpstreamBody> {
        let (parts, body) = head.into_parts();
        Response::from_parts(parts, UpstreamBody::new(body, line, origin, self.clone()))
    }

    async fn open(&self, origin: &Origin) -> Result<Line, Unreached> {
        let limit = self.0.connect_limit;
        let host = || origin.host.to_string();
        match tokio::time::timeout(limit, self.connect(origin)).await {
            Ok(line) => line.map_err(Unreached::Connect),
            Err(_) => Err(Unreached::ConnectLate { host: host(), seconds: limit.as_secs_f64() }),
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Line, String> {
        let address = (origin.host.trim_matches(['[', ']']), origin.port);
        let socket = TcpStream::connect(address)
            .await
            .map_err(|error| format!("{} can't be reached: {error}", origin.host))?;
        // A refused option costs latency, not correctness.
        let _ = socket.set_nodelay(true);
        let io: Box<dyn Io> = if origin.tls {
            Box::new(self.0.tls.connect(&origin.host, socket).await?)
        } else {
            Box::new(socket)
        };
        let (sender, drive) = http1::handshake(TokioIo::new(io))
            .await
            .map_err(|error| format!("{} does not speak HTTP/1.1: {error}", origin.host))?;
        Ok(Line::new(sender, drive))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self, origin: &Origin) -> Option<Line> {
        let now = self.0.clock.instant();
        loop {
            let (mut line, since) = self.idle().lines.get_mut(origin)?.pop()?;
            if now.duration_since(since) < MAX_IDLE_AGE && line.is_ready() {
                return Some(line);
            }
        }
    }

    fn keep(&self, origin: Origin, line: Line) {
        let now = self.0.clock.instant();
        let mut idle = self.idle();
        let lines = idle.lines.entry(origin).or_default();
        if lines.len() < MAX_IDLE {
            lines.push((line, now));
        }
        if !std::mem::replace(&mut idle.has_sweeper, true) {
            drop(idle);
            self.start_sweeper();
        }
    }

    /// Closes what has been idle for too long; ends when nothing is idle, so a quiet pool costs no timer.
    fn start_sweeper(&self) {
        let pool = self.clone();
        self.0.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(MAX_IDLE_AGE) => {}
                    () = pool.0.tasks.stopping() => return pool.idle().lines.clear(),
                }
                let now = pool.0.clock.instant();
                let mut idle = pool.idle();
                for lines in idle.lines.values_mut() {
                    lines.retain_mut(|(line, since)| {
                        now.duration_since(*since) < MAX_IDLE_AGE && line.is_ready()
                    });
                }
                idle.lines.retain(|_, lines| !lines.is_empty());
                if idle.lines.is_empty() {
                    idle.has_sweeper = false;
                    return;
                }
            }
        });
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").field("origins", &self.idle().lines.len()).finish()
    }
}

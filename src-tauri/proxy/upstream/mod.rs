//! Connections to upstreams, warm ones first. A connection is driven by whoever uses it, not by a task of
//! its own: polling the body polls the socket, so a burst of events costs no task switch each, a slow
//! client slows its own upstream alone, and dropping the body closes the connection at once.

mod body;
mod connect;
mod gathered;
mod line;
mod origin;
mod target;
mod tls;
mod trunk;
mod unreached;
mod request;

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use foldhash::HashMap;
use http::Response;
use hyper::body::Incoming;
use rustls::ProtocolVersion;
use url::Url;

pub use body::UpstreamBody;
pub use connect::Outward;
use line::{Line, Lost};
use origin::Origin;
pub use request::UpstreamRequest;
pub use target::Target;
use target::Targets;
use trunk::{Stream, Trunks};
pub use unreached::{Stage, Unreached};

use crate::{clock::Clock, settings::Limits, tasks::Tasks};

/// Idle connections that a worker keeps for one origin; a further one is closed. As many as nginx is commonly told to.
const MAX_IDLE: usize = 256;
/// An idle connection older than this is closed; servers commonly close theirs after a minute.
const MAX_IDLE_AGE: Duration = Duration::from_secs(50);

/// The pool of one worker. Clones share it.
#[derive(Clone)]
pub struct Upstreams(Arc<Pool>);

struct Pool {
    idle: Mutex<Idle>,
    trunks: Trunks,
    targets: Targets,
    outward: Outward,
    connect_limit: Duration,
    head_limit: Duration,
    clock: Clock,
    tasks: Tasks,
}

#[derive(Default)]
struct Idle {
    lines: HashMap<Origin, Vec<(Line, Instant)>>,
    has_sweeper: bool,
}

/// Stands in the extensions of an answer for which a connection with TLS was opened: the version of it.
#[derive(Debug, Clone, Copy)]
pub struct Secured(pub ProtocolVersion);

/// A way that is open for one request.
enum Way {
    Alone(Line),
    Shared(Stream),
}

impl Upstreams {
    /// An empty pool.
    pub fn new(outward: Outward, limits: &Limits, clock: Clock, tasks: Tasks) -> Self {
        Self(Arc::new(Pool {
            idle: Mutex::default(),
            trunks: Trunks::default(),
            targets: Targets::default(),
            outward,
            connect_limit: limits.connect(),
            head_limit: limits.head(),
            clock,
            tasks,
        }))
    }

    /// Where requests to this base address go; `None` where that is nowhere.
    pub fn target(&self, base: &Url) -> Option<Arc<Target>> {
        self.0.targets.of(base)
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// [`Unreached`] if there is no head, for whatever reason.
    pub async fn send(
        &self,
        target: &Target,
        request: &UpstreamRequest<'_>,
    ) -> Result<Response<UpstreamBody>, Unreached> {
        let limit = self.0.head_limit;
        let late =
            |_| Unreached::HeadLate { host: target.origin.host.to_string(), seconds: limit.as_secs_f64() };
        // By reference: it is some kilobytes large, and would be moved into its time limit.
        let sending = pin!(self.try_send(target, request));
        tokio::time::timeout(limit, sending).await.map_err(late)?
    }

    async fn try_send(
        &self,
        target: &Target,
        request: &UpstreamRequest<'_>,
    ) -> Result<Response<UpstreamBody>, Unreached> {
        let origin = &target.origin;
        let host = || origin.host.to_string();
        let lost = |lost| match lost {
            Lost::Garbled => Unreached::Garbled { host: host() },
            Lost::Sent | Lost::Unsent => Unreached::Closed { host: host() },
        };
        if origin.tls
            && let Some(stream) = self.0.trunks.take(origin)
        {
            match Box::pin(stream.exchange(target, request)).await {
                Ok(head) => return Ok(self.answer_on(head, stream, origin)),
                Err(why @ (Lost::Sent | Lost::Garbled)) => return Err(lost(why)),
                // The upstream goes away, or said that it has not looked at it.
                Err(Lost::Unsent) => {}
            }
        }
        if let Some(mut line) = self.take_idle(origin) {
            match line.exchange(request).await {
                Ok(head) => return Ok(self.answer(head, line, origin)),
                // The upstream may have read it and be at work on it: a second one would be paid for twice.
                Err(why @ (Lost::Sent | Lost::Garbled)) => return Err(lost(why)),
                // The peer had closed the warm connection before our request left.
                Err(Lost::Unsent) => {}
            }
        }
        // The rare ways are kept apart: each request's future would be as large as the largest of them.
        let (way, tls) = Box::pin(self.open(origin)).await?;
        let mut answer = match way {
            Way::Alone(mut line) => match line.exchange(request).await {
                Ok(head) => self.answer(head, line, origin),
                Err(why) => return Err(lost(why)),
            },
            Way::Shared(stream) => match Box::pin(stream.exchange(target, request)).await {
                Ok(head) => self.answer_on(head, stream, origin),
                Err(why) => return Err(lost(why)),
            },
        };
        if let Some(tls) = tls {
            answer.extensions_mut().insert(Secured(tls));
        }
        Ok(answer)
    }

    fn answer(&self, head: Response<()>, line: Line, origin: &Origin) -> Response<UpstreamBody> {
        head.map(|()| UpstreamBody::new(line, origin.clone(), self.clone()))
    }

    fn answer_on(&self, head: Response<Incoming>, stream: Stream, origin: &Origin) -> Response<UpstreamBody> {
        let (parts, body) = head.into_parts();
        Response::from_parts(parts, UpstreamBody::on(body, stream, origin.clone(), self.clone()))
    }

    async fn open(&self, origin: &Origin) -> Result<(Way, Option<ProtocolVersion>), Unreached> {
        let limit = self.0.connect_limit;
        let late = || Unreached::ConnectLate { host: origin.host.to_string(), seconds: limit.as_secs_f64() };
        tokio::time::timeout(limit, self.connect(origin)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn connect(&self, origin: &Origin) -> Result<(Way, Option<ProtocolVersion>), Unreached> {
        // Looked at here alone: there is no open connection to ourselves that could be taken instead.
        if self.0.outward.is_ourselves(origin) {
            return Err(Unreached::Itself);
        }
        let no_http = |error| Unreached::Connect {
            at: Stage::Http,
            why: format!("{} does not speak HTTP: {error}", origin.host),
        };
        let may_share = origin.tls && self.0.outward.tls.offers_http2();
        let _turn = if may_share { self.0.trunks.turn(origin).await } else { None };
        if may_share && let Some(stream) = self.0.trunks.take(origin) {
            return Ok((Way::Shared(stream), None));
        }
        let open = self.0.outward.open(origin).await?;
        if open.is_http2 {
            let stream = self.0.trunks.begin(origin, open.io, &self.0.clock, &self.0.tasks).await;
            self.sweep_from_now_on(self.idle());
            return stream.map(|stream| (Way::Shared(stream), open.tls)).map_err(no_http);
        }
        if may_share {
            self.0.trunks.is_single(origin);
        }
        Ok((Way::Alone(Line::new(open.io)), open.tls))
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
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

    fn keep(&self, origin: Origin, mut line: Line) {
        let now = self.0.clock.instant();
        let mut idle = self.idle();
        let lines = idle.lines.entry(origin).or_default();
        if lines.len() < MAX_IDLE {
            line.rest();
            lines.push((line, now));
        }
        self.sweep_from_now_on(idle);
    }

    fn sweep_from_now_on(&self, mut idle: MutexGuard<'_, Idle>) {
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
                    () = pool.0.tasks.stopping() => {
                        pool.0.trunks.clear();
                        return pool.idle().lines.clear();
                    }
                }
                let now = pool.0.clock.instant();
                let has_trunks = pool.0.trunks.sweep(now, MAX_IDLE_AGE);
                let mut idle = pool.idle();
                for lines in idle.lines.values_mut() {
                    lines.retain_mut(|(line, since)| {
                        now.duration_since(*since) < MAX_IDLE_AGE && line.is_ready()
                    });
                }
                idle.lines.retain(|_, lines| !lines.is_empty());
                if idle.lines.is_empty() && !has_trunks {
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

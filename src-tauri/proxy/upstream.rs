//! Connections to upstreams, warm ones first. A connection is driven by whoever uses it, not by a task of
//! its own: polling the body polls the socket, so a burst of events costs no task switch each, a slow
//! client slows its own upstream alone, and dropping the body closes the connection at once.

use std::{
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::tls::TlsConnector;
use crate::{clock::Clock, settings::Limits, tasks::Tasks};

/// Idle connections kept for one origin; a further one is closed.
const MAX_IDLE: usize = 64;
/// An idle connection older than this is closed; servers commonly close theirs after a minute.
const MAX_IDLE_AGE: Duration = Duration::from_secs(50);
/// Pieces that have already arrived are handed on together up to this size.
const MERGE: usize = 32 * 1024;

/// Why no head came back. Each is a sentence and holds no credential.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unreached {
    #[error("{0}")]
    Connect(String),
    #[error("{host} did not accept a connection within {seconds:.0} s")]
    ConnectLate { host: String, seconds: f64 },
    #[error("{host} sent no answer within {seconds:.0} s")]
    HeadLate { host: String, seconds: f64 },
    #[error("{host} closed the connection before it answered")]
    Closed { host: String },
    #[error("the address {0} can't be used")]
    Address(String),
}

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
}

#[derive(Default)]
struct Idle {
    lines: HashMap<Origin, Vec<(Line, Instant)>>,
    has_sweeper: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Origin {
    tls: bool,
    host: Arc<str>,
    port: u16,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

type Connection = http1::Connection<TokioIo<Box<dyn Io>>, Full<Bytes>>;

/// A request that got no head: it left this machine, or it did not.
enum Lost {
    Sent,
    Unsent,
}

/// One connection with both its ends: the one that sends and the one that has to be polled.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    drive: Pin<Box<Connection>>,
    is_over: bool,
}

impl Upstreams {
    /// An empty pool.
    pub fn new(tls: TlsConnector, limits: &Limits, clock: Clock, tasks: Tasks) -> Self {
        Self(Arc::new(Pool {
            idle: Mutex::default(),
            tls,
            connect_limit: limits.connect(),
            head_limit: limits.head(),
            clock,
            tasks,
        }))
    }

    /// Sends a request whose `Uri` is absolute and waits for the head of the answer.
    ///
    /// # Errors
    /// [`Unreached`] if there is no head, for whatever reason.
    pub async fn send(
        &self,
        uri: &Uri,
        request: &Request<Bytes>,
    ) -> Result<Response<UpstreamBody>, Unreached> {
        let origin = Origin::of(uri).ok_or_else(|| Unreached::Address(uri.to_string()))?;
        let late =
            Unreached::HeadLate { host: origin.host.to_string(), seconds: self.0.head_limit.as_secs_f64() };
        tokio::time::timeout(self.0.head_limit, self.try_send(origin, request)).await.unwrap_or(Err(late))
    }

    async fn try_send(
        &self,
        origin: Origin,
        request: &Request<Bytes>,
    ) -> Result<Response<UpstreamBody>, Unreached> {
        let closed = || Unreached::Closed { host: origin.host.to_string() };
        if let Some(mut line) = self.take_idle(&origin) {
            match line.exchange(request).await {
                Ok(head) => return Ok(self.answer(head, line, origin)),
                // The upstream may have read it and be at work on it: a second one would be paid for twice.
                Err(Lost::Sent) => return Err(closed()),
                // The peer had closed the warm connection before our request left.
                Err(Lost::Unsent) => {}
            }
        }
        let mut line = self.open(&origin).await?;
        match line.exchange(request).await {
            Ok(head) => Ok(self.answer(head, line, origin)),
            Err(_) => Err(closed()),
        }
    }

    fn answer(&self, head: Response<Incoming>, line: Line, origin: Origin) -> Response<UpstreamBody> {
        let (parts, body) = head.into_parts();
        let mut body =
            UpstreamBody { body, line: Some(line), origin, pool: self.clone(), failed: None, ended: false };
        if body.body.is_end_stream() {
            body.end();
        }
        Response::from_parts(parts, body)
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
        Ok(Line { sender, drive: Box::pin(drive), is_over: false })
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

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self { tls, host: uri.host()?.into(), port })
    }
}

impl Line {
    /// Sends one request and drives the connection until the head of its answer is there.
    async fn exchange(&mut self, request: &Request<Bytes>) -> Result<Response<Incoming>, Lost> {
        let mut copy = Request::new(Full::new(request.body().clone()));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        let answer = self.sender.try_send_request(copy);
        tokio::pin!(answer);
        let lost = |mut error: hyper::client::conn::TrySendError<_>| match error.take_message() {
            Some(_unsent) => Lost::Unsent,
            None => Lost::Sent,
        };
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            if !self.is_over && self.drive.as_mut().poll(cx).is_ready() {
                self.is_over = true;
            }
            // Driving may have brought the head, or the reason why there will be none.
            answer.as_mut().poll(cx)
        })
        .await
        .map_err(lost)
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_over && self.drive.as_mut().poll(cx).is_ready() {
            self.is_over = true;
        }
    }

    /// Whether it can carry another request: looks at the socket, for nobody has watched it.
    fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }
}

/// The body of an upstream's answer, which drives its connection and gives it back when it has ended.
pub struct UpstreamBody {
    body: Incoming,
    line: Option<Line>,
    origin: Origin,
    pool: Upstreams,
    failed: Option<hyper::Error>,
    ended: bool,
}

impl UpstreamBody {
    /// Whether the whole body has been read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn end(&mut self) {
        self.ended = true;
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

/// Pieces that were there at the same moment; a single one is not copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    all: BytesMut,
}

impl Gathered {
    fn add(&mut self, data: Bytes) {
        if self.is_empty() {
            self.first = data;
        } else {
            if self.all.is_empty() {
                self.all.extend_from_slice(&self.first);
            }
            self.all.extend_from_slice(&data);
        }
    }

    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

//! The load: kinds of requests with what each must come to, and the workers that ask them again and again.
//! Each request has a name of its own, by which its record is found afterwards.

use std::{
    io,
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use headgate::{clock::Clock, domain::Ending};
use http::{Method, Request};
use http_body_util::Full;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use crate::{
    line::{Heard, Line},
    prompts,
    told::Told,
    upstream::{NAME, PLAY, Upstream},
};

/// A kind of request.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// In the table and in the names of its requests.
    pub name: &'static str,
    /// The word for what the upstream does.
    play: &'static str,
    body: Body,
    workers: usize,
    /// From one request of a worker to its next one; zero asks at once.
    every: Duration,
    client: Client,
    /// What it may come to, as the client sees it and as it has to be written down.
    pub outcomes: &'static [Outcome],
}

/// A status, whether the body came to its end, and the ending that its record has then.
pub type Outcome = (u16, bool, Ending);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Small,
    Stream,
    Large,
    TooLarge,
}

/// How the client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Hears the answer to its end.
    Stays,
    /// Leaves after the first piece of the answer.
    LeavesWithin,
    /// Leaves once its request has reached the upstream, which never answers.
    LeavesBefore,
    /// Leaves in the middle of its own request, so that there may be a record or none.
    LeavesAsking,
}

/// Limits that the bodies and the faults of the mixture are made for.
pub const SETTINGS: &str = "[limits]
body_bytes = 4194304
concurrent_requests = 32
requests_per_account = 10
wait_seconds = 120.0
idle_seconds = 2.0
head_seconds = 4.0
";
const TOO_LARGE: usize = 4_500_000;

const COMPLETE: &[Outcome] = &[(200, true, Ending::Complete)];
const CUT: &[Outcome] = &[(200, false, Ending::UpstreamCut)];
/// A reset may overtake the head; then every account fails, and the client is told so.
const RESET: &[Outcome] = &[(200, false, Ending::UpstreamCut), (502, true, Ending::UpstreamError)];
const OVERLOADED: &[Outcome] = &[(529, true, Ending::UpstreamError)];
/// A stream ends with an error event, anything else is cut.
const STALLED: &[Outcome] = &[(200, true, Ending::UpstreamStalled)];
const HALF: &[Outcome] = &[(200, false, Ending::UpstreamStalled)];
const REFUSED: &[Outcome] = &[(413, true, Ending::Refused)];
const LEFT: &[Outcome] = &[(200, true, Ending::ClientLeft)];

/// The mixture.
pub const KINDS: [Kind; 17] = [
    kind("json", "json", Body::Small, 4, 0, COMPLETE),
    kind("burst", "burst", Body::Stream, 3, 0, COMPLETE),
    kind("slow", "slow", Body::Stream, 16, 0, COMPLETE),
    kind("large", "json", Body::Large, 2, 50, COMPLETE),
    kind("too large", "json", Body::TooLarge, 1, 500, REFUSED),
    kind("throttled", "shaky-throttled", Body::Small, 1, 2_500, COMPLETE),
    kind("failed over", "shaky-overloaded", Body::Small, 1, 20, COMPLETE),
    kind("reset early", "shaky-reset", Body::Stream, 1, 20, COMPLETE),
    kind("late", "shaky-late", Body::Small, 2, 0, COMPLETE),
    kind("overloaded", "overloaded", Body::Stream, 1, 50, OVERLOADED),
    kind("cut", "cut", Body::Stream, 1, 10, CUT),
    kind("reset", "reset", Body::Stream, 1, 10, RESET),
    kind("stalled", "stalled", Body::Stream, 3, 0, STALLED),
    kind("half", "half", Body::Small, 1, 0, HALF),
    kind("left within", "slow", Body::Stream, 2, 10, LEFT).with(Client::LeavesWithin),
    kind("left before", "silent", Body::Stream, 2, 10, LEFT).with(Client::LeavesBefore),
    kind("left asking", "json", Body::Large, 1, 50, LEFT).with(Client::LeavesAsking),
];

const fn kind(
    name: &'static str,
    play: &'static str,
    body: Body,
    workers: usize,
    every_ms: u64,
    outcomes: &'static [Outcome],
) -> Kind {
    let every = Duration::from_millis(every_ms);
    Kind { name, play, body, workers, every, client: Client::Stays, outcomes }
}

impl Kind {
    const fn with(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    /// Whether its record bears its name: not where the request never arrived whole.
    pub fn is_named(&self) -> bool {
        self.body != Body::TooLarge && self.client != Client::LeavesAsking
    }

    /// Whether the client sent all of it.
    pub fn is_sent_whole(&self) -> bool {
        self.client != Client::LeavesAsking
    }
}

/// Everything that workers share.
pub struct Load {
    /// Where Headgate is.
    pub headgate: SocketAddr,
    /// What stands behind it.
    pub upstream: Upstream,
    /// What the clients were told.
    pub told: Told,
    /// The time.
    pub clock: Clock,
    bodies: [(Body, Bytes); 4],
    /// How many of each kind were begun.
    begun: [AtomicUsize; KINDS.len()],
}

impl Load {
    /// Nothing has been asked yet.
    pub fn new(headgate: SocketAddr, upstream: Upstream, clock: Clock) -> Self {
        let bodies = [
            (Body::Small, prompts::of_size(600, false)),
            (Body::Stream, prompts::of_size(2_000, true)),
            (Body::Large, prompts::of_size(500_000, false)),
            (Body::TooLarge, vec![b' '; TOO_LARGE].into()),
        ];
        Self { headgate, upstream, told: Told::default(), clock, bodies, begun: Default::default() }
    }

    /// Puts the whole mixture on Headgate until then; what has begun by then is heard to its end.
    pub fn start(self: &Arc<Self>, until: Instant) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        for (n, kind) in KINDS.iter().enumerate() {
            for _ in 0..kind.workers {
                workers.spawn(Arc::clone(self).work(n, kind, until));
            }
        }
        workers
    }

    async fn work(self: Arc<Self>, n: usize, kind: &'static Kind, until: Instant) {
        let mut turns = (!kind.every.is_zero()).then(|| tokio::time::interval(kind.every));
        let mut line = None;
        while self.clock.instant() < until {
            if let Some(turns) = &mut turns {
                turns.tick().await;
            }
            let number = self.begun[n].fetch_add(1, Ordering::Relaxed);
            let done = match kind.client {
                Client::LeavesAsking => self.break_off(kind, number).await,
                Client::LeavesBefore => self.leave_before(kind, number).await,
                Client::Stays | Client::LeavesWithin => self.hear(kind, number, &mut line).await,
            };
            match done {
                Ok((status, is_whole)) => self.told.tell(n, number, status, is_whole),
                Err(error) => self.told.surprise(n, &format!("number {number}: {error}")),
            }
        }
    }

    /// Asks on a warm connection, where there is one, and keeps it for the next time.
    async fn hear(&self, kind: &Kind, number: usize, kept: &mut Option<Line>) -> io::Result<(u16, bool)> {
        let mut line = match kept.take() {
            Some(line) => line,
            None => Line::open(self.headgate).await?,
        };
        line.ready().await?;
        let leaves = kind.client == Client::LeavesWithin;
        let hear = |_: &[u8]| if leaves { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let Heard { status, end } = line.exchange(self.request(kind, number), hear).await?;
        *kept = (end.is_ok() && !leaves).then_some(line);
        Ok((status.as_u16(), end.is_ok()))
    }

    /// Hangs up once the upstream has the request.
    async fn leave_before(&self, kind: &Kind, number: usize) -> io::Result<(u16, bool)> {
        let arrival = self.upstream.arrival(&name(kind, number));
        let mut line = Line::open(self.headgate).await?;
        line.ready().await?;
        tokio::select! {
            answered = line.exchange(self.request(kind, number), |_| ControlFlow::Continue(())) => {
                let status = answered?.status;
                Err(io::Error::other(format!("answered {status}, where nobody answers")))
            }
            // Nothing was heard; the outcome stands in the table as if it had been well.
            arrived = arrival => arrived.map(|()| (200, true)).map_err(io::Error::other),
        }
    }

    /// Sends half of a body and hangs up.
    async fn break_off(&self, kind: &Kind, number: usize) -> io::Result<(u16, bool)> {
        let mut socket = TcpStream::connect(self.headgate).await?;
        let (name, body) = (name(kind, number), self.body(kind));
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{NAME}: {name}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(&body[..body.len() / 2]).await?;
        Ok((200, true))
    }

    fn request(&self, kind: &Kind, number: usize) -> Request<Full<Bytes>> {
        Request::builder()
            .method(Method::POST)
            .uri("/v1/messages?beta=true")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("user-agent", "claude-cli/2.1.330 (external, cli)")
            .header("anthropic-version", "2023-06-01")
            .header("authorization", "Bearer none")
            .header(NAME, name(kind, number))
            .header(PLAY, kind.play)
            .body(Full::new(self.body(kind)))
            .expect("these are headers")
    }

    fn body(&self, kind: &Kind) -> Bytes {
        let found = self.bodies.iter().find(|(of, _)| *of == kind.body);
        found.map(|(_, body)| body.clone()).unwrap_or_default()
    }
}

fn name(kind: &Kind, number: usize) -> String {
    format!("soak/{}/{number}", kind.name)
}

/// Which request has this name: its kind's place in [`KINDS`], and its number.
pub fn named(name: &str) -> Option<(usize, usize)> {
    let (kind, number) = name.strip_prefix("soak/")?.split_once('/')?;
    let at = KINDS.iter().position(|of| of.name == kind)?;
    Some((at, number.parse().ok()?))
}

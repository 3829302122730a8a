//! What is measured: each scenario puts one kind of load on one way to the upstream and says what it saw.
//! Bounded by a time or a count; the first answer that is not as it should be ends the bench.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use headgate::clock::Clock;
use tokio::task::JoinSet;

use crate::{
    client::{Answer, Ask, since},
    line::Line,
    prompts,
    running::Running,
    upstream::Wish,
};

/// A way to the upstream.
pub struct Way<'a> {
    /// Where requests go.
    pub address: SocketAddr,
    /// The proxy in between, if there is one.
    pub proxy: Option<&'a Running>,
    /// The upstream itself.
    pub upstream: SocketAddr,
    /// The time.
    pub clock: &'a Clock,
}

/// One figure: its name, in its unit.
pub type Figure = (&'static str, f64);

/// Names of figures, as they stand in the table and in the budgets.
pub const RATE: &str = "requests/s";
pub const CPU: &str = "CPU µs per request";
pub const CONNECTS: &str = "new upstream connections";
pub const P50: &str = "p50 µs";
pub const FIRST_P50: &str = "first byte p50 µs";
pub const FIRST_P99: &str = "first byte p99 µs";
pub const DELAY_P50: &str = "event delay p50 µs";
pub const DELAY_P99: &str = "event delay p99 µs";
pub const RSS: &str = "RSS MiB";

/// A kind of load.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Short, for `--only` and the budgets.
    pub name: &'static str,
    /// For the table.
    pub title: &'static str,
    ask: Ask,
    load: Load,
}

#[derive(Debug, Clone, Copy)]
enum Load {
    /// So many clients, each asking again as soon as it has its answer, for a time.
    Busy { clients: usize, time: Duration },
    /// One client, so many requests one after the other.
    Alone { requests: usize },
    /// So many streams at once, begun over a time.
    Held { streams: usize, over: Duration },
}

/// All scenarios; `quick` makes them shorter, not smaller.
pub fn all(quick: bool) -> Vec<Scenario> {
    let small = prompts::of_size(600, true);
    let burst = Wish::Stream { events: 50, pause: Duration::ZERO };
    let paced = Wish::Stream { events: 40, pause: Duration::from_millis(50) };
    let slow = Wish::Stream { events: if quick { 4 } else { 8 }, pause: Duration::from_secs(1) };
    let busy = Load::Busy { clients: 16, time: Duration::from_millis(if quick { 1_000 } else { 3_000 }) };
    let alone = Load::Alone { requests: if quick { 500 } else { 2_000 } };
    let one = |name, title, body: &bytes::Bytes, wish, load| Scenario {
        name,
        title,
        ask: Ask::new(body.clone(), wish),
        load,
    };
    vec![
        one("json", "small JSON, 16 clients", &prompts::of_size(600, false), Wish::Json, busy),
        one("burst", "50 events at once, 16 clients", &small, burst, busy),
        one("burst-50k", "the same, 50 KB requests", &prompts::of_size(50_000, true), burst, busy),
        one("alone", "one at a time, small JSON", &prompts::of_size(600, false), Wish::Json, alone),
        one("alone-90k", "one at a time, 90 KB requests", &prompts::of_size(90_000, true), burst, alone),
        one(
            "paced",
            "300 streams, 40 events 50 ms apart",
            &small,
            paced,
            Load::Held { streams: 300, over: Duration::from_millis(500) },
        ),
        one(
            "held",
            "1,000 slow streams",
            &small,
            slow,
            Load::Held { streams: 1_000, over: Duration::from_secs(2) },
        ),
    ]
}

impl Scenario {
    /// Runs it once.
    pub async fn run(&self, way: &Way<'_>) -> io::Result<Vec<Figure>> {
        match self.load {
            Load::Busy { clients, time } => self.busy(way, clients, time).await,
            Load::Alone { requests } => self.alone(way, requests).await,
            Load::Held { streams, over } => self.held(way, streams, over).await,
        }
    }

    async fn busy(&self, way: &Way<'_>, clients: usize, time: Duration) -> io::Result<Vec<Figure>> {
        let connections = connections(way).await?;
        let before = way.cpu();
        let began = way.clock.instant();
        let mut running = JoinSet::new();
        for _ in 0..clients {
            let (ask, clock, address) = (self.ask.clone(), way.clock.clone(), way.address);
            running.spawn(async move {
                let mut line = Line::open(address).await?;
                let mut asked = 0_u32;
                while since(began, &clock) < time {
                    ask.ask(&mut line, &clock).await?;
                    asked += 1;
                }
                io::Result::Ok(asked)
            });
        }
        let mut asked = 0;
        while let Some(done) = running.join_next().await {
            asked += done.map_err(io::Error::other)??;
        }
        let took = since(began, way.clock);
        let opened = self::connections(way).await? - connections - 1.0;
        let mut figures = vec![(RATE, f64::from(asked) / took.as_secs_f64()), (CONNECTS, opened)];
        figures.extend(way.cpu_per(before, f64::from(asked)).await);
        Ok(figures)
    }

    async fn alone(&self, way: &Way<'_>, requests: usize) -> io::Result<Vec<Figure>> {
        let mut line = Line::open(way.address).await?;
        let mut took = Vec::with_capacity(requests);
        let mut first = Vec::with_capacity(requests);
        for _ in 0..requests {
            let answer = self.ask.ask(&mut line, way.clock).await?;
            took.push(micros(answer.took));
            first.push(micros(answer.first_byte));
        }
        Ok(vec![(P50, quantile(&mut took, 0.5)), (FIRST_P50, quantile(&mut first, 0.5))])
    }

    async fn held(&self, way: &Way<'_>, streams: usize, over: Duration) -> io::Result<Vec<Figure>> {
        let before = way.cpu();
        let mut running = JoinSet::new();
        let ask = Arc::new(self.ask.clone());
        let apart = over / u32::try_from(streams).map_err(io::Error::other)?;
        let mut turns = tokio::time::interval(apart);
        let mut rss = 0.0_f64;
        for _ in 0..streams {
            turns.tick().await;
            let (ask, clock, address) = (Arc::clone(&ask), way.clock.clone(), way.address);
            running.spawn(async move { ask.ask(&mut Line::open(address).await?, &clock).await });
        }
        if let Some(proxy) = way.proxy {
            rss = proxy.rss_mib();
        }
        let mut first = Vec::with_capacity(streams);
        let mut delays = Vec::new();
        while let Some(done) = running.join_next().await {
            let Answer { first_byte, delays: late, .. } = done.map_err(io::Error::other)??;
            first.push(micros(first_byte));
            delays.extend(late);
        }
        let mut figures = vec![
            (FIRST_P50, quantile(&mut first, 0.5)),
            (FIRST_P99, quantile(&mut first, 0.99)),
            (DELAY_P50, quantile(&mut delays, 0.5)),
            (DELAY_P99, quantile(&mut delays, 0.99)),
        ];
        if way.proxy.is_some() {
            figures.push((RSS, rss));
        }
        figures.extend(way.cpu_per(before, streams as f64).await);
        Ok(figures)
    }
}

impl Way<'_> {
    fn cpu(&self) -> Duration {
        self.proxy.map(Running::cpu).unwrap_or_default()
    }

    /// What the proxy has spent on each request since `before`, the group commit behind them included.
    async fn cpu_per(&self, before: Duration, requests: f64) -> Option<Figure> {
        let proxy = self.proxy?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((CPU, micros(proxy.cpu().saturating_sub(before)) / requests))
    }
}

/// How many connections the upstream has seen so far, this question's own included.
async fn connections(way: &Way<'_>) -> io::Result<f64> {
    let ask = Ask::new(bytes::Bytes::new(), Wish::Connections);
    let answer = ask.ask(&mut Line::open(way.upstream).await?, way.clock).await?;
    let count: f64 = String::from_utf8_lossy(&answer.text).parse().map_err(io::Error::other)?;
    Ok(count)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The value that a share of all others lies below; 0 of none.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the values")]
    let at = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(0.0)
}

//! The parts of the data plane that touch every request, each by itself: reading a request, hearing a
//! stream, choosing an account, writing an exchange down. `cargo bench --bench parts`

#[path = "common/accounts.rs"]
mod accounts;
mod prompts;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use accounts::{asked, contender, snapshot};
use bytes::{Bytes, BytesMut};
use divan::{Bencher, black_box, counter::BytesCount, counter::ItemsCount};
use headgate::{
    clock::Clock,
    domain::{
        AccountId, Ask, Attempt, Ending, Exchange, ExchangeId, ExchangeStart, Family, Need, Policy, Usage,
        Verdict, VerdictKind,
    },
    formats::{
        EventData, EventLines, RequestHead,
        http1::{Chunks, Framing},
    },
    metering::{Estimate, Tally},
    providers::Catalog,
    routing::{self, Affinities, Contender, Decision, Lesson, MOST_AFFINITIES, is_news},
    store::{Options, Store},
};
use http::HeaderMap;
use jiff::Timestamp;

fn main() {
    divan::main();
}

#[divan::bench(args = [600, 50_000, 90_000])]
fn request_head(bencher: Bencher, size: usize) {
    let body = prompts::of_size(size, true);
    bencher.counter(BytesCount::new(body.len())).bench(|| RequestHead::read(black_box(&body)));
}

/// As many tokens as tiktoken would count, and what is estimated of the rest.
#[divan::bench(args = [600, 90_000])]
fn estimate(bencher: Bencher, size: usize) {
    let body = prompts::of_size(size, true);
    let counter = BytesCount::new(body.len());
    bencher.counter(counter).bench(|| Estimate::of(black_box(&body), Some("claude-opus-5-5"), || false));
}

static STREAM: LazyLock<Bytes> = LazyLock::new(|| {
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" asked twice:\"}}\n\n";
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-opus-5-5\",\"usage\":{\"input_tokens\":12,\"output_tokens\":1}}}\n\n";
    let end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":55}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    format!("{start}{}{end}", delta.repeat(47)).into()
});

#[divan::bench]
fn event_lines_of_50_events(bencher: Bencher) {
    bencher.counter(BytesCount::new(STREAM.len())).bench(|| {
        let mut heard = 0_usize;
        EventLines::default().feed(
            black_box(&STREAM),
            |_| true,
            |name, data| {
                heard += name.len() + usize::from(data == EventData::Unwanted);
            },
        );
        heard
    });
}

/// As a burst comes off the wire, each event a chunk of its own; the buffer's copy counts in.
#[divan::bench]
fn chunks_of_50_events(bencher: Bencher) {
    let mut wire = Vec::new();
    for event in STREAM.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>().chunks(3) {
        let event = event.concat();
        wire.extend_from_slice(format!("{:x}\r\n", event.len()).as_bytes());
        wire.extend_from_slice(&event);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    bencher.counter(BytesCount::new(wire.len())).bench(|| {
        let mut wire = BytesMut::from(black_box(&wire[..]));
        Framing::Chunked(Chunks::default()).take(&mut wire, usize::MAX)
    });
}

/// In pieces of this size, as they come off the wire.
#[divan::bench(args = [128, 1_500, 32_768])]
fn tally_of_50_events(bencher: Bencher, piece: usize) {
    bencher.counter(BytesCount::new(STREAM.len())).bench(|| {
        let mut tally = Tally::new(Some(b"text/event-stream"), None);
        for piece in STREAM.chunks(piece) {
            tally.hear(black_box(piece));
        }
        tally.heard()
    });
}

/// The windows of a reply's head: of a subscription, of an API key, and of one that states none.
#[divan::bench(args = ["subscription", "key", "none"])]
fn windows_of_a_head(bencher: Bencher, kind: &str) {
    let catalog = Catalog::built_in();
    let provider = catalog.get("anthropic-compatible").expect("it is in the catalog");
    let (headers, now) = (head(kind), Clock::system().now());
    let need = opus();
    bencher.bench(|| catalog.windows(&provider, black_box(&headers), need, now));
}

/// Whether a reply that only repeats what is known says anything new.
#[divan::bench]
fn windows_that_are_known(bencher: Bencher) {
    let catalog = Catalog::built_in();
    let provider = catalog.get("anthropic").expect("it is in the catalog");
    let (now, need) = (Clock::system().now(), opus());
    let windows = catalog.windows(&provider, &head("subscription"), need, now);
    let known = Contender { windows: windows.clone(), ..contender(1, now) };
    let lesson = Lesson { verdict: Some(&Verdict::Fine), windows: &windows, need };
    bencher.bench(|| is_news(black_box(&known), &lesson, now));
}

fn opus() -> Need {
    Some(Family::Opus).into()
}

/// As Anthropic's replies come, other headers included.
fn head(kind: &str) -> HeaderMap {
    let reset = (Clock::system().now().as_second() + 3600).to_string();
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        headers.insert(name, value.parse().expect("it is a header"));
    };
    for name in [
        "date",
        "content-type",
        "transfer-encoding",
        "connection",
        "cf-ray",
        "cf-cache-status",
        "server",
        "via",
        "vary",
        "request-id",
        "anthropic-organization-id",
        "strict-transport-security",
        "x-envoy-upstream-service-time",
    ] {
        put(name, "something that stands there");
    }
    if kind == "subscription" {
        for (name, value) in [
            ("anthropic-ratelimit-unified-status", "allowed"),
            ("anthropic-ratelimit-unified-reset", &*reset),
            ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
            ("anthropic-ratelimit-unified-fallback-percentage", "0.5"),
            ("anthropic-ratelimit-unified-5h-status", "allowed"),
            ("anthropic-ratelimit-unified-5h-reset", &*reset),
            ("anthropic-ratelimit-unified-5h-utilization", "0.42"),
            ("anthropic-ratelimit-unified-7d-status", "allowed"),
            ("anthropic-ratelimit-unified-7d-reset", &*reset),
            ("anthropic-ratelimit-unified-7d-utilization", "0.12"),
        ] {
            put(name, value);
        }
    }
    if kind == "key" {
        for (limit, remaining, reset) in [
            (
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
            ),
            (
                "anthropic-ratelimit-tokens-limit",
                "anthropic-ratelimit-tokens-remaining",
                "anthropic-ratelimit-tokens-reset",
            ),
            (
                "anthropic-ratelimit-input-tokens-limit",
                "anthropic-ratelimit-input-tokens-remaining",
                "anthropic-ratelimit-input-tokens-reset",
            ),
            (
                "anthropic-ratelimit-output-tokens-limit",
                "anthropic-ratelimit-output-tokens-remaining",
                "anthropic-ratelimit-output-tokens-reset",
            ),
        ] {
            put(limit, "50000");
            put(remaining, "41000");
            put(reset, "2026-11-23T12:00:59Z");
        }
    }
    headers
}

/// Accounts with six windows each. For 200 of them 5 µs are the budget.
#[divan::bench(args = [1, 10, 200])]
fn pick(bencher: Bencher, accounts: i64) {
    pick_by(bencher, Policy::Priority, accounts);
}

#[divan::bench(args = Policy::ALL)]
fn pick_of_200_by(bencher: Bencher, policy: Policy) {
    pick_by(bencher, policy, 200);
}

fn pick_by(bencher: Bencher, policy: Policy, accounts: i64) {
    let now = Clock::system().now();
    let snapshot = snapshot(policy, accounts, now);
    let ask = asked(0);
    bencher.bench(|| routing::pick(black_box(&ask), &snapshot, None, &[], now));
}

/// A turn of one of 10,000 conversations that are bound: looked up, decided, noted, and its cache noted.
#[divan::bench]
fn turn_of_10_000_conversations(bencher: Bencher) {
    let now = Clock::system().now();
    let snapshot = snapshot(Policy::Priority, 10, now);
    let affinities = Affinities::default();
    let turn = |ask: &Ask| {
        let conversation = ask.conversation().expect("it names its session");
        let bound = affinities.of(&conversation, now);
        let Decision::Take(pick) = routing::pick(ask, &snapshot, bound.as_ref(), &[], now) else { return };
        let (id, family) = (pick.contender.account.id, ask.family());
        affinities.served(&conversation, &pick, family, now);
        affinities.cached(&conversation, id, family, 50_000, Some(Duration::from_mins(5)), now);
    };
    let asks: Vec<Ask> = (0..MOST_AFFINITIES).map(asked).collect();
    asks.iter().for_each(turn);
    let mut next = asks.iter().cycle();
    bencher.bench_local(|| next.next().map(turn));
}

/// The whole record of a decision among 200 accounts, for whoever reads it.
#[divan::bench]
fn explain_200(bencher: Bencher) {
    let now = Clock::system().now();
    let (snapshot, ask) = (snapshot(Policy::Priority, 200, now), asked(0));
    bencher.bench(|| routing::explain(black_box(&ask), &snapshot, None, &[], now));
}

/// Beginning and end of a thousand exchanges, in one group commit or in several; divide by a thousand.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn record_1000_exchanges(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store =
        Store::open(&folder.path().join("bench.db"), Options::default()).expect("the folder is empty");
    let now = Clock::system().now();
    let mut id = ExchangeId(0);
    bencher.counter(ItemsCount::new(1000_usize)).bench_local(|| {
        for _ in 0..1000 {
            id = ExchangeId::after(id, now.as_millisecond());
            let exchange = exchange(id, now);
            store.begin(exchange.start.clone());
            store.finish(Arc::new(exchange), None);
        }
        store.flush()
    });
}

fn exchange(id: ExchangeId, now: Timestamp) -> Exchange {
    let ask = Ask {
        model: Some("claude-opus-5-5".into()),
        session: Some("5d2c7a1e-0000-4000-8000-000000000001".into()),
        agent: None,
        client: Some("claude-cli/2.1.330 (external, cli)".into()),
        stream: true,
        bytes: 50_000,
        ..Ask::default()
    };
    let (method, path) = ("POST".into(), "/v1/messages".into());
    let start = ExchangeStart { id, started_at: now, method, path, ask, key: None };
    let ms = Duration::from_millis;
    Exchange {
        ending: Some(Ending::Complete),
        status: Some(200),
        account: Some(AccountId(1)),
        served_model: Some("claude-opus-5-5".into()),
        usage: Usage {
            input: Some(12),
            output: Some(55),
            cache_read: Some(9000),
            cache_write: Some(40),
            ..Usage::default()
        },
        cost: None,
        first_byte: Some(ms(400)),
        duration: Some(ms(5_000)),
        attempts: vec![Attempt {
            account: AccountId(1),
            status: Some(200),
            verdict: VerdictKind::Fine,
            error: None,
            began: ms(1),
            took: ms(399),
        }],
        ..Exchange::open(start)
    }
}

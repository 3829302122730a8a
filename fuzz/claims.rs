//! What holds for any bytes at all. The fuzz targets look for bytes that break a claim; the main package's
//! tests make the same claims for every seed and every find that is kept.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use headgate::{
    domain::{Family, Verdict},
    formats::{
        EventData, EventLines, Fields, RequestHead, StreamEvent,
        http1::{Framing, Names, read_head},
        splice_model,
    },
    metering::Tally,
    providers::{Catalog, Reply, retry_after},
    proxy::{climbs, is_crooked, is_meant_for_us},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};

/// The first byte says how a stream is torn; the events, and what is made of them, are those of the whole.
pub fn sse(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let size = usize::from(cut % 32) + 1;
    let torn: Vec<&[u8]> = stream.chunks(size).collect();
    assert_eq!(events(&[stream]), events(&torn), "torn into pieces of {size}");
    let tally = |pieces: &[&[u8]]| {
        let mut tally = Tally::new(Some(b"text/event-stream"), None);
        for piece in pieces {
            tally.hear(piece);
        }
        (tally.heard(), tally.lacks_only_its_stop())
    };
    assert_eq!(tally(&[stream]), tally(&torn), "torn into pieces of {size}");
}

type Heard = (Vec<(Vec<u8>, StreamEvent)>, &'static [u8]);

fn events(pieces: &[&[u8]]) -> Heard {
    let mut lines = EventLines::default();
    let mut heard = Vec::new();
    for piece in pieces {
        lines.feed(piece, StreamEvent::is_worth_reading, |name, data| {
            if let EventData::Unwanted = data {
                assert!(!StreamEvent::is_worth_reading(name) && !name.is_empty());
            }
            heard.push((name.to_vec(), StreamEvent::of(name, data)));
        });
    }
    (heard, lines.ending())
}

/// A body that is an object with a model says the new model afterwards, in the same places, and the same
/// bytes everywhere else.
pub fn splice(bytes: &[u8]) {
    const MODEL: &str = "a \"model\" of another name";
    let body = Bytes::copy_from_slice(bytes);
    let Ok(spliced) = splice_model(&body, MODEL) else { return };
    let places = |body: &[u8]| {
        let fields = Fields::read(["model"], body).expect("a spliced body is one object");
        let mut places = fields.every_span(0).expect("as often as before");
        places.sort_unstable_by_key(|place| place.start);
        places
    };
    let outside = |body: &[u8]| {
        let mut kept = Vec::new();
        let mut from = 0;
        for place in places(body) {
            kept.push(body[from..usize::try_from(place.start).unwrap()].to_vec());
            from = usize::try_from(place.end).unwrap();
        }
        kept.push(body[from..].to_vec());
        kept
    };
    assert_eq!(outside(&body), outside(&spliced), "the bytes around each model stay");
    let head = RequestHead::read(&spliced).expect("a spliced body is one object");
    assert_eq!(head.model.as_deref(), Some(MODEL));
    if let Ok(mut wanted) = serde_json::from_slice::<serde_json::Value>(&body) {
        wanted["model"] = MODEL.into();
        let is = serde_json::from_slice::<serde_json::Value>(&spliced).expect("what was JSON stays JSON");
        assert_eq!(is, wanted);
    }
}

/// Where a parser finds a model, so do we; and a path that reaches a credential resolves to itself.
pub fn head(bytes: &[u8]) {
    let head = RequestHead::read(bytes);
    let parsed = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes);
    // A longer body may hold a field that is too long to be read.
    if let Some(parsed) = parsed.ok().filter(|_| bytes.len() < 4096) {
        let head = head.expect("what a parser takes for an object is one");
        let model = parsed.get("model").and_then(|model| model.as_str());
        assert_eq!(head.model.as_deref(), model.filter(|model| model.len() <= 256));
        assert_eq!(head.stream, parsed.get("stream") == Some(&true.into()));
    }
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let Ok(path) = std::str::from_utf8(lines.next().unwrap_or_default()) else { return };
    let Ok(uri) = path.parse::<Uri>() else { return };
    if !climbs(uri.path()) {
        assert!(!uri.path().split('/').any(|part| part == ".." || part == "."), "{path:?} climbs");
    }
    if !is_crooked(uri.path()) {
        assert!(!uri.path().contains("//") && !uri.path().contains('\\'), "{path:?} is crooked");
    }
    let mut headers = HeaderMap::new();
    for (name, value) in [http::header::HOST, http::header::ORIGIN].into_iter().zip(lines) {
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.insert(name, value);
    }
    for (is_tls, scheme) in [(false, "http://"), (true, "https://")] {
        if is_meant_for_us(&uri, &headers, is_tls, |host| host == "localhost") {
            let origin = headers.get(http::header::ORIGIN).map(HeaderValue::as_bytes);
            let ours = format!("{scheme}localhost");
            assert!(origin.is_none_or(|origin| is_below(origin, ours.as_bytes())), "{origin:?}");
        }
    }
}

fn is_below(origin: &[u8], ours: &[u8]) -> bool {
    let (start, rest) = origin.split_at(origin.len().min(ours.len()));
    start.eq_ignore_ascii_case(ours) && (rest.is_empty() || rest[0] == b':')
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

/// Any head and any body have a verdict, and nothing in it lies further ahead than we believe.
pub fn verdicts(bytes: &[u8]) {
    const MONTHS: SignedDuration = SignedDuration::from_hours(24 * 367);
    let now = Timestamp::from_second(1_795_000_000).expect("a moment in 2026");
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (head, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok());
    let status = status.unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    assert!(retry_after(&headers, now).is_none_or(|pause| pause.as_secs() <= 24 * 3600 * 31));
    for provider in CATALOG.iter() {
        for family in [None, Some(Family::Opus)] {
            let windows = CATALOG.windows(provider, &headers, family.into(), now);
            for window in &windows {
                assert!(window.utilization.is_none_or(|used| (0.0..=100.0).contains(&used)), "{window:?}");
                assert!(
                    window.resets_at.is_none_or(|reset| reset.duration_since(now) <= MONTHS),
                    "{window:?}"
                );
            }
            let reply = Reply { status, headers: &headers, body, windows: &windows, family };
            let until = match CATALOG.verdict(provider, &reply, now) {
                Verdict::Throttled { retry_after } => {
                    assert!(retry_after.is_none_or(|pause| pause.as_secs() <= 24 * 3600 * 31));
                    None
                }
                Verdict::QuotaSpent { until, .. } => until,
                Verdict::ExtraUsageSpent { until, .. } => Some(until),
                Verdict::Fine => {
                    assert!(status.as_u16() < 400, "{status} is fine");
                    None
                }
                _ => None,
            };
            assert!(until.is_none_or(|until| until.duration_since(now) <= MONTHS), "{until:?}");
        }
    }
}

/// The first byte says how an upstream's answer is torn; its head, its body and what is left behind it are those of
/// the whole, and no byte is there twice.
pub fn answer(bytes: &[u8]) {
    let Some((&cut, wire)) = bytes.split_first() else { return };
    let size = usize::from(cut % 32) + 1;
    let whole = answer_in(&[wire]);
    let torn: Vec<&[u8]> = wire.chunks(size).collect();
    assert_eq!(whole, answer_in(&torn), "torn into pieces of {size}");
    if let Some((_, body, rest, _)) = whole {
        assert!(body.len() + rest.len() < wire.len());
    }
}

type Answer = (String, Vec<u8>, Vec<u8>, bool);

/// Head, body, what is left, and whether the body has come to its end; `None` where it is refused.
fn answer_in(pieces: &[&[u8]]) -> Option<Answer> {
    let (mut arrived, mut body) = (BytesMut::new(), Vec::new());
    let mut names = Names::default();
    let mut read: Option<(String, Framing)> = None;
    for piece in pieces {
        arrived.extend_from_slice(piece);
        if read.is_none() {
            let head = read_head(&mut arrived, &Method::POST, &mut names).ok()?;
            read = head.map(|head| (format!("{:?} {}", head.parts, head.may_stay), head.framing));
        }
        let Some((_, framing)) = &mut read else { continue };
        loop {
            let taken = framing.take(&mut arrived, 64).ok()?;
            if taken.is_empty() {
                break;
            }
            body.extend_from_slice(&taken);
        }
    }
    let (head, framing) = read?;
    let is_over = framing.is_over();
    // Of a piece that has only begun, more or less of its length may have been read.
    let rest = if is_over { arrived.to_vec() } else { Vec::new() };
    Some((head, body, rest, is_over))
}

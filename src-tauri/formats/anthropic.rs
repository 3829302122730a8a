//! What we read of Anthropic's Messages API: a few fields of a request, the events and the usage of a
//! reply, and the shape of an error. Source: Anthropic's public API reference.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{EventData, Fields, Malformed};
use crate::domain::Usage;

/// The longest model name or metadata that is read; longer ones are passed on unread.
const MAX_FIELD: usize = 4 * 1024;
/// The longest name of a session, quotes included, as it stands in the bytes.
const MAX_SESSION: usize = 256;
/// No answer has more tokens; a larger count is a mistake, and would use up whatever is bounded by it.
const MOST_TOKENS: u64 = 1_000_000_000;
/// The longest name that a model can have; a longer one is no name.
const MAX_MODEL: usize = 256;

/// The few fields of a request that decide who serves it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestHead<'a> {
    /// `model`, where it is a string.
    pub model: Option<Arc<str>>,
    /// Parsers may differ in which model that is: it stands twice, or as `Model` as well.
    pub is_model_ambiguous: bool,
    /// `stream`.
    pub stream: bool,
    /// `system`, as it stands in the bytes.
    pub system: Option<&'a [u8]>,
    /// `tools`, as it stands in the bytes.
    pub tools: Option<&'a [u8]>,
    metadata: Option<&'a [u8]>,
}

impl<'a> RequestHead<'a> {
    /// Reads them out of a whole body.
    ///
    /// # Errors
    /// `Malformed` if the body is not one JSON object.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let fields = Fields::read(["model", "stream", "metadata", "system", "tools"], body)?;
        let [model, stream, metadata, system, tools] = fields.values_in(body);
        Ok(Self {
            model: model.and_then(model_of),
            is_model_ambiguous: fields.is_ambiguous(0),
            stream: stream == Some(b"true"),
            system,
            tools,
            metadata,
        })
    }

    /// `session_id` inside the JSON string `metadata.user_id`, as Claude Code sends it. Read only when asked
    /// for, since most requests have it in a header as well.
    pub fn session(&self) -> Option<Arc<str>> {
        let [user] =
            Fields::values(["user_id"], self.metadata.filter(|metadata| is_short(metadata))?).ok()?;
        let user = text(user?)?;
        let [session] = Fields::values(["session_id"], user.as_bytes()).ok()?;
        let session = text(session.filter(|session| session.len() <= MAX_SESSION)?)?;
        (!session.is_empty()).then(|| session.as_ref().into())
    }
}

fn is_short(value: &[u8]) -> bool {
    value.len() <= MAX_FIELD
}

/// A JSON text. What has no escapes in it is not copied.
fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    if value.first() != Some(&b'"') {
        return None;
    }
    if !value.contains(&b'\\') {
        return serde_json::from_slice::<&str>(value).map(Cow::Borrowed).ok();
    }
    serde_json::from_slice::<String>(value).map(Cow::Owned).ok()
}

/// The events of a stream, with what of them is read.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// `message_start`: the input side of the usage, and the model that serves.
    Start { usage: Usage, model: Option<Arc<str>> },
    /// `content_block_start`.
    BlockStart,
    /// `content_block_delta`, of which nothing is read.
    BlockDelta,
    /// `content_block_stop`.
    BlockStop,
    /// `message_delta`: the cumulative output side; may correct the rest. `stops` where it says why the model
    /// stopped.
    Delta { usage: Usage, stops: bool },
    /// `message_stop`: the one proper end.
    Stop,
    /// `ping`.
    Ping,
    /// `error`: the upstream gave up inside a stream that began well.
    Error { kind: Arc<str>, message: Arc<str> },
    /// One that we do not know.
    Other,
    /// One whose data is no JSON, or too large to be read.
    Unreadable,
}

impl StreamEvent {
    /// Whether an event with this name on its event line needs to be read.
    pub fn is_worth_reading(name: &[u8]) -> bool {
        matches!(name, b"message_start" | b"message_delta" | b"message_stop" | b"error")
    }

    /// Makes an event out of its name and what was kept of its data.
    pub fn of(name: &[u8], data: EventData<'_>) -> Self {
        match data {
            EventData::Unwanted => Self::named(name),
            EventData::Whole(data) => Self::read(name, data),
            EventData::Oversized => Self::Unreadable,
        }
    }

    fn named(name: &[u8]) -> Self {
        match name {
            b"content_block_start" => Self::BlockStart,
            b"content_block_delta" => Self::BlockDelta,
            b"content_block_stop" => Self::BlockStop,
            b"ping" => Self::Ping,
            _ => Self::Other,
        }
    }

    /// Reads one event. The type may stand on the event line, in the data, or in both.
    fn read(name: &[u8], data: &[u8]) -> Self {
        // What is damaged anywhere says nothing, though its fields could be found.
        let is_readable = is_json(data);
        let fields = Fields::values(["type", "message", "delta", "usage"], data).ok();
        let [kind, message, delta, usage] = fields.filter(|_| is_readable).unwrap_or_default();
        let kind = kind.and_then(text);
        let kind = kind.as_deref().map_or(name, str::as_bytes);
        if name == b"error" || kind == b"error" {
            let (kind, message) = error_in(data).unwrap_or_else(|| ("api_error".into(), "".into()));
            return Self::Error { kind, message };
        }
        match kind {
            b"message_stop" => Self::Stop,
            _ if !is_readable => Self::Unreadable,
            b"message_start" => {
                let message = message.and_then(|message| Fields::values(["model", "usage"], message).ok());
                let [model, usage] = message.unwrap_or_default();
                Self::Start { usage: usage_told(usage), model: model.and_then(model_of) }
            }
            b"message_delta" => {
                let delta = delta.and_then(|delta| Fields::values(["stop_reason"], delta).ok());
                let [reason] = delta.unwrap_or_default();
                Self::Delta { usage: usage_told(usage), stops: reason.and_then(text).is_some() }
            }
            other => Self::named(other),
        }
    }
}

/// Whether these bytes are one JSON value.
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// The end of a stream, as the upstream would have written it.
pub const MESSAGE_STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn usage_told(value: Option<&[u8]>) -> Usage {
    value.map(usage_in).unwrap_or_default()
}

/// The usage in the value of a `usage` field; of `count_tokens` it is none. A surprise in one of its fields costs no
/// other.
pub fn usage_in(value: &[u8]) -> Usage {
    let wanted = [
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "service_tier",
        "speed",
        "inference_geo",
    ];
    let Ok(told) = Fields::values(wanted, value) else { return Usage::default() };
    let [input, output, cache_read, cache_write, writes, tier, speed, place] = told;
    let for_an_hour = writes.and_then(|writes| Fields::values(["ephemeral_1h_input_tokens"], writes).ok());
    // A text that can't be read is none that is known.
    let is_usual = |value: Option<&[u8]>, usual: &[&str]| {
        value
            .filter(|value| value.starts_with(b"\""))
            .is_none_or(|value| text(value).is_some_and(|word| usual.contains(&&*word)))
    };
    // A count that stands there and is not understood is not zero.
    let is_odd = |told: &[u8]| told != b"null" && count(Some(told)).is_none();
    let has_odd = [input, output, cache_read, cache_write].into_iter().flatten().any(is_odd);
    Usage {
        input: count(input),
        output: count(output),
        cache_read: count(cache_read),
        cache_write: count(cache_write),
        cache_write_1h: for_an_hour.and_then(|[hour]| count(hour)),
        is_off_list: has_odd
            || !is_usual(tier, &["standard"])
            || !is_usual(speed, &["standard"])
            || !is_usual(place, &["global", "not_available"]),
    }
}

fn count(value: Option<&[u8]>) -> Option<u64> {
    str::from_utf8(value?).ok()?.parse().ok().filter(|count| *count <= MOST_TOKENS)
}

/// A model's name out of the value of a `model` field.
pub fn model_of(value: &[u8]) -> Option<Arc<str>> {
    text(Some(value).filter(|value| is_short(value))?).and_then(in_bounds)
}

fn in_bounds(model: Cow<'_, str>) -> Option<Arc<str>> {
    (model.len() <= MAX_MODEL).then(|| model.as_ref().into())
}

/// Type and message in the value of a reply's `error` field; `null` and other shapes are none.
pub fn error_of(value: &[u8]) -> Option<(Arc<str>, Arc<str>)> {
    serde_json::from_slice::<Inner>(value).ok()?.said()
}

#[derive(Deserialize)]
struct Inner {
    #[serde(rename = "type")]
    kind: Option<Arc<str>>,
    /// Where some that only speak this format name it.
    code: Option<Code>,
    #[serde(default)]
    message: Arc<str>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Text(Arc<str>),
    Number(i64),
    Other(IgnoredAny),
}

impl Inner {
    fn said(self) -> Option<(Arc<str>, Arc<str>)> {
        let code = || match self.code? {
            Code::Text(text) => Some(text),
            Code::Number(number) => Some(number.to_string().into()),
            Code::Other(_) => None,
        };
        Some((self.kind.or_else(code)?, self.message))
    }
}

/// Type (else code) and message of an error body or of an `error` event's data.
pub fn error_in(body: &[u8]) -> Option<(Arc<str>, Arc<str>)> {
    #[derive(Deserialize)]
    struct Body {
        error: Inner,
    }
    serde_json::from_slice::<Body>(body).ok()?.error.said()
}

/// The error types of Anthropic's API that we raise ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    InvalidRequestError,
    AuthenticationError,
    BillingError,
    PermissionError,
    NotFoundError,
    RequestTooLarge,
    RateLimitError,
    ApiError,
    TimeoutError,
    OverloadedError,
}

/// An error body in Anthropic's shape.
pub fn error_body(kind: ErrorKind, message: &str, request_id: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        r#type: &'a str,
        error: Inner<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Inner<'a> {
        r#type: ErrorKind,
        message: &'a str,
    }
    let body = Body { r#type: "error", error: Inner { r#type: kind, message }, request_id };
    serde_json::to_string(&body).expect("strings are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_inside_the_json_string_of_user_id() {
        let body = br#"{"model":"claude-opus-5-5","metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"s-1\"}"},"stream":true}"#;
        let head = RequestHead::read(body).unwrap();
        assert_eq!(head.model.as_deref(), Some("claude-opus-5-5"));
        assert_eq!(head.session().as_deref(), Some("s-1"));
        assert!(head.stream);
    }

    #[test]
    fn metadata_of_another_shape_is_no_session_and_no_error() {
        for metadata in [
            r#""text""#,
            "null",
            r#"{"user_id":"plain"}"#,
            r#"{"user_id":7}"#,
            r#"{"user_id":"{\"session_id\":\"\"}"}"#,
        ] {
            let body = format!(r#"{{"model":"m","metadata":{metadata}}}"#);
            assert_eq!(RequestHead::read(body.as_bytes()).unwrap().session(), None, "{metadata}");
        }
    }

    #[test]
    fn an_event_is_known_by_its_line_or_by_its_data() {
        assert_eq!(StreamEvent::read(b"message_stop", b""), StreamEvent::Stop);
        assert_eq!(StreamEvent::read(b"", br#"{"type":"message_stop"}"#), StreamEvent::Stop);
        assert_eq!(
            StreamEvent::read(b"", br#"{"type":"content_block_stop","index":0}"#),
            StreamEvent::BlockStop
        );
        assert!(matches!(StreamEvent::read(b"error", b"not json"), StreamEvent::Error { .. }), "e07");
        assert!(matches!(StreamEvent::read(b"", br#"{"type":"error"}"#), StreamEvent::Error { .. }), "e07");
    }

    #[test]
    fn e08_scalar_data_is_an_event_and_no_json_is_unreadable() {
        for scalar in ["null", "7", "\"message_stop\"", "[]", r#"{"type":7}"#, r#"{"delta":[]}"#] {
            assert_eq!(StreamEvent::read(b"", scalar.as_bytes()), StreamEvent::Other, "{scalar}");
        }
        assert_eq!(StreamEvent::read(b"", b"{\"type\":\"pi"), StreamEvent::Unreadable);
        assert_eq!(StreamEvent::read(b"message_delta", b"{"), StreamEvent::Unreadable);
    }

    #[test]
    fn what_is_damaged_anywhere_says_nothing() {
        for damaged in [
            r#"{"type":"message_stop","x":nope}"#,
            r#"{"type":"error","error":nope}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn" 7}}"#,
            r#"{"type":"message_start","message":{"content":[}}"#,
        ] {
            assert_eq!(StreamEvent::read(b"", damaged.as_bytes()), StreamEvent::Unreadable, "{damaged}");
        }
        assert!(usage_in(b"{\"input_tokens\":1,\"service_tier\":\"priority\xff\"}").is_off_list);
    }

    #[test]
    fn only_a_stop_reason_says_that_the_model_stopped() {
        let stops = |data: &str| match StreamEvent::read(b"message_delta", data.as_bytes()) {
            StreamEvent::Delta { stops, .. } => stops,
            other => panic!("{other:?}"),
        };
        assert!(stops(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}"#));
        assert!(!stops(
            r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":1}}"#
        ));
        assert!(!stops(r#"{"type":"message_delta","usage":{"output_tokens":1}}"#));
    }

    #[test]
    fn a_byte_that_is_no_text_costs_no_count_beside_it() {
        let data = b"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
            \"usage\":{\"output_tokens\":7,\"note\":\"\xff\"}}";
        let usage = Usage { output: Some(7), ..Usage::default() };
        assert_eq!(StreamEvent::read(b"message_delta", data), StreamEvent::Delta { usage, stops: true });
    }

    #[test]
    fn what_a_usage_leaves_out_stays_unknown() {
        let usage = usage_in(br#"{"input_tokens":3,"output_tokens":0,"service_tier":"standard"}"#);
        assert_eq!(usage, Usage { input: Some(3), output: Some(0), ..Usage::default() });
        assert_eq!(usage_in(b"\"odd\""), Usage::default());
    }

    #[test]
    fn a_count_that_is_not_understood_is_not_priced_as_none() {
        for odd in ["900000.0", "9e5", "-1", "1000000001", "18446744073709551616", "\"900000\"", "[900000]"] {
            let told =
                format!("{{\"input_tokens\":3,\"output_tokens\":4,\"cache_read_input_tokens\":{odd}}}");
            let usage = usage_in(told.as_bytes());
            let counted = Usage { input: Some(3), output: Some(4), ..Usage::default() };
            assert_eq!(usage, Usage { is_off_list: true, ..counted }, "{odd}: what it costs is not known");
        }
        let usage = usage_in(br#"{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":null}"#);
        assert!(!usage.is_off_list, "which says that there is none");
    }

    #[test]
    fn a_usage_tells_what_its_tokens_are_priced_by() {
        let long = usage_in(
            br#"{"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_1h_input_tokens":4}}"#,
        );
        assert_eq!((long.cache_write, long.cache_write_1h), (Some(9), Some(4)));
        for terms in [r#""service_tier":"priority""#, r#""speed":"fast""#, r#""inference_geo":"us""#] {
            assert!(usage_in(format!("{{{terms}}}").as_bytes()).is_off_list, "{terms}");
        }
        let odd = usage_in(br#"{"input_tokens":1,"service_tier":null,"speed":7,"cache_creation":"x"}"#);
        assert_eq!(odd, Usage { input: Some(1), ..Usage::default() }, "a surprise beside it costs no count");
    }
}

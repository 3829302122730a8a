//! The listener beside the relay. It is shown each piece of a reply on its way to the client, changes none and
//! keeps only what a record needs: usage, model, an error's words, and whether the proper end was seen.

use std::sync::Arc;

use super::{
    Course,
    unpack::{Listen, Unpacker},
};
use crate::{
    domain::Usage,
    formats::{self, EventData, EventLines, Fields, MESSAGE_STOP, Malformed, StreamEvent},
};

/// What was heard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// As far as the reply told.
    pub usage: Usage,
    /// The model that the reply names.
    pub model: Option<Arc<str>>,
    /// Type and message of an error event inside a stream, or of an error document under a good status.
    pub error: Option<(Arc<str>, Arc<str>)>,
    /// The proper end was there: `message_stop`, or the closing brace of a JSON object. Always true of
    /// a reply that is neither, since only its transport can tell.
    pub is_whole: bool,
}

/// Listens to one reply.
#[derive(Debug)]
pub struct Tally(Way);

/// How the reply reaches the listener.
#[derive(Debug)]
enum Way {
    Plain(Listener),
    /// Its first byte, which has not come yet, belongs to what the encoding is.
    Unbegun {
        encoding: Box<[u8]>,
        listener: Listener,
    },
    Packed(Box<Unpacker<Listener>>),
}

#[derive(Debug)]
struct Listener {
    ear: Ear,
    heard: Heard,
    course: Course,
    /// Pieces of a stream's answer that came before its output was counted: a token each at least.
    uncounted: u64,
}

#[derive(Debug)]
enum Ear {
    Stream(Box<EventLines>),
    Json(Box<Fields<3>>),
    Deaf,
}

/// The longest `usage` or `model` value that is read, in bytes.
const MAX_VALUE: usize = 8 * 1024;

impl Tally {
    /// A listener fit for a reply of this `content-type` and `content-encoding`.
    pub fn new(kind: Option<&[u8]>, encoding: Option<&[u8]>) -> Self {
        let listener = Listener::new(kind.unwrap_or_default());
        match encoding.filter(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            Some(encoding) => Self(Way::Unbegun { encoding: encoding.into(), listener }),
            None => Self(Way::Plain(listener)),
        }
    }

    /// One that understands nothing.
    pub fn deaf() -> Self {
        Self(Way::Plain(Listener::new(b"")))
    }

    fn listener(&self) -> &Listener {
        match &self.0 {
            Way::Plain(listener) | Way::Unbegun { listener, .. } => listener,
            Way::Packed(unpacker) => unpacker.listener(),
        }
    }

    /// Whether the reply is a stream of events.
    pub fn is_stream(&self) -> bool {
        matches!(self.listener().ear, Ear::Stream(_))
    }

    /// Whether an event of ours could stand in it: it is a stream, and not packed.
    pub fn is_plain_stream(&self) -> bool {
        matches!(self.0, Way::Plain(_)) && self.is_stream()
    }

    /// Hears the next piece.
    pub fn hear(&mut self, piece: &[u8]) {
        if let Way::Plain(listener) = &mut self.0 {
            return listener.hear(piece);
        }
        let Some(&first) = piece.first() else { return };
        let unpacker = match std::mem::replace(self, Self::deaf()).0 {
            Way::Unbegun { encoding, listener } => Unpacker::new(&encoding, first, listener).map(Box::new),
            Way::Packed(unpacker) => Some(unpacker),
            Way::Plain(_) => None,
        };
        // What is damaged, or grows beyond measure, is not listened to any longer; it passes all the same.
        if let Some(mut unpacker) = unpacker
            && unpacker.hear(piece).is_ok()
        {
            self.0 = Way::Packed(unpacker);
        }
    }

    /// All that was heard so far.
    pub fn heard(&self) -> Heard {
        self.listener().heard()
    }

    /// Type and message of an error event or document, if one was heard.
    pub fn error(&self) -> Option<&(Arc<str>, Arc<str>)> {
        self.listener().heard.error.as_ref()
    }

    /// Whether a JSON object began and did not come to its closing brace, whatever the transport says.
    pub fn broke_off(&self) -> bool {
        let Ear::Json(fields) = &self.listener().ear else { return false };
        matches!(fields.finish(), Err(Malformed::Unfinished(seen)) if seen > 0)
    }

    /// Whether the proper end was heard; see [`Heard::is_whole`].
    pub fn is_whole(&self) -> bool {
        self.listener().heard.is_whole
    }

    /// Whether a stream has come to its last event: its `message_stop`, or an error.
    pub fn has_said_its_last(&self) -> bool {
        self.is_stream() && (self.is_whole() || self.error().is_some())
    }

    /// Whether it is a stream that has not begun to answer: no content has come, no end and no error.
    pub fn is_before_content(&self) -> bool {
        let Listener { ear, heard, course, .. } = self.listener();
        matches!(ear, Ear::Stream(_)) && course.is_before_content() && heard.error.is_none()
    }

    /// Whether something of a stream's answer itself has come, or its end.
    pub fn has_content(&self) -> bool {
        self.listener().course.has_content()
    }

    /// What has to be written before an event of ours can follow in a stream. `None` where half an event
    /// stands there: ended, it would look like a whole one to the client, and is none.
    pub fn room_for_an_event(&self) -> Option<&'static [u8]> {
        match &self.0 {
            Way::Plain(Listener { ear: Ear::Stream(lines), .. }) => {
                lines.is_between_events().then_some(lines.ending())
            }
            _ => None,
        }
    }

    /// What a stream that has ended here needs for its proper end, where that is certain: the answer is all
    /// there, with the reason why the model stopped, and nothing was out of order. Empty in any other case.
    pub fn lacks_only_its_stop(&self) -> Vec<u8> {
        match &self.0 {
            Way::Plain(Listener { ear: Ear::Stream(lines), course, .. }) => missing(lines, *course),
            _ => Vec::new(),
        }
    }
}

/// Ends the event that stands half written, sees what it was, and adds the end that is still missing.
fn missing(lines: &EventLines, course: Course) -> Vec<u8> {
    if course != Course::Stopped {
        return Vec::new();
    }
    let mut course = course;
    let mut end = lines.ending().to_vec();
    if !end.is_empty() {
        lines.clone().feed(&end, StreamEvent::is_worth_reading, |name, data| {
            // Half an event must not be made to look like one; of a ping nobody reads the data.
            let is_torn = matches!(data, EventData::Whole(data) if !formats::is_json(data));
            course = if is_torn { Course::Astray } else { course.after(&StreamEvent::of(name, data)) };
        });
    }
    match course {
        // It lacked no more than the blank line.
        Course::Over => end,
        Course::Stopped => {
            end.extend_from_slice(MESSAGE_STOP.as_bytes());
            end
        }
        _ => Vec::new(),
    }
}

impl Listener {
    fn new(kind: &[u8]) -> Self {
        let is =
            |wanted: &[u8]| kind.len() >= wanted.len() && kind[..wanted.len()].eq_ignore_ascii_case(wanted);
        let ear = if is(b"text/event-stream") {
            Ear::Stream(Box::default())
        } else if is(b"application/json") {
            Ear::Json(Box::new(Fields::new(["usage", "model", "error"], MAX_VALUE)))
        } else {
            Ear::Deaf
        };
        let is_whole = matches!(ear, Ear::Deaf);
        let heard = Heard { is_whole, ..Heard::default() };
        Self { ear, heard, course: Course::default(), uncounted: 0 }
    }

    fn heard(&self) -> Heard {
        let mut heard = self.heard.clone();
        // A stream tells its output at its end; what stands at its beginning is a placeholder.
        if self.uncounted > 0 {
            heard.usage.output = heard.usage.output.max(Some(self.uncounted));
        }
        if let Ear::Json(fields) = &self.ear {
            heard.usage = fields.value(0).map(formats::usage_in).unwrap_or_default();
            heard.model = fields.value(1).and_then(formats::model_of);
        }
        heard
    }
}

impl Listen for Listener {
    fn hear(&mut self, piece: &[u8]) {
        let Self { ear, heard, course, uncounted } = self;
        match ear {
            Ear::Stream(lines) => lines.feed(piece, StreamEvent::is_worth_reading, |name, data| {
                let event = StreamEvent::of(name, data);
                *course = course.after(&event);
                match &event {
                    StreamEvent::BlockDelta => *uncounted += 1,
                    StreamEvent::Delta { usage, .. } if usage.output.is_some() => *uncounted = 0,
                    _ => {}
                }
                heard.take(event);
            }),
            Ear::Json(fields) => {
                fields.feed(piece);
                heard.is_whole = fields.is_done();
                if heard.is_whole && heard.error.is_none() {
                    heard.error = fields.value(2).and_then(formats::error_of);
                }
            }
            Ear::Deaf => {}
        }
    }
}

impl Heard {
    fn take(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Start { usage, model } => {
                self.usage.update(usage);
                self.model = model.or(self.model.take());
            }
            StreamEvent::Delta { usage, .. } => self.usage.update(usage),
            StreamEvent::Stop => self.is_whole = true,
            StreamEvent::Error { kind, message } => self.error = Some((kind, message)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-opus-5-5\",",
        "\"usage\":{\"input_tokens\":7,\"cache_read_input_tokens\":900,\"cache_creation_input_tokens\":40,\"output_tokens\":1}}}\n\n",
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"message_stop\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":55}}\n\n",
    );
    const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn stream() -> Tally {
        Tally::new(Some(b"text/event-stream; charset=utf-8"), None)
    }

    #[test]
    fn a_streams_usage_is_the_start_corrected_by_the_delta() {
        let mut tally = stream();
        tally.hear(STREAM.as_bytes());
        let usage = Usage {
            input: Some(7),
            output: Some(55),
            cache_read: Some(900),
            cache_write: Some(40),
            ..Usage::default()
        };
        assert_eq!(tally.heard().usage, usage);
        assert_eq!(tally.heard().model.as_deref(), Some("claude-opus-5-5"));
        assert!(!tally.is_whole(), "without message_stop a stream is not whole");
        tally.hear(STOP.as_bytes());
        assert!(tally.is_whole());
    }

    #[test]
    fn a_stream_that_was_left_had_used_the_placeholder_of_its_beginning() {
        let (head, after) = STREAM.split_once("event: message_delta").unwrap();
        let piece = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n";
        let mut tally = stream();
        tally.hear(head.as_bytes());
        for _ in 0..70 {
            tally.hear(piece.as_bytes());
        }
        assert_eq!(tally.heard().usage.output, Some(71), "a token for each piece");
        tally.hear(format!("event: message_delta{after}").as_bytes());
        assert_eq!(tally.heard().usage.output, Some(55), "what is told goes before what is thought");
    }

    #[test]
    fn an_error_inside_a_stream_is_heard() {
        let mut tally = stream();
        tally.hear(b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
        let (kind, message) = tally.heard().error.unwrap();
        assert_eq!((&*kind, &*message), ("overloaded_error", "Overloaded"));
    }

    #[test]
    fn a_json_replys_usage_is_read_from_its_own_field_alone() {
        let mut tally = Tally::new(Some(b"application/json"), None);
        let body = br#"{"content":[{"text":"\"usage\":{\"input_tokens\":1}"}],"model":"m","usage":{"input_tokens":5,"output_tokens":2}}"#;
        for piece in body.chunks(7) {
            tally.hear(piece);
        }
        assert_eq!(tally.heard().usage.input, Some(5));
        assert!(tally.is_whole());
    }

    #[test]
    fn what_cannot_be_understood_is_unknown_not_zero() {
        let mut tally = Tally::new(Some(b"application/json"), Some(b"a-packing-of-tomorrow"));
        tally.hear(b"\x1f\x8b");
        assert_eq!(tally.heard(), Heard { is_whole: true, ..Heard::default() });
    }

    /// What a stream lacks that ends after `STREAM` and this.
    fn missing_after(more: &str) -> String {
        let mut tally = stream();
        tally.hear(STREAM.as_bytes());
        tally.hear(more.as_bytes());
        String::from_utf8(tally.lacks_only_its_stop()).unwrap()
    }

    #[test]
    fn e01_a_stream_that_ends_properly_lacks_nothing() {
        assert_eq!(missing_after(STOP), "");
        assert_eq!(missing_after(&format!("{STOP}: half a comm")), "", "whatever comes behind its end");
    }

    #[test]
    fn e02_pings_behind_the_last_delta_change_nothing() {
        assert_eq!(missing_after(""), STOP);
        assert_eq!(missing_after("event: ping\ndata: {\"type\":\"ping\"}\n\n: a comment\n\n"), STOP);
    }

    #[test]
    fn e04_a_half_written_ping_is_ended_before_the_end_is_supplied() {
        assert_eq!(missing_after("event: ping\ndata: {\"type\":\"pi"), format!("\n\n{STOP}"));
        assert_eq!(missing_after("event: ping\r\n"), format!("\n{STOP}"));
        assert_eq!(missing_after(": half a comm"), format!("\n\n{STOP}"));
    }

    #[test]
    fn e05_a_stop_that_lacks_only_its_blank_line_is_not_written_twice() {
        let stop = STOP.trim_end();
        assert_eq!(missing_after(stop), "\n\n");
        assert_eq!(missing_after(&format!("{stop}\n")), "\n");
        assert_eq!(missing_after(&format!("{stop}\r")), "\n\n", "the first one may complete a CRLF");
        for torn in [&stop[..stop.len() - 1], "event: message_stop\n", "event: message_st"] {
            assert_eq!(missing_after(torn), "", "half an event is not made to look like one: {torn:?}");
        }
    }

    #[test]
    fn e06_without_a_stop_reason_nothing_is_supplied() {
        let mut tally = stream();
        tally.hear(STREAM.replace("end_turn\"", "\", \"stop_reason\":null").as_bytes());
        assert!(tally.lacks_only_its_stop().is_empty());
    }

    #[test]
    fn e09_unreadable_data_is_a_reason_to_supply_nothing_but_in_a_ping() {
        assert_eq!(missing_after("event: ping\ndata: garbage\n\n"), STOP);
        assert_eq!(missing_after("data: garbage\n\n"), "");
        assert_eq!(missing_after("event: message_delta\ndata: garbage\n\n"), "");
        assert_eq!(missing_after("event: an_event_of_tomorrow\ndata: {}\n\n"), "");
    }

    #[test]
    fn e10_an_open_block_is_never_closed_by_the_supply() {
        let (head, rest) = STREAM.split_at(STREAM.find("event: content_block_start").unwrap());
        let (content, last) = rest.split_at(rest.find("event: message_delta").unwrap());
        let (open, close) = content.split_at(content.find("event: content_block_stop").unwrap());
        let lacks_its_stop = |parts: &[&str]| {
            let mut tally = stream();
            tally.hear(parts.concat().as_bytes());
            !tally.lacks_only_its_stop().is_empty()
        };
        assert!(lacks_its_stop(&[head, open, close, open, close, last]), "the usual order");
        assert!(!lacks_its_stop(&[head, open, last]), "it is still open");
        assert!(!lacks_its_stop(&[head, open, last, close]), "closing it afterwards is too late");
        assert!(!lacks_its_stop(&[head, open, open, close, last]), "one within another");
        assert!(!lacks_its_stop(&[head, &open[open.find("event: content_block_delta").unwrap()..], last]));
        assert!(!lacks_its_stop(&[open, close, last]), "no message_start");
        assert!(!lacks_its_stop(&[head, head, last]), "two of them");
    }

    #[test]
    fn e11_an_oversized_event_is_a_reason_to_supply_nothing() {
        let big = format!("data: {{\"type\":\"ping\",\"x\":\"{}\"}}\n\n", "x".repeat(formats::MAX_EVENT));
        assert_eq!(missing_after(&big), "");
    }

    #[test]
    fn e97_a_type_may_stand_on_the_event_line_or_in_the_data_alone() {
        for stream in [
            STREAM.lines().filter(|line| !line.starts_with("event:")).collect::<Vec<_>>().join("\n") + "\n",
            STREAM.replace(": ", ":"),
            STREAM.replace('\n', "\r\n"),
            STREAM.replace('\n', "\r"),
            STREAM
                .lines()
                .map(|line| {
                    line.split_once("\"type\":\"").map_or(line.into(), |(a, b)| format!("{a}\"t\":\"{b}"))
                })
                .collect::<Vec<_>>()
                .join("\n")
                + "\n",
        ] {
            let mut tally = Tally::new(Some(b"text/event-stream"), None);
            tally.hear(stream.as_bytes());
            assert_eq!(tally.heard().usage.output, Some(55), "{stream}");
            assert!(tally.lacks_only_its_stop().ends_with(STOP.as_bytes()), "{stream}");
        }
    }

    #[test]
    fn a_packed_stream_is_heard_and_never_added_to() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packer, STREAM.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let mut tally = Tally::new(Some(b"text/event-stream"), Some(b"gzip"));
        packed.chunks(9).for_each(|piece| tally.hear(piece));
        assert!(tally.is_stream() && !tally.is_plain_stream() && !tally.is_whole());
        assert_eq!(tally.heard().usage.output, Some(55));
        assert!(tally.lacks_only_its_stop().is_empty());
        tally.hear(b"garbage behind it");
    }
}

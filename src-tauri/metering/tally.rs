//! The listener beside the relay. It is shown each piece of a reply on its way to the client, changes none and
//! keeps only what a record needs: usage, model, an error's words, and whether the proper end was seen.

use std::sync::Arc;

use crate::{
    domain::Usage,
    formats::{self, EventLines, Fields, Malformed, StreamEvent},
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
pub struct Tally {
    ear: Ear,
    heard: Heard,
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
    /// A listener fit for a reply of this `content-type`; `encoded` replies can't be understood.
    pub fn new(content_type: Option<&[u8]>, encoded: bool) -> Self {
        let kind = content_type.unwrap_or_default();
        let is =
            |wanted: &[u8]| kind.len() >= wanted.len() && kind[..wanted.len()].eq_ignore_ascii_case(wanted);
        let ear = if encoded {
            Ear::Deaf
        } else if is(b"text/event-stream") {
            Ear::Stream(Box::default())
        } else if is(b"application/json") {
            Ear::Json(Box::new(Fields::new(["usage", "model", "error"], MAX_VALUE)))
        } else {
            Ear::Deaf
        };
        let is_whole = matches!(ear, Ear::Deaf);
        Self { ear, heard: Heard { is_whole, ..Heard::default() } }
    }

    /// Whether the reply is a stream of events.
    pub fn is_stream(&self) -> bool {
        matches!(self.ear, Ear::Stream(_))
    }

    /// Hears the next piece.
    pub fn hear(&mut self, piece: &[u8]) {
        let heard = &mut self.heard;
        match &mut self.ear {
            Ear::Stream(lines) => lines.feed(piece, StreamEvent::is_worth_reading, |name, data| {
                if name.is_empty() || StreamEvent::is_worth_reading(name) {
                    heard.take(StreamEvent::read(name, data));
                }
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

    /// All that was heard so far.
    pub fn heard(&self) -> Heard {
        let mut heard = self.heard.clone();
        if let Ear::Json(fields) = &self.ear {
            heard.usage = fields.value(0).map(formats::usage_in).unwrap_or_default();
            heard.model = fields.value(1).and_then(formats::model_of);
        }
        heard
    }

    /// Type and message of an error event or document, if one was heard.
    pub fn error(&self) -> Option<&(Arc<str>, Arc<str>)> {
        self.heard.error.as_ref()
    }

    /// Whether a JSON object began and did not come to its closing brace, whatever the transport says.
    pub fn broke_off(&self) -> bool {
        let Ear::Json(fields) = &self.ear else { return false };
        matches!(fields.finish(), Err(Malformed::Unfinished(seen)) if seen > 0)
    }

    /// Whether the proper end was heard; see [`Heard::is_whole`].
    pub fn is_whole(&self) -> bool {
        self.heard.is_whole
    }
}

impl Heard {
    fn take(&mut self, event: Option<StreamEvent>) {
        match event {
            Some(StreamEvent::Start { usage, model }) => {
                self.usage.update(usage);
                self.model = model.or(self.model.take());
            }
            Some(StreamEvent::Delta { usage }) => self.usage.update(usage),
            Some(StreamEvent::Stop) => self.is_whole = true,
            Some(StreamEvent::Error { kind, message }) => self.error = Some((kind, message)),
            None => {}
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
        "event: content_block_delta\ndata: {\"delta\":{\"text\":\"message_stop\"}}\n\n",
        "event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":55}}\n\n",
    );
    const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn stream() -> Tally {
        Tally::new(Some(b"text/event-stream; charset=utf-8"), false)
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
    fn an_error_inside_a_stream_is_heard() {
        let mut tally = stream();
        tally.hear(b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
        let (kind, message) = tally.heard().error.unwrap();
        assert_eq!((&*kind, &*message), ("overloaded_error", "Overloaded"));
    }

    #[test]
    fn a_json_replys_usage_is_read_from_its_own_field_alone() {
        let mut tally = Tally::new(Some(b"application/json"), false);
        let body = br#"{"content":[{"text":"\"usage\":{\"input_tokens\":1}"}],"model":"m","usage":{"input_tokens":5,"output_tokens":2}}"#;
        for piece in body.chunks(7) {
            tally.hear(piece);
        }
        assert_eq!(tally.heard().usage.input, Some(5));
        assert!(tally.is_whole());
    }

    #[test]
    fn what_cannot_be_understood_is_unknown_not_zero() {
        let mut tally = Tally::new(Some(b"application/json"), true);
        tally.hear(b"\x1f\x8b");
        assert_eq!(tally.heard(), Heard { is_whole: true, ..Heard::default() });
    }
}

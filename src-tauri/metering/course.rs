//! How far a stream has come, event by event, and whether nothing but its `message_stop` is missing. Judges
//! strictly: whatever is out of the usual order means that nobody may finish the stream in its stead.

use crate::formats::StreamEvent;

/// Where a stream stands. The order is that of Anthropic's API reference, "Streaming messages".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Course {
    /// Nothing but pings so far.
    #[default]
    Before,
    /// After `message_start`, no content yet.
    Started,
    /// Within a content block.
    InBlock,
    /// Between two content blocks, or after the last one.
    Between,
    /// After the `message_delta` that says why the model stopped: the answer is all there.
    Stopped,
    /// After `message_stop`.
    Over,
    /// After an `error` that came before any content.
    Failed,
    /// Something else came than could come there.
    Astray,
}

impl Course {
    /// Where it stands after this event.
    #[expect(clippy::match_same_arms, reason = "each line is a step of the order")]
    pub fn after(self, event: &StreamEvent) -> Self {
        match (self, event) {
            (_, StreamEvent::Stop) => Self::Over,
            (at, StreamEvent::Ping) => at,
            (Self::Before | Self::Started, StreamEvent::Error { .. }) => Self::Failed,
            (Self::Before, StreamEvent::Start { .. }) => Self::Started,
            (Self::Started | Self::Between, StreamEvent::BlockStart) => Self::InBlock,
            (Self::InBlock, StreamEvent::BlockDelta) => Self::InBlock,
            (Self::InBlock, StreamEvent::BlockStop) => Self::Between,
            (Self::Started | Self::Between, StreamEvent::Delta { stops: true, .. }) => Self::Stopped,
            (at @ (Self::Started | Self::Between), StreamEvent::Delta { stops: false, .. }) => at,
            // An event of tomorrow is no reason for doubt, but for the very end.
            (at @ (Self::Started | Self::InBlock | Self::Between), StreamEvent::Other) => at,
            _ => Self::Astray,
        }
    }

    /// Whether something of the answer itself has come.
    pub fn has_content(self) -> bool {
        !self.is_before_content() && self != Self::Failed
    }

    /// Whether not a word of the answer itself has come, nor its end.
    pub fn is_before_content(self) -> bool {
        matches!(self, Self::Before | Self::Started)
    }
}

//! All that selection may know of a request. Nothing of the prompt is in it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::AccountId;

/// What the client wants, in the few words that decide who serves it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ask {
    /// The model as the client named it. Absent on paths that name none.
    pub model: Option<Arc<str>>,
    /// The conversation: `x-claude-code-session-id`, else `session_id` inside `metadata.user_id`.
    pub session: Option<Arc<str>>,
    /// Which subagent asked (`x-claude-code-agent-id`).
    pub agent: Option<Arc<str>>,
    /// The program that asks, as its user-agent names it: `claude-cli/2.1.330`.
    pub client: Option<Arc<str>>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Bytes of the request body.
    pub bytes: u64,
    /// The only accounts that may serve it, where the client's key says so. Not written down.
    pub only: Option<Arc<[AccountId]>>,
    /// It came with a sign-in that an account may pass through. Not written down.
    pub login: bool,
}

impl Ask {
    /// The family whose limits apply, where the model's name tells.
    pub fn family(&self) -> Option<Family> {
        self.model.as_deref().and_then(Family::of)
    }
}

/// The part of a model's name that limits are stated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Opus,
    Sonnet,
    Haiku,
    Fable,
}

impl Family {
    const ALL: [Self; 4] = [Self::Opus, Self::Sonnet, Self::Haiku, Self::Fable];

    /// Finds the family in a model's name: `claude-opus-5-5` is of `opus`. `None` where no word fits.
    pub fn of(model: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| {
            model
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word.eq_ignore_ascii_case(family.word()))
        })
    }

    /// The word that stands in names and headers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Sonnet => "sonnet",
            Self::Haiku => "haiku",
            Self::Fable => "fable",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_a_whole_word_of_the_models_name() {
        assert_eq!(Family::of("claude-opus-5-5"), Some(Family::Opus));
        assert_eq!(Family::of("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"), Some(Family::Sonnet));
        assert_eq!(Family::of("claude-haiku-4-5@20251001"), Some(Family::Haiku));
        assert_eq!(Family::of("gpt-5.5"), None);
        assert_eq!(Family::of("magnopus-1"), None, "a word inside another word is not a family");
    }
}

//! All that selection may know of a request. Nothing of the prompt is in it.

use std::{fmt, sync::Arc};

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountId, KeyId, PoolId, Role};

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
    /// What it is for (`x-claude-code-request-class`).
    pub role: Option<Role>,
    /// What kind of agent asked (`x-claude-code-agent-type`).
    pub agent_type: Option<Arc<str>>,
    /// The project that it belongs to, where somebody has said.
    pub project: Option<Arc<str>>,
    /// The folder that it was asked from, where somebody has said.
    pub directory: Option<Arc<str>>,
    /// What an account has to be able to do for it.
    pub needs: Needs,
    /// What its prompt costs from a cache and into one, where that is known.
    pub cache_price: Option<CachePrice>,
    /// The client's key that it came with. The exchange keeps it.
    pub key: Option<KeyId>,
    /// What is asked for with it. Not written down.
    pub endpoint: Endpoint,
    /// The only accounts that may serve it, where the client's key says so. Not written down.
    pub only: Option<Arc<[AccountId]>>,
    /// The pools that it is led through in place of `main`, where the client's key names some. Not written down.
    pub pools: Option<Arc<[PoolId]>>,
    /// It came with a sign-in that an account may pass through. Not written down.
    pub login: bool,
}

impl Ask {
    /// The family whose limits apply, where the model's name tells.
    pub fn family(&self) -> Option<Family> {
        self.model.as_deref().and_then(Family::of)
    }

    /// What its limits are stated for.
    pub fn need(&self) -> Need {
        Need { family: self.family(), endpoint: self.endpoint }
    }

    /// The conversation that it is a turn of; a subagent's is its own. `None` where the client names none.
    pub fn conversation(&self) -> Option<Conversation> {
        let session = Arc::clone(self.session.as_ref()?);
        Some(Conversation { session, agent: self.agent.clone() })
    }

    /// How long its prompt is: counted, or else taken from its length.
    pub fn input_tokens(&self) -> u64 {
        self.needs.tokens.unwrap_or(self.bytes / BYTES_PER_TOKEN)
    }
}

/// The requests that an upstream limits together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Messages, and whatever else is not told apart.
    #[default]
    Messages,
    /// Counts of tokens, which have limits of their own.
    Counts,
}

/// What a request needs of an account, as far as limits are stated for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Need {
    /// The family of its model, where its name tells.
    pub family: Option<Family>,
    /// What it asks for.
    pub endpoint: Endpoint,
}

impl From<Option<Family>> for Need {
    /// Messages of this family.
    fn from(family: Option<Family>) -> Self {
        Self { family, endpoint: Endpoint::Messages }
    }
}

/// English text and code have about as many.
const BYTES_PER_TOKEN: u64 = 4;

/// What a request needs besides its model. What is not known to be needed is not asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// Tokens of its prompt, where somebody has counted them.
    pub tokens: Option<u64>,
    /// It shows images.
    pub images: bool,
    /// It offers tools.
    pub tools: bool,
    /// The beta features that it uses, as its `anthropic-beta` header names them.
    pub betas: Option<HeaderValue>,
}

impl Needs {
    /// The beta features one by one.
    pub fn betas(&self) -> impl Iterator<Item = &str> {
        let list = self.betas.as_ref().and_then(|betas| betas.to_str().ok()).unwrap_or_default();
        list.split(',').map(str::trim).filter(|beta| !beta.is_empty())
    }
}

/// What a token of a prompt costs, in thousandths of a micro-dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePrice {
    /// Read from the cache.
    pub read: u64,
    /// Written to it, where it stays for five minutes.
    pub write: u64,
    /// The same where it stays for an hour.
    pub write_1h: u64,
}

/// A conversation: a session, or one subagent's part in it. Each has a prompt of its own in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conversation {
    pub session: Arc<str>,
    pub agent: Option<Arc<str>>,
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
    /// All that limits are stated for.
    pub const ALL: [Self; 4] = [Self::Opus, Self::Sonnet, Self::Haiku, Self::Fable];

    /// Finds the family in a model's name: `claude-opus-5-5` is of `opus`. `None` where no word fits.
    pub fn of(model: &str) -> Option<Self> {
        let name = model.as_bytes();
        let is_within = |at: usize| name.get(at).is_some_and(u8::is_ascii_alphanumeric);
        // Asked several times of each request, so most letters are passed over with one look.
        (0..name.len()).find_map(|at| {
            // `ALL` by their first letters; a test holds both together.
            let family = match name[at].to_ascii_lowercase() {
                b'o' => Self::Opus,
                b's' => Self::Sonnet,
                b'h' => Self::Haiku,
                b'f' => Self::Fable,
                _ => return None,
            };
            let word = family.word().as_bytes();
            let end = at + word.len();
            let is_whole = (at == 0 || !is_within(at - 1)) && !is_within(end);
            (is_whole && name.get(at..end)?.eq_ignore_ascii_case(word)).then_some(family)
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
    fn a_prompt_is_as_long_as_was_counted_and_else_as_its_bytes_say() {
        let ask = Ask { bytes: 4_000, ..Ask::default() };
        assert_eq!(ask.input_tokens(), 1_000);
        let needs = Needs { tokens: Some(700), ..Needs::default() };
        assert_eq!(Ask { needs, ..ask }.input_tokens(), 700);
    }

    #[test]
    fn beta_features_are_read_one_by_one() {
        let of = |text: &'static str| {
            let needs = Needs { betas: Some(HeaderValue::from_static(text)), ..Needs::default() };
            needs.betas().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(of(" a-1, b-2 ,,"), ["a-1", "b-2"]);
        assert_eq!(Needs::default().betas().count(), 0);
    }

    #[test]
    fn a_family_is_a_whole_word_of_the_models_name() {
        assert_eq!(Family::of("claude-opus-5-5"), Some(Family::Opus));
        assert_eq!(Family::of("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"), Some(Family::Sonnet));
        assert_eq!(Family::of("claude-haiku-4-5@20251001"), Some(Family::Haiku));
        for family in Family::ALL {
            assert_eq!(Family::of(&format!("x-{}-1", family.word().to_uppercase())), Some(family));
        }
        assert_eq!(Family::of("gpt-5.5"), None);
        assert_eq!(Family::of("magnopus-1"), None, "a word inside another word is not a family");
    }
}

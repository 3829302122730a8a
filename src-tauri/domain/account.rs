//! Who pays: one credential at one provider. The credential itself is never here; it lives in `secrets`.

use std::{collections::HashSet, fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::{AccountId, AccountName, Bench, Guards, Model, ModelMap, Pause, PoolId, SignIn, Timed};

/// An account as it is kept. What it is good for right now is its `Standing`, which is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Stable for life.
    pub id: AccountId,
    /// Chosen by the user, unique without regard to case.
    pub name: AccountName,
    /// Which described upstream it belongs to.
    pub provider: ProviderId,
    /// Where requests go instead of the provider's own address. Holds no credential.
    pub base_url: Option<Url>,
    /// Lower goes first, as in a queue. 0 is the default; -1,000 to 1,000.
    pub priority: i32,
    /// The one pool that it is in.
    pub pool: PoolId,
    /// What is kept back of it; `None` is nothing.
    pub guards: Option<Arc<Guards>>,
    /// Models that its upstream knows under another name.
    pub models: ModelMap,
    /// What a person says that it does not take, besides what its provider is known to lack.
    pub lacks: Lacks,
    /// Set by a person or a rule; only a person lifts a person's pause.
    pub pause: Option<Pause>,
    /// Set by a verdict; ends by itself.
    pub bench: Option<Bench>,
    /// Why the credential no longer works, once an upstream said so.
    pub refused: Option<Arc<str>>,
    /// How its use is paid, as a person says; `None` is as it shows by itself.
    pub paid: Option<Paid>,
    /// Where requests may spill over to that would cost nothing here; `None` is nowhere.
    pub spill: Option<Spill>,
    /// How it was signed in; `None` for one that was given a key.
    pub sign_in: Option<Arc<SignIn>>,
    /// What Headgate does with it by itself.
    pub timed: Timed,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Account {
    /// One of which nobody has said anything yet.
    pub fn new(id: AccountId, name: AccountName, provider: ProviderId, created_at: Timestamp) -> Self {
        Self {
            id,
            name,
            provider,
            base_url: None,
            priority: 0,
            pool: PoolId::MAIN,
            guards: None,
            models: ModelMap::default(),
            lacks: Lacks::default(),
            pause: None,
            bench: None,
            refused: None,
            paid: None,
            spill: None,
            sign_in: None,
            timed: Timed::default(),
            created_at,
        }
    }
}

/// How the use of an account is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Paid {
    /// Beforehand: what a plan includes costs nothing more, and is lost where it is not used.
    Plan,
    /// By what is used.
    Use,
}

impl Paid {
    /// The word for SQL, which is the one on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Use => "use",
        }
    }

    /// What is written as this word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Plan, Self::Use].into_iter().find(|paid| paid.word() == word)
    }
}

/// A person's leave for requests that would cost nothing to spill over to accounts where they may cost money: each
/// path with the time since which it is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spill {
    /// To every other account, those that are added later too.
    pub all: Option<Timestamp>,
    /// To these, where not to all.
    pub only: Arc<[(AccountId, Timestamp)]>,
}

/// Where a person lets requests spill over to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpillTo {
    /// Every other one, those that are added later too.
    All,
    /// These.
    Only(Arc<[AccountId]>),
}

impl Spill {
    /// Whether it leads to this account.
    pub fn reaches(&self, id: AccountId) -> bool {
        self.all.is_some() || self.only.iter().any(|(to, _)| *to == id)
    }

    /// As a person wants it now. A path that was there before keeps its date.
    pub fn allowed(to: &SpillTo, before: Option<&Self>, now: Timestamp) -> Self {
        let everywhere = before.and_then(|before| before.all);
        let since = |id: AccountId| {
            let known = before.and_then(|before| before.only.iter().find(|(to, _)| *to == id));
            known.map(|(_, since)| *since).or(everywhere).unwrap_or(now)
        };
        match to {
            SpillTo::All => Self { all: Some(everywhere.unwrap_or(now)), only: [].into() },
            SpillTo::Only(ids) => {
                // Who is named twice is meant once.
                let mut seen = HashSet::new();
                let named = ids.iter().filter(|id| seen.insert(**id));
                Self { all: None, only: named.map(|id| (*id, since(*id))).collect() }
            }
        }
    }
}

/// The upstream described in `providers/catalog.toml` under this key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderId(pub Arc<str>);

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One entry of the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its key in the catalog.
    pub id: ProviderId,
    /// What people call it.
    pub title: String,
    /// One sentence for the dialog in which it is chosen.
    pub about: String,
    /// Its own address, where it has one; otherwise each account names its own.
    pub base_url: Option<Url>,
    /// What its accounts pay with.
    pub credential: Credential,
    /// How they pay, unless their answers show otherwise; `None` where that differs.
    pub paid: Option<Paid>,
    /// What a request of theirs says besides, for the sake of the credential. In a header that the client has
    /// filled, it is one more item.
    pub says: Arc<[(http::HeaderName, http::HeaderValue)]>,
    /// Whether its upstream counts tokens (`/v1/messages/count_tokens`); otherwise they are estimated here.
    pub counts_tokens: bool,
    /// The models that accounts of it are known to serve, before anybody has asked.
    pub models: Arc<[Model]>,
    /// What its accounts are known not to be able to do.
    pub lacks: Lacks,
    /// Whose words its refusals are written in: a table of `providers/verdicts.toml`.
    pub verdicts: String,
}

/// What an upstream is known not to take. Whatever is not known, it may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lacks {
    /// Requests that show images.
    pub images: bool,
    /// Requests that offer tools.
    pub tools: bool,
    /// Beta features: the beginnings of their names.
    #[schema(value_type = Vec<String>)]
    pub betas: Arc<[Arc<str>]>,
}

impl Lacks {
    /// More are never kept of one account.
    pub const MOST_BETAS: usize = 32;
    /// No beta feature has a longer name.
    pub const LONGEST_BETA: usize = 64;

    /// Whether it lacks this beta feature.
    pub fn beta(&self, name: &str) -> bool {
        self.betas.iter().any(|beginning| name.starts_with(beginning.as_ref()))
    }
}

/// What the accounts of a provider pay with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Each has a key of its own. These headers carry it, each with what stands before the key in it.
    Key(Vec<(http::HeaderName, String)>),
    /// The sign-in that the client brings, passed through for the one request that it came with.
    Client,
}

impl Provider {
    /// Whether its accounts have no key of their own and pass on the client's sign-in.
    pub fn passes_logins(&self) -> bool {
        self.credential == Credential::Client
    }
}

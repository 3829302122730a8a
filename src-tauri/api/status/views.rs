//! The shapes of how the whole of it stands: the status, and the overview.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::views::AccountView;
use crate::proxy::{Listener, needs_key};

/// The state of the whole, for the head of the page, the tray and `headgate status`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub version: String,
    pub proxy: ProxyState,
    /// `http://127.0.0.1:8417`; absent while it does not listen.
    pub address: Option<String>,
    /// Where it listens beside that.
    pub listeners: Vec<ListenerView>,
    /// Why it does not listen, with a next step.
    pub problem: Option<String>,
    /// `keychain`, `file` or `memory`.
    pub vault: String,
    /// What is wrong with where keys are kept, each in a sentence with a next step.
    #[serde(default)]
    pub vault_troubles: Vec<String>,
    /// Where everything is kept.
    pub data_dir: String,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// Requests running at this moment.
    pub running: u32,
    /// Requests that wait for a place.
    pub waiting: u32,
    /// Of those that run: held until an account is back.
    pub held: u32,
    /// Requests that were refused since the start because the queue was full or the wait too long.
    #[serde(default)]
    pub turned_away: u32,
    /// A request came with Claude Code's own sign-in, and there is no account that passes it on: the accounts
    /// that there are pay for it.
    pub unused_login: bool,
    /// Whether clients on this machine need a key too.
    pub needs_key: bool,
    /// Whether this core runs in the desktop app, whose window takes what comes back to a sign-in by a deep link.
    #[serde(default)]
    pub has_window: bool,
    /// The last deep link, if it was refused and that is not long ago.
    #[serde(default)]
    pub refused_link: Option<RefusedLinkView>,
}

/// A deep link that was refused; nothing has changed by it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefusedLinkView {
    /// Why, as a sentence that repeats nothing of it.
    pub message: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl Status {
    /// Of a window that has no core: nothing is listened to, and this is why.
    pub fn without_core(problem: String, data_dir: String, now: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            proxy: ProxyState::NotListening,
            address: None,
            listeners: Vec::new(),
            problem: Some(problem),
            vault: String::new(),
            vault_troubles: Vec::new(),
            data_dir,
            started_at: now,
            running: 0,
            waiting: 0,
            held: 0,
            turned_away: 0,
            unused_login: false,
            needs_key: false,
            has_window: true,
            refused_link: None,
        }
    }
}

/// A further address that is listened on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListenerView {
    /// `https://0.0.0.0:8443`
    pub address: String,
    /// The SHA-256 of the certificate that is shown there; absent in plain text.
    pub fingerprint: Option<String>,
    /// Whether whoever comes by it needs a key.
    pub needs_key: bool,
}

impl ListenerView {
    /// As it is now.
    pub fn of(listener: &Listener) -> Self {
        Self {
            address: listener.url(),
            fingerprint: listener.fingerprint().map(|fingerprint| fingerprint.to_string()),
            needs_key: needs_key(listener),
        }
    }
}

/// Whether requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyState {
    Running,
    /// By the user: requests are refused with a sentence.
    Paused,
    /// It could not take its port.
    NotListening,
}

/// What the Overview shows, computed in one place so that page, tray and CLI agree.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// "Can I keep working, and until when?" in one honest sentence.
    pub sentence: String,
    /// How the sentence is meant: good, care, bad.
    pub mood: Mood,
    pub accounts: Vec<AccountView>,
    /// Since local midnight.
    pub today: Today,
}

/// The colour of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    Good,
    Care,
    Bad,
}

/// Sums since local midnight.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Today {
    pub requests: u64,
    pub complete: u64,
    /// Complete only because a second account took over.
    pub rescued: u64,
    /// Tokens; absent while no answer has told any.
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub cache_read: Option<u64>,
    pub cache_write: Option<u64>,
}

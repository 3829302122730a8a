//! The shapes that leave and enter by the API: what the page, the CLI and scripts see. They are made
//! from the domain's nouns here and nowhere else; TypeScript's types are generated from them.

mod requests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

pub use requests::{AttemptView, RequestPage, RequestView, UsageView};

pub use super::status::views::{ListenerView, Mood, Overview, ProxyState, RefusedLinkView, Status, Today};
use super::{
    accounts::{
        sign_in_views::SignedInView,
        spill_views::{PaidOrder, SpillTo, SpillView},
    },
    plan::views::{GuardsOrder, GuardsView},
};
use crate::{
    domain::{Days, Endpoint, Lacks, MinuteOfDay, OpenWhen, Paid, PausedBy, StandingState, WindowSource},
    secrets::Sensitive,
};

/// An account with what it is good for now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    pub id: i64,
    pub name: String,
    /// Key of the provider in `/api/v1/providers`.
    pub provider: String,
    /// Where its requests go instead of the provider's own address.
    pub base_url: Option<String>,
    /// Lower goes first. -1000 to 1000.
    pub priority: i32,
    pub pool_id: i64,
    /// Name of the pool that it is in.
    pub pool: String,
    /// What is kept back of it; absent where nothing is.
    pub guards: Option<GuardsView>,
    /// Models that its upstream knows under another name: asked for to sent.
    pub models: BTreeMap<String, String>,
    /// What a person says that it does not take, besides what its provider is known to lack.
    #[serde(default)]
    pub lacks: Lacks,
    pub standing: StandingView,
    /// What a person keeps back of it and that keeps it back now, although it may stand ready.
    #[serde(default)]
    pub kept_back: Option<KeptBackView>,
    /// Families of models that it can't be asked for now although it stands ready for others.
    #[serde(default)]
    pub families_out: Vec<FamilyOut>,
    /// What makes others go first at this moment, as a sentence: it serves as many as it may, or has just come back.
    #[serde(default)]
    pub rush: Option<String>,
    /// Until when its upstream is in trouble; it is still asked where nobody else can serve.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub trouble_until: Option<Timestamp>,
    /// How it was signed in. Absent: it has a key that a person gave it, or none of its own.
    pub sign_in: Option<SignedInView>,
    /// How the sign-in stands that it pays with; absent where it has a key.
    #[serde(default)]
    pub renewal: Option<RenewalView>,
    /// How its use is paid; absent where nobody knows.
    #[serde(default)]
    pub paid: Option<Paid>,
    /// The same as a person has said it; absent: it shows by itself.
    #[serde(default)]
    pub said_paid: Option<Paid>,
    /// Where requests that would cost nothing here may spill over to. Absent: nowhere.
    pub spill: Option<SpillView>,
    /// Every usage window that is known, the most used of those that limit messages first. Of an account that passes sign-ins on: those of
    /// the sign-in that was used last.
    pub windows: Vec<WindowView>,
    /// When its provider was asked last what it has used; absent where it was not.
    #[serde(default)]
    pub usage: Option<UsageAskedView>,
    /// When its usage windows are opened by themselves; absent: never.
    #[serde(default)]
    pub open_window: Option<OpenWhen>,
    /// How it stands with that; absent where no window of it is ever opened by itself, and none was.
    #[serde(default)]
    pub opening: Option<OpeningView>,
    /// How often in a row a prompt of it is kept in the cache; absent: never.
    #[serde(default)]
    pub keep_warm: Option<u8>,
    /// Requests that it is serving at this moment.
    pub in_flight: u32,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The last question to a provider's usage endpoint.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UsageAskedView {
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub next_at: Timestamp,
    /// Why no answer came that could be read, as a sentence; absent where one came.
    pub failure: Option<String>,
}

/// How it stands with opening an account's usage windows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpeningView {
    /// When one was opened last, or that was tried.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// When that is done next; absent where its reset is not known, or none is asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// Why it was not done although it was time.
    pub kept_back: Option<String>,
}

/// When an account's usage windows are to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "when", rename_all = "snake_case")]
pub enum OpenWindow {
    /// Never by themselves.
    Off,
    /// Each time that one starts anew.
    AtReset,
    /// On these days at this time by the machine's clock.
    At {
        days: Days,
        #[serde(deserialize_with = "beginning")]
        time: MinuteOfDay,
    },
}

fn beginning<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<MinuteOfDay, D::Error> {
    let text = String::deserialize(deserializer)?;
    MinuteOfDay::beginning(&text).map_err(serde::de::Error::custom)
}

/// How an account's sign-in is kept alive.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RenewalView {
    /// When its token ends; absent where the provider has not said.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it is renewed next; absent where nothing but a refusal or a person brings that about.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// Whether it can be renewed without signing in again.
    pub renewable: bool,
    /// It is being renewed at this moment.
    pub running: bool,
    /// It was renewed, and the vault does not take what came; it is not used before.
    pub unkept: bool,
    /// How many tries have failed in a row.
    pub failures: u32,
    /// Why the last one failed, as a sentence.
    pub failure: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failed_at: Option<Timestamp>,
}

/// What the accounts of a provider pay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// Each has a key of its own.
    Key,
    /// They pass on the sign-in that the client brings.
    Client,
}

/// Ready, cooling, paused or in need of a sign-in, and why.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StandingView {
    pub state: StandingState,
    /// A sentence; absent when ready.
    pub reason: Option<String>,
    /// When it is expected back; absent when ready or unknown.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Who paused it, when paused.
    pub paused_by: Option<PausedBy>,
}

/// A family of models that an account can't be asked for, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FamilyOut {
    /// `opus`, `sonnet`, `haiku`, `fable`.
    pub family: String,
    /// A sentence without its full stop.
    pub reason: String,
    /// When it is expected back; absent where nobody knows.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// Why an account is not asked now: a reserve or a cap that is reached, or an hour in which it is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeptBackView {
    /// A sentence without its full stop.
    pub reason: String,
    /// When it is over; absent where nobody knows.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The model family that is kept back; absent where all are.
    pub family: Option<String>,
}

impl AccountView {
    /// Whether it may be asked now, for one family of models at least.
    pub fn is_ready(&self) -> bool {
        self.standing.state == StandingState::Ready && self.kept_back_wholly().is_none()
    }

    /// What keeps it back from everything.
    pub fn kept_back_wholly(&self) -> Option<&KeptBackView> {
        self.kept_back.as_ref().filter(|kept| kept.family.is_none())
    }
}

/// One usage limit as the upstream states it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WindowView {
    /// The upstream's own name: `5h`, `7d`, `7d_opus`, `requests`.
    pub name: String,
    /// The model family that it limits; absent where it limits all.
    pub family: Option<String>,
    /// The requests that it limits: those for messages, or for counts of tokens. Absent: none by itself; whoever
    /// is beyond it is served otherwise.
    pub limits: Option<Endpoint>,
    /// Used share, 0 to 1; absent where unknown or past its reset.
    pub utilization: Option<f64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Timestamp>,
    /// The upstream refuses until the reset.
    pub spent: bool,
    /// When it is tried again, where it is spent and the upstream did not say until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub again_at: Option<Timestamp>,
    pub source: WindowSource,
    #[schema(value_type = String, format = DateTime)]
    pub learned_at: Timestamp,
}

/// A new account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    pub name: String,
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Whether its address may be plain http:// on a private network, where the key can be read on its way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_plaintext: bool,
    #[serde(default)]
    pub priority: i32,
    /// The API key. It goes to the keychain and is never sent back. Left out where the provider's accounts pass
    /// on the client's sign-in.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "perhaps_sent_by_its_owner")]
    pub key: Option<Sensitive<String>>,
}

/// What to change; absent fields stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// An empty text removes the custom address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Whether the new address may be plain http:// on a private network, where the key can be read on its way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_plaintext: bool,
    /// All model names that its upstream knows under another name, asked for to sent; replaces those there
    /// are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<BTreeMap<String, String>>,
    /// All that it does not take: requests that need it are not sent to it. Replaces what was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<Lacks>,
    /// A new key for the same account; lifts "needs sign-in".
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "perhaps_sent_by_its_owner")]
    pub key: Option<Sensitive<String>>,
    /// How its use is paid: `plan`, `use`, or `auto`, as it shows by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<PaidOrder>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spill_to: Option<SpillTo>,
    /// The pool that it is put into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guards: Option<GuardsOrder>,
    /// When its usage windows are opened by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_window: Option<OpenWindow>,
    /// How often in a row a prompt of it is kept in the cache, 1 to 12; 0: never.
    #[schema(maximum = 12)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_warm: Option<u8>,
}

/// The command line sends the key or passphrase that its user piped in, and a client's key is shown to whoever makes it;
/// no other message has a secret in it.
pub(super) fn sent_by_its_owner<S: Serializer>(
    key: &Sensitive<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.expose())
}

#[expect(clippy::ref_option, reason = "the shape is serde's")]
pub(super) fn perhaps_sent_by_its_owner<S: Serializer>(
    key: &Option<Sensitive<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => sent_by_its_owner(key, serializer),
        None => serializer.serialize_none(),
    }
}

/// An account that was removed, and what points at nothing without it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemovedAccount {
    /// As it was.
    pub account: AccountView,
    /// Names of the routes that have a slot which points at nothing now.
    pub routes: Vec<String>,
    /// Names of the clients' keys whose list has it in it.
    pub keys: Vec<String>,
    /// Names of the accounts from which requests might spill over to it.
    pub spills: Vec<String>,
}

/// Why an account is to be paused.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseOrder {
    #[serde(default)]
    pub reason: String,
}

/// An upstream that accounts can be at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    pub id: String,
    pub title: String,
    pub about: String,
    /// Absent where each account has to name its own address.
    pub base_url: Option<String>,
    pub credential: CredentialKind,
}

/// What the event stream carries. A reader that lags gets `behind` and reads everything again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventView {
    /// A request began, moved on or ended; the row as it is now.
    Request { request: Box<RequestView> },
    /// Something about the accounts changed; read them again.
    Accounts,
    /// Something about the clients' keys changed; read them again.
    Keys,
    /// Something about pools, routes, bindings or the settings beside them changed; read them and the accounts
    /// again.
    Plan,
    /// A sign-in began, moved on or ended; look at it again.
    SignIns,
    /// A job began or ended; read the jobs and the status again.
    Jobs,
    /// Profiles of Claude Code, or what is known of their limits, changed; read them again.
    Profiles,
    /// The proxy was paused, resumed, started or stopped; read the status again.
    Status,
    /// Events were lost; read everything again.
    Behind,
}

/// A link for a browser that may be opened once, within two minutes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DashboardLink {
    /// The ticket stands behind `#`, so it reaches no log and no other server.
    pub url: String,
}

/// The ticket out of a dashboard link.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    pub ticket: String,
}

/// What a ticket is exchanged for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PageSession {
    /// Goes into `authorization: Bearer …` of every further call; good until the core stops.
    pub token: String,
}

/// What went wrong, for a person and for a program.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A word to match: `not_found`, `name_taken`, `bad_input`, `vault_locked`, `unauthorized`…
    pub code: String,
    /// A sentence with a next step.
    pub message: String,
}

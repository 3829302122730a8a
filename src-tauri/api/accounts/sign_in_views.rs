//! The shapes of sign-ins. The only secrets in them come in: a client's secret, and a code that was copied.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Refused;
use crate::api::views::perhaps_sent_by_its_owner;
use crate::api::views::sent_by_its_owner;
use crate::{
    accounts::{
        PlainHttp, Roster,
        sign_in::{Definition, Look, NotBegun, Order, Progress, Way, Whom},
    },
    domain::AccountId,
    routing::Contender,
    secrets::Sensitive,
};

/// One way to sign in, as the dialog shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInDefinition {
    pub id: String,
    pub title: String,
    pub about: String,
    /// Providers whose accounts are signed in to so, the proposed one first. Empty: any whose accounts have a key.
    pub providers: Vec<String>,
    /// How the answer may come back, the proposed way first.
    pub ways: Vec<SignInWay>,
    /// What is asked for unless other scopes are named.
    pub scopes: Vec<String>,
    /// Whether an issuer has to be named.
    pub wants_issuer: bool,
    /// The directory where none is named; absent where there are none.
    pub tenant: Option<String>,
    /// Where to get a client's id. Absent: there is no client.
    pub client: Option<String>,
    /// Whether a client came with this build, so that none has to be given.
    pub has_client: bool,
    /// Whether it brings a plain key, rather than tokens that are renewed.
    pub yields_key: bool,
}

/// How the answer of a sign-in comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignInWay {
    /// The browser asks a port of this machine.
    Loopback,
    /// The browser opens an address of the scheme `headgate`, for which the window has to be installed.
    DeepLink,
    /// A person copies a code, or the address that the browser was sent to.
    Paste,
    /// A person enters a code at the provider.
    Device,
}

/// A sign-in to begin: for an account that there is, or for a new one. What is absent is as it was the last time, or
/// as the definition has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignIn {
    /// The account that is signed in to again. Absent: a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<i64>,
    /// The new account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new account's provider. Absent: the first one that the definition names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Whether its address may be plain http:// on a private network, where the token can be read on its way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_plaintext: bool,
    #[serde(default)]
    pub priority: i32,
    /// Id of the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The client's secret, where it has one. It goes to the keychain and is never sent back.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "perhaps_sent_by_its_owner")]
    pub client_secret: Option<Sensitive<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<SignInWay>,
    /// Whether whoever begins it goes on asking how it stands, every few seconds: once nobody has for 30 seconds, it is
    /// called off. A command that was killed leaves nothing open so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attended: bool,
}

/// A sign-in as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInView {
    pub id: String,
    /// Id of the definition.
    pub with: String,
    pub title: String,
    pub way: SignInWay,
    pub state: SignInState,
    /// The address to open, while it waits.
    pub url: Option<String>,
    /// What is entered there, where a code is.
    pub user_code: Option<String>,
    /// Where that is entered by hand.
    pub enter_at: Option<String>,
    /// The account that was signed in to; of a new one once it is done.
    pub account: Option<i64>,
    /// The new account's name, where it is to be one.
    pub name: Option<String>,
    /// Why it failed, or what to do now that it is over: a sentence.
    pub message: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// How far a sign-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignInState {
    /// A person has to act.
    Waiting,
    /// A deep link has brought an answer; it waits for somebody's yes.
    Answered,
    /// The answer is here, and is being exchanged and kept.
    Exchanging,
    Done,
    Failed,
    Expired,
    Cancelled,
}

/// What a person copied: a code, `code#state`, or the whole address that the browser was sent to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PastedCode {
    #[schema(value_type = String)]
    #[serde(serialize_with = "sent_by_its_owner")]
    pub code: Sensitive<String>,
}

/// An address of the scheme `headgate` that the system opened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    #[schema(value_type = String)]
    #[serde(serialize_with = "sent_by_its_owner")]
    pub url: Sensitive<String>,
}

/// How an account was signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedInView {
    /// Id of the definition.
    pub with: String,
    pub client_id: Option<String>,
    pub issuer: Option<String>,
    pub tenant: Option<String>,
    pub scopes: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether it is renewed without a person. A plain key needs no renewal.
    pub renews: bool,
    /// When its token ends, if that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl SignInDefinition {
    pub(in crate::api) fn of(definition: &Definition) -> Self {
        let text = |text: &std::sync::Arc<str>| text.to_string();
        Self {
            id: text(&definition.id),
            title: definition.title.clone(),
            about: definition.about.clone(),
            providers: definition.providers.iter().map(ToString::to_string).collect(),
            ways: definition.ways.iter().map(|way| SignInWay::of(*way)).collect(),
            scopes: definition.scopes.iter().map(text).collect(),
            wants_issuer: definition.wants_issuer(),
            tenant: definition.tenant.clone(),
            client: definition.client.clone(),
            has_client: definition.packaged_client().is_some(),
            yields_key: definition.yields_key(),
        }
    }
}

impl SignInWay {
    fn of(way: Way) -> Self {
        match way {
            Way::Loopback => Self::Loopback,
            Way::DeepLink => Self::DeepLink,
            Way::Paste => Self::Paste,
            Way::Device => Self::Device,
        }
    }

    fn read(self) -> Way {
        match self {
            Self::Loopback => Way::Loopback,
            Self::DeepLink => Way::DeepLink,
            Self::Paste => Way::Paste,
            Self::Device => Way::Device,
        }
    }
}

impl NewSignIn {
    /// The order, where it says whose sign-in it is, and names a way to sign in that there is or none.
    pub(in crate::api) fn read(self, roster: &Roster) -> Result<Order, Refused> {
        let all = roster.catalog().sign_ins();
        let known = |given: &str| all.get(given).ok_or_else(|| NotBegun::no_such(given, all));
        // First: whoever mistypes it would be asked for things that its definition says.
        let definition = self.with.as_deref().map(known).transpose()?;
        let whom = match (self.account, self.name) {
            (Some(_), Some(_)) => {
                return Err(Refused::bad_input(
                    "name an account that there is, or give a new one a name; not both",
                ));
            }
            (Some(_), None) if self.base_url.is_some() || self.provider.is_some() || self.priority != 0 => {
                return Err(Refused::bad_input(
                    "the account is there already, and a sign-in changes nothing else of it: leave its address, \
                     provider and priority out, or change them with `headgate accounts base-url` and `headgate accounts \
                     priority`",
                ));
            }
            (Some(id), None) => Whom::Again(AccountId(id)),
            (None, None) => {
                return Err(Refused::bad_input(
                    "say which account: `account` for one that there is, `name` for a new one",
                ));
            }
            (None, Some(name)) => {
                let proposed = || definition?.providers.first().map(ToString::to_string);
                let provider = self.provider.or_else(proposed).ok_or_else(|| {
                    Refused::bad_input(format!(
                        "say which provider the new account is at, with `provider`, or --provider on the command line: \
                         one of {}",
                        roster.catalog().ids()
                    ))
                })?;
                let plain_http = PlainHttp::allowed(self.allow_plaintext);
                Whom::New { name, provider, base_url: self.base_url, plain_http, priority: self.priority }
            }
        };
        Ok(Order {
            whom,
            with: self.with,
            client_id: self.client_id,
            client_secret: self.client_secret,
            issuer: self.issuer,
            tenant: self.tenant,
            scopes: self.scopes,
            way: self.way.map(SignInWay::read),
            is_attended: self.attended,
        })
    }
}

impl SignInView {
    pub(in crate::api) fn of(look: Look) -> Self {
        let (state, message) = match &look.progress {
            Progress::Waiting if look.is_answered => (SignInState::Answered, None),
            Progress::Waiting => (SignInState::Waiting, None),
            Progress::Exchanging => (SignInState::Exchanging, None),
            Progress::Done(_) => (SignInState::Done, None),
            Progress::Failed(why) => (SignInState::Failed, Some(why.clone())),
            Progress::Expired => (SignInState::Expired, Some("nobody answered in time; begin again".into())),
            Progress::Cancelled => (SignInState::Cancelled, None),
        };
        let account = match (&look.progress, &look.whom) {
            (Progress::Done(id), _) | (_, Whom::Again(id)) => Some(id.0),
            _ => None,
        };
        let name = match look.whom {
            Whom::New { name, .. } => Some(name),
            Whom::Again(_) => None,
        };
        let (user_code, enter_at) = look.shown.map(|shown| (shown.user_code, shown.at.to_string())).unzip();
        Self {
            id: look.id.0.to_string(),
            with: look.definition.id.to_string(),
            title: look.definition.title.clone(),
            way: SignInWay::of(look.way),
            state,
            url: look.open.map(Into::into),
            user_code,
            enter_at,
            account,
            name,
            message,
            expires_at: look.until,
        }
    }

    /// For who looks at all of them: an address holds the sign-in's state.
    pub(in crate::api) fn without_addresses(self) -> Self {
        Self { url: None, user_code: None, enter_at: None, ..self }
    }
}

impl SignedInView {
    pub(in crate::api) fn of(contender: &Contender, roster: &Roster) -> Option<Self> {
        let terms = contender.account.sign_in.as_deref()?;
        let tokens = roster.tokens(contender.account.id);
        let text = |text: &std::sync::Arc<str>| text.to_string();
        Some(Self {
            with: text(&terms.with),
            client_id: terms.client_id.as_ref().map(text),
            issuer: terms.issuer.as_ref().map(ToString::to_string),
            tenant: terms.tenant.as_ref().map(text),
            scopes: terms.scopes.iter().map(text).collect(),
            at: terms.at,
            renews: tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_some()),
            expires_at: tokens.and_then(|tokens| tokens.expires_at),
        })
    }
}

//! The words of Headgate as plain data. No I/O, no clock, no async: every other room may use this
//! one, and this one uses none.

mod account;
mod ask;
mod exchange;
mod id;
mod key;
mod money;
mod model;
mod model_map;
mod standing;
mod usage;
mod verdict;
mod window;

pub use account::{Account, AccountName, BadName, Credential, Provider, ProviderId, Spill, SpillTo};
pub use ask::{Ask, Family};
pub use exchange::{Attempt, Ending, Exchange, ExchangeStart};
pub use id::{AccountId, BadId, ExchangeId};
pub use key::{BadModelRule, Budget, ClientKey, Grant, KeyId, KeyName, ModelRule, Scope, Scopes, Spent};
pub use model::Model;
pub use model_map::{BadModelMap, ModelMap};
pub use money::Micros;
pub use standing::{Bench, Pause, PausedBy, Standing, StandingState};
pub use usage::Usage;
pub use verdict::{Verdict, VerdictKind};
pub use window::{Window, WindowName, WindowSource};

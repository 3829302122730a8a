//! The words of Headgate as plain data. No I/O, no clock, no async: every other room may use this
//! one, and this one uses none.

mod account;
mod ask;
mod binding;
mod count;
mod decision;
mod exchange;
mod finding;
mod guard;
mod id;
mod job;
mod key;
mod money;
mod model;
mod model_map;
mod name;
mod period;
mod pool;
mod profile;
mod recorded;
mod renewal;
mod route;
mod secretive;
mod sign_in;
mod skew;
mod standing;
mod sums;
mod timed;
mod usage;
mod verdict;
mod window;

pub use account::{Account, Credential, Lacks, Paid, Provider, ProviderId, Spill, SpillTo};
pub use ask::{Ask, CachePrice, Conversation, Endpoint, Family, Need, Needs};
pub use binding::{Binding, BindingId, Role, Subject};
pub use count::counted;
pub use decision::{
    Candidate, Choice, DecisionId, DecisionRecord, Gain, KeptDecision, MOST_CANDIDATES, Outcome, Prevented,
    Weighed,
};
pub use exchange::{Attempt, Ending, Exchange, ExchangeStart};
pub use finding::Finding;
pub use guard::{
    BadPercent, BadTime, BadZone, Cap, Caps, Day, Days, Guards, MOST_GUARDS, MinuteOfDay, Outlay, Peak,
    Percent, Reserve, Spare, ZoneName,
};
pub use id::{AccountId, BadId, ExchangeId};
pub use job::{JobId, JobOutcome, JobRun};
pub use key::{BadModelRule, Budget, ClientKey, Grant, KeyId, ModelRule, Scope, Scopes, Spent};
pub use model::Model;
pub use model_map::{BadModelMap, ModelMap};
pub use money::{Cost, Micros};
pub use name::{AccountName, BadName, KeyName, PoolName, RouteName};
pub use period::Period;
pub use pool::{Policy, Pool, PoolId};
pub use profile::{BadProfileName, Profile, ProfileId, ProfileName};
pub use recorded::Recorded;
pub use renewal::{Mending, RenewalTrouble};
pub use route::{LONGEST_IDLE, MOST_SLOTS, Route, RouteId, RouteIdle, RouteModels, Slot, Target};
pub use secretive::looks_secret;
pub use sign_in::{SignIn, sign_in_again};
pub use skew::{SKEW, is_ahead};
pub use standing::{Bench, Pause, PausedBy, Standing, StandingState};
pub use sums::{Sum, Sums};
pub use timed::{MOST_REPEATS, OpenWhen, Opening, Timed, first_after};
pub use usage::Usage;
pub use verdict::{Verdict, VerdictKind};
pub use window::{Again, SAME_RESET, Window, WindowName, WindowSource};

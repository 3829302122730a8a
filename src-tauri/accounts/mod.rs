//! Who pays: the accounts with their standing and their keys, held in memory for the hot path and kept by
//! `store` and `secrets`. Decides nothing: that is routing's.

mod affinity;
mod asked;
mod edit;
mod edit_error;
mod guards;
pub mod homes;
mod logins;
mod outlay;
mod plan;
mod purse;
pub mod renewal;
mod roster;
pub mod sign_in;
mod signed_in;
mod tokens;

pub use crate::providers::PlainHttp;
pub use asked::{
    models::Offer,
    opening::{KeptBack, OpeningDue},
    readings::{Heard, Question},
};
pub use edit::{Change, NewAccount, SpillOrder};
pub use edit_error::EditError;
pub use guards::GuardsChange;
pub use logins::LoginId;
pub use plan::{Dissolved, NewBinding, NewPool, NewRoute, PlanError, RouteChange};
pub use purse::{Whose, key_of, whose};
pub use roster::Roster;
pub use signed_in::Brought;
pub use tokens::{BadTokens, Tokens};

//! Who pays: the accounts with their standing and their keys, held in memory for the hot path and kept by
//! `store` and `secrets`. Decides nothing: that is routing's.

mod affinity;
mod edit;
mod logins;
mod models;
mod roster;

pub use edit::{Change, EditError, NewAccount, SpillOrder};
pub use logins::LoginId;
pub use models::Offer;
pub use roster::Roster;

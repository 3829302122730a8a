//! Who pays: the accounts with their standing and their keys, held in memory for the hot path and kept by
//! `store` and `secrets`. Decides nothing: that is routing's.

mod edit;
mod roster;

pub use edit::{Change, EditError, NewAccount};
pub use roster::Roster;

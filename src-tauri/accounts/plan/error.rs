//! What can go wrong with pools, routes and bindings, in words for a person.

use super::bindings::LONGEST_SUBJECT;
use crate::{
    domain::{AccountId, BadModelRule, BadName, MOST_SLOTS},
    store::StoreError,
};

/// Why an act was not done; each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("there is no such pool; `headgate pools` lists them")]
    NoPool,
    #[error("there is no such route; `headgate routes` lists them")]
    NoRoute,
    #[error("there is no such binding; `headgate bindings` lists them")]
    NoBinding,
    #[error("there is no account {0}; `headgate accounts` lists them")]
    NoAccount(AccountId),
    #[error("another {0} is already called \"{1}\"; names are unique without regard to case")]
    NameTaken(&'static str, String),
    #[error("a {0} with this id is there already; leave the id out to make another one")]
    IdTaken(&'static str),
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error(
        "a route is for a family (opus, sonnet, haiku, fable), a model's id, or the beginning of one with a `*` at its end"
    )]
    BadModels(#[from] BadModelRule),
    #[error("the pool main keeps its name; make another pool and move accounts into it")]
    MainIsMain,
    #[error("the pool main is always there; give its accounts to another pool, or change its policy")]
    MainStays,
    #[error("there are {1} {0} already; remove one that is not needed")]
    TooMany(&'static str, usize),
    #[error("a route leads somewhere: give it 1 to {MOST_SLOTS} slots")]
    BadSlots,
    #[error(
        "an answer may be silent for 1 to {} seconds; 0 is as long as any other may",
        crate::domain::LONGEST_IDLE
    )]
    BadIdle,
    #[error("slot {0} points at nothing; `headgate accounts` and `headgate pools` list what there is")]
    NoTarget(usize),
    #[error("slot {0} asks for a model by its id, without blanks or a `*`")]
    BadModel(usize),
    #[error("{0} is bound already; change that binding, or remove it first")]
    Bound(String),
    #[error(
        "what is bound has a name of 1 to {LONGEST_SUBJECT} characters, none of them a control character"
    )]
    BadSubject,
    #[error("a folder is named from the root on, as in /work/project")]
    BadFolder,
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for PlanError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

//! Who is not asked again for one request.

use std::sync::Arc;

use super::Contender;
use crate::domain::AccountId;

/// An account that is passed over for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    account: AccountId,
    as_asked: As,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum As {
    /// Whatever it would be asked for.
    Anything,
    /// For this model of a slot; `None`: for the one that the client named.
    Model(Option<Arc<str>>),
}

impl Aside {
    /// It can't be asked for this at all.
    pub fn wholly(account: AccountId) -> Self {
        Self { account, as_asked: As::Anything }
    }

    /// It has failed it, asked for this model of a slot, or for the one that the client named. A later slot may
    /// ask the same account for another one.
    pub fn asked_for(account: AccountId, model: Option<Arc<str>>) -> Self {
        Self { account, as_asked: As::Model(model) }
    }

    pub(super) fn is(&self, contender: &Contender, model: Option<&Arc<str>>) -> bool {
        let is_as_asked = || match &self.as_asked {
            As::Anything => true,
            As::Model(asked) => asked.as_ref() == model,
        };
        self.account == contender.account.id && is_as_asked()
    }
}

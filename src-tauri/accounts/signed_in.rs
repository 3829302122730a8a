//! Accounts that were signed in, as the roster holds them: their tokens in memory and in the vault, and what is said
//! of one whose sign-in is gone. Asks no authorisation server.

use std::sync::{Arc, PoisonError};

use jiff::Timestamp;

use super::{EditError, Roster, Tokens, roster::lock};
use crate::{
    domain::{Account, AccountId, AccountName, Provider},
    events::Event,
    providers::{Catalog, Yields},
    secrets::{SecretName, Sensitive},
};

/// What the vault had for an account.
#[derive(Default)]
pub(super) struct Held {
    pub bearer: Option<Arc<Sensitive<String>>>,
    pub tokens: Option<Arc<Tokens>>,
}

/// Reads what the vault kept for an account; where that is of no use, the account says so and what to do.
pub(super) fn hold(
    account: &mut Account,
    provider: &mut Arc<Provider>,
    kept: Option<Sensitive<String>>,
    catalog: &Catalog,
    now: Timestamp,
) -> Held {
    let Some(sign_in) = &account.sign_in else {
        if kept.is_none() {
            account.refused = Some("its key is not in the vault".into());
        }
        return Held { bearer: kept.map(Arc::new), tokens: None };
    };
    let Some(definition) = catalog.sign_ins().get(&sign_in.with) else {
        account.refused = Some(again(&account.name, "this version does not know how it was signed in"));
        return Held::default();
    };
    *provider = definition.serves(provider);
    let Some(kept) = kept else {
        account.refused = Some(again(&account.name, "its sign-in is not in the vault"));
        return Held::default();
    };
    if definition.yields == Yields::Key {
        return Held { bearer: Some(Arc::new(kept)), tokens: None };
    }
    let Ok(tokens) = Tokens::read(&kept) else {
        account.refused = Some(again(&account.name, "its sign-in can't be read"));
        return Held::default();
    };
    if tokens.are_over(now) {
        account.refused = Some(again(&account.name, "its sign-in has ended"));
    }
    Held { bearer: Some(Arc::clone(&tokens.access)), tokens: Some(Arc::new(tokens)) }
}

/// What is said of an account that a person has to sign in again.
pub(super) fn again(name: &AccountName, why: &str) -> Arc<str> {
    format!("{why}; sign in again with `headgate accounts sign-in \"{name}\"`").into()
}

impl Roster {
    /// The tokens of an account that was signed in; `None` for one with a plain key, or with nothing.
    pub fn tokens(&self, id: AccountId) -> Option<Arc<Tokens>> {
        self.inner().tokens.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Keeps an account's next tokens, in the vault before they are used, if `before` are still the ones it has. False
    /// if they are not: a person has signed in meanwhile, or removed it. Blocks on the keychain.
    ///
    /// # Errors
    /// If the vault refuses. The tokens of before are still in use then, and `next` is the caller's to keep.
    pub fn renew_tokens(
        &self,
        id: AccountId,
        before: &Arc<Tokens>,
        next: &Arc<Tokens>,
    ) -> Result<bool, EditError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        if !self.has_tokens(id, before) {
            return Ok(false);
        }
        inner.vault.put(&SecretName::of_account(id), &next.text())?;
        self.take_tokens(id, next);
        Ok(true)
    }

    /// Has an account need a sign-in, and says why, if `refused` are still the tokens that it has. Blocks on the disk.
    ///
    /// # Errors
    /// If that can't be kept.
    pub fn end_sign_in(&self, id: AccountId, refused: &Arc<Tokens>, why: &str) -> Result<bool, EditError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        if !self.has_tokens(id, refused) {
            return Ok(false);
        }
        let said = |contender: &mut crate::routing::Contender| {
            contender.account.refused = Some(again(&contender.account.name, why));
            contender.account.bench = None;
        };
        let Some(contender) = inner.update(id, said) else { return Ok(false) };
        inner.store.save_health(id, None, contender.account.refused.clone());
        inner.events.tell(|| Event::Accounts);
        Ok(true)
    }

    fn has_tokens(&self, id: AccountId, these: &Arc<Tokens>) -> bool {
        self.tokens(id).is_some_and(|current| Arc::ptr_eq(&current, these))
    }

    /// Uses these tokens from now on.
    pub(super) fn take_tokens(&self, id: AccountId, tokens: &Arc<Tokens>) {
        let inner = self.inner();
        inner.tokens.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(tokens));
        inner.keys.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&tokens.access));
    }
}

//! Accounts that were signed in, as the roster holds them: their tokens in memory and in the vault, and what is said
//! of one whose sign-in is gone. Asks no authorisation server.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    EditError, Roster, Tokens,
    edit::{Anew, check_key},
    purse::{renewed, tokens_of},
    roster::lock,
    sign_in::Whom,
};
use crate::{
    domain::{Account, AccountId, Provider, SignIn, sign_in_again},
    events::Event,
    providers::{Catalog, Yields},
    secrets::{SecretName, Sensitive},
    store::NewAccountRow,
};

/// What a sign-in has brought, or a person: what an account pays with from now on.
#[derive(Debug, Clone)]
pub enum Brought {
    /// A plain key.
    Key(Sensitive<String>),
    /// Tokens.
    Tokens(Arc<Tokens>),
}

impl Brought {
    /// As it lies in the vault.
    pub(super) fn text(&self) -> Sensitive<String> {
        match self {
            Self::Key(key) => key.clone(),
            Self::Tokens(tokens) => tokens.text(),
        }
    }

    /// The tokens, if it is these.
    pub fn tokens(&self) -> Option<&Arc<Tokens>> {
        match self {
            Self::Key(_) => None,
            Self::Tokens(tokens) => Some(tokens),
        }
    }
}

/// Reads what the vault kept for an account; where that is of no use, the account says so and what to do.
pub(super) fn hold(
    account: &mut Account,
    provider: &mut Arc<Provider>,
    kept: Option<Sensitive<String>>,
    catalog: &Catalog,
    now: Timestamp,
) -> Option<Brought> {
    let Some(sign_in) = &account.sign_in else {
        if kept.is_none() {
            account.refused = Some("its key is not in the vault".into());
        }
        return kept.map(Brought::Key);
    };
    let Some(definition) = catalog.sign_ins().get(&sign_in.with) else {
        account.refused =
            Some(sign_in_again(&account.name, "this version does not know how it was signed in"));
        return None;
    };
    *provider = definition.serves(provider);
    let Some(kept) = kept else {
        account.refused = Some(sign_in_again(&account.name, "its sign-in is not in the vault"));
        return None;
    };
    if definition.yields == Yields::Key {
        return Some(Brought::Key(kept));
    }
    let Ok(tokens) = Tokens::read(&kept) else {
        account.refused = Some(sign_in_again(&account.name, "its sign-in can't be read"));
        return None;
    };
    if tokens.are_over(now) {
        account.refused = Some(sign_in_again(&account.name, "its sign-in has ended"));
    }
    Some(Brought::Tokens(Arc::new(tokens)))
}

impl Roster {
    /// The tokens of an account that was signed in; `None` for one with a plain key, or with nothing.
    pub fn tokens(&self, id: AccountId) -> Option<Arc<Tokens>> {
        tokens_of(self.snapshot().get(id)?).cloned()
    }

    /// The accounts that have tokens.
    pub(super) fn signed_in(&self) -> Vec<AccountId> {
        let snapshot = self.snapshot();
        let signed_in = snapshot.contenders.iter().filter(|known| tokens_of(known).is_some());
        signed_in.map(|known| known.account.id).collect()
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
        inner.vault().put(&SecretName::of_account(id), &next.text())?;
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
            contender.account.refused = Some(sign_in_again(&contender.account.name, why));
            contender.account.bench = None;
        };
        let Some(contender) = inner.update(id, said) else { return Ok(false) };
        inner.store.save_health(id, None, contender.account.refused.clone());
        inner.events.tell(|| Event::Accounts);
        Ok(true)
    }

    /// Keeps what a sign-in brought: with a new account, or with the one that there is, whose row, id and history stay.
    /// Blocks on disk and keychain.
    ///
    /// # Errors
    /// As [`Roster::add`] and [`Roster::change`]; nothing has changed then.
    pub fn sign_in(&self, whom: &Whom, terms: &SignIn, brought: &Brought) -> Result<AccountId, EditError> {
        let inner = self.inner();
        let brought = match brought {
            Brought::Key(key) => Brought::Key(check_key(key.clone())?),
            Brought::Tokens(_) => brought.clone(),
        };
        let terms = Arc::new(SignIn { at: inner.clock.now(), ..terms.clone() });
        let definition = inner.catalog.sign_ins().get(&terms.with);
        let served = |provider: Arc<Provider>| match &definition {
            Some(definition) => definition.serves(&provider),
            None => provider,
        };
        let id = match whom {
            Whom::New { name, provider, base_url, plain_http, priority } => {
                let (row, provider) =
                    self.vet(name, provider, base_url.as_deref(), *plain_http, *priority)?;
                let row = NewAccountRow { sign_in: Some(terms), ..row };
                return Ok(self.enter(row, served(provider), Some(brought))?.account.id);
            }
            Whom::Again(id) => *id,
        };
        let _acting = lock(&inner.acting);
        let provider = served(self.plain(id)?);
        self.act_in_turn(id, Some(Anew { secret: brought, provider }), |account, provider| {
            if provider.passes_logins() {
                return Err(EditError::NoKeyWanted(provider.title.clone()));
            }
            account.sign_in = Some(Arc::clone(&terms));
            // What the old one brought about says nothing of it.
            (account.refused, account.bench) = (None, None);
            Ok(())
        })?;
        inner.models.forget(id);
        inner.readings.forget(id);
        inner.update(id, |contender| contender.offers = inner.models.known_of(contender));
        Ok(id)
    }

    pub(super) fn has_tokens(&self, id: AccountId, these: &Arc<Tokens>) -> bool {
        self.tokens(id).is_some_and(|current| Arc::ptr_eq(&current, these))
    }

    /// Uses these tokens from now on, in place of those that they came for.
    pub(super) fn take_tokens(&self, id: AccountId, tokens: &Arc<Tokens>) {
        let inner = self.inner();
        inner.update(id, |contender| contender.purse = renewed(&contender.purse, tokens));
        inner.due_anew.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        domain::StandingState,
        events::Events,
        providers::PlainHttp,
        routing::{Ration, standing},
        secrets::{Memory, Vault},
        store,
    };

    struct Shelf {
        store: store::Store,
        vault: Arc<Memory>,
        _folder: tempfile::TempDir,
    }

    impl Shelf {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = store::Store::open(&folder.path().join("db"), store::Options::default()).unwrap();
            Self { store, vault: Arc::default(), _folder: folder }
        }

        fn load(&self) -> Roster {
            let (clock, events) = (Clock::system(), Events::default());
            let catalog = Catalog::built_in();
            Roster::load(self.store.clone(), self.vault.clone(), catalog, clock, events, Ration::default())
                .unwrap()
        }
    }

    fn tokens(access: &str) -> Arc<Tokens> {
        Arc::new(Tokens {
            access: Arc::new(Sensitive::new(access.to_owned())),
            refresh: Some(Sensitive::new(format!("{access}-refresh"))),
            expires_at: None,
            obtained_at: Timestamp::UNIX_EPOCH,
            client_secret: None,
        })
    }

    fn signed_in(roster: &Roster) -> AccountId {
        let whom = Whom::New {
            name: "work".into(),
            provider: "anthropic".into(),
            base_url: None,
            plain_http: PlainHttp::Here,
            priority: 0,
        };
        let terms = SignIn {
            with: "oidc".into(),
            client_id: Some("client".into()),
            issuer: Some("https://id.example.com".parse().unwrap()),
            tenant: None,
            scopes: vec!["openid".into()],
            at: Timestamp::UNIX_EPOCH,
        };
        roster.sign_in(&whom, &terms, &Brought::Tokens(tokens("first"))).unwrap()
    }

    fn bearer(roster: &Roster, id: AccountId) -> Option<String> {
        roster.bearer(id).map(|bearer| bearer.expose().clone())
    }

    fn said(roster: &Roster, id: AccountId) -> Option<String> {
        let snapshot = roster.snapshot();
        let standing = standing(snapshot.get(id).unwrap(), Clock::system().now());
        (standing.state == StandingState::NeedsSignIn).then(|| standing.reason.unwrap().to_string())
    }

    #[test]
    fn a_sign_in_is_known_after_a_restart_and_one_that_is_gone_says_what_to_do() {
        let shelf = Shelf::new();
        let id = signed_in(&shelf.load());
        let again = shelf.load();
        assert_eq!(bearer(&again, id).unwrap(), "first");
        let snapshot = again.snapshot();
        let known = snapshot.get(id).unwrap();
        assert_eq!(
            known.account.sign_in.as_ref().unwrap().issuer.as_ref().unwrap().as_str(),
            "https://id.example.com/"
        );
        let crate::domain::Credential::Key(places) = &known.provider.credential else {
            panic!("it has tokens")
        };
        assert_eq!(places[0].0, "authorization");

        let name = SecretName::of_account(id);
        for (text, why) in [(Some("sk-a-key"), "can't be read"), (None, "not in the vault")] {
            match text {
                Some(text) => shelf.vault.put(&name, &Sensitive::new(text.to_owned())).unwrap(),
                None => shelf.vault.remove(&name).unwrap(),
            }
            let roster = shelf.load();
            let said = said(&roster, id).unwrap();
            assert!(said.contains(why) && said.contains("headgate accounts sign-in"), "{said}");
            assert_eq!(bearer(&roster, id), None, "and nothing is sent as its token");
        }
    }

    #[test]
    fn next_tokens_are_kept_before_they_are_used_and_only_in_place_of_those_that_were_renewed() {
        let shelf = Shelf::new();
        let roster = shelf.load();
        let id = signed_in(&roster);
        let (first, second) = (roster.tokens(id).unwrap(), tokens("second"));
        assert!(roster.renew_tokens(id, &first, &second).unwrap());
        assert_eq!(bearer(&roster, id).unwrap(), "second");
        assert_eq!(bearer(&shelf.load(), id).unwrap(), "second", "they were kept");

        assert!(!roster.renew_tokens(id, &first, &tokens("late")).unwrap(), "somebody was faster");
        assert!(!roster.end_sign_in(id, &first, "its sign-in was refused").unwrap());
        assert_eq!(said(&roster, id), None, "what is said of the old ones says nothing of these");
        assert!(roster.end_sign_in(id, &second, "its sign-in was refused").unwrap());
        assert!(said(&roster, id).unwrap().starts_with("its sign-in was refused; sign in again"));
        shelf.store.flush().unwrap();
        assert!(said(&shelf.load(), id).is_some(), "after a restart too");

        roster.remove(id).unwrap();
        assert!(!roster.renew_tokens(id, &second, &tokens("later")).unwrap(), "a removed account gets none");
        assert_eq!(shelf.vault.names().unwrap().unwrap(), []);
    }
}

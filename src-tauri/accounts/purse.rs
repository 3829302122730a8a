//! What an account pays with, as the snapshot carries it: the key, the tokens that it belongs to, and whose it is. It is
//! published in one step with the address that it is for, so that no request ever carries a key to where another went.

use std::sync::Arc;

use super::{Brought, Tokens};
use crate::{
    routing::{Contender, Purse},
    secrets::Sensitive,
};

/// See the file.
pub(super) struct Means {
    key: Arc<Sensitive<String>>,
    tokens: Option<Arc<Tokens>>,
    whose: Whose,
}

/// Whose credential it is: the same through every renewal, and another one with each key and each sign-in. Tells nothing
/// of the secret.
#[derive(Debug, Clone)]
pub struct Whose(Arc<()>);

impl PartialEq for Whose {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The live credential of an account as it stands here.
pub fn key_of(account: &Contender) -> Option<&Arc<Sensitive<String>>> {
    Some(&account.purse.look::<Means>()?.key)
}

/// Whose that is.
pub fn whose(account: &Contender) -> Option<&Whose> {
    Some(&account.purse.look::<Means>()?.whose)
}

/// The tokens of an account that was signed in; `None` for one with a plain key, or with nothing.
pub(super) fn tokens_of(account: &Contender) -> Option<&Arc<Tokens>> {
    account.purse.look::<Means>()?.tokens.as_ref()
}

/// With something that it did not have before.
pub(super) fn filled(brought: Brought) -> Purse {
    let (key, tokens) = match brought {
        Brought::Key(key) => (Arc::new(key), None),
        Brought::Tokens(tokens) => (Arc::clone(&tokens.access), Some(tokens)),
    };
    Purse::of(Means { key, tokens, whose: Whose(Arc::new(())) })
}

/// With the tokens that came for those that it has.
pub(super) fn renewed(purse: &Purse, tokens: &Arc<Tokens>) -> Purse {
    let whose = purse.look::<Means>().map_or_else(|| Whose(Arc::new(())), |means| means.whose.clone());
    Purse::of(Means { key: Arc::clone(&tokens.access), tokens: Some(Arc::clone(tokens)), whose })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{
        accounts::{NewAccount, Roster, edit::Anew, roster::lock},
        clock::Clock,
        domain::AccountId,
        events::Events,
        providers::{Catalog, PlainHttp},
        routing::Ration,
        secrets::Memory,
        store,
    };

    fn key(text: &str) -> Sensitive<String> {
        Sensitive::new(text.to_owned())
    }

    fn roster(folder: &std::path::Path) -> (Roster, AccountId) {
        let store = store::Store::open(&folder.join("db"), store::Options::default()).unwrap();
        let (vault, catalog) = (Arc::new(Memory::default()), Catalog::built_in());
        let roster =
            Roster::load(store, vault, catalog, Clock::system(), Events::default(), Ration::default())
                .unwrap();
        let new = NewAccount {
            name: "work".into(),
            provider: "anthropic".into(),
            base_url: Some("https://old.example".into()),
            plain_http: PlainHttp::Here,
            priority: 0,
            key: Some(key("old")),
        };
        let id = roster.add(new).unwrap().account.id;
        (roster, id)
    }

    #[test]
    fn for_a_moment_a_new_key_was_there_for_requests_to_the_old_address() {
        let folder = tempfile::tempdir().unwrap();
        let (roster, id) = roster(folder.path());
        let seen = RefCell::new(Vec::new());
        let look = || {
            let snapshot = roster.snapshot();
            let known = snapshot.get(id).unwrap();
            let host = known.base_url().unwrap().host_str().unwrap().to_owned();
            let said = |key: Option<&Arc<Sensitive<String>>>| key.unwrap().expose().clone();
            seen.borrow_mut().push((host, said(key_of(known)), said(roster.bearer(id).as_ref())));
        };
        let provider = roster.plain(id).unwrap();
        let _acting = lock(&roster.inner().acting);
        let anew = Some(Anew { secret: Brought::Key(key("new")), provider });
        let change = |account: &mut crate::domain::Account, _: &crate::domain::Provider| {
            // It is applied to what is kept, and in the last moment before it is published.
            look();
            account.base_url = Some("https://new.example".parse().unwrap());
            Ok(())
        };
        roster.act_in_turn(id, anew, change).unwrap();
        look();
        let both = |host: &str, key: &str| (host.to_owned(), key.to_owned(), key.to_owned());
        let old = both("old.example", "old");
        assert_eq!(*seen.borrow(), [old.clone(), old, both("new.example", "new")]);
    }

    #[test]
    fn a_renewal_leaves_it_the_same_persons_and_a_key_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (roster, id) = roster(folder.path());
        let whose_now = || whose(roster.snapshot().get(id).unwrap()).unwrap().clone();
        let first = whose_now();
        let tokens = Arc::new(Tokens {
            access: Arc::new(key("access")),
            refresh: None,
            expires_at: None,
            obtained_at: jiff::Timestamp::UNIX_EPOCH,
            client_secret: None,
        });
        roster.take_tokens(id, &tokens);
        assert_eq!((roster.bearer(id).unwrap().expose().as_str(), whose_now() == first), ("access", true));
        let another = crate::accounts::Change { key: Some(key("old")), ..Default::default() };
        roster.change(id, another).unwrap();
        assert!(whose_now() != first, "whoever typed it may have meant another organisation's");
        assert!(roster.tokens(id).is_none());
    }
}

//! Whose secrets are whose: pure. A secret that no account owns is an orphan; an account that can't serve without one
//! and has none misses it. What this version does not know is somebody's.

use std::collections::BTreeSet;

use crate::{
    domain::{Account, AccountId, AccountName},
    providers::Catalog,
    secrets::SecretName,
};

/// An account as far as secrets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub id: AccountId,
    pub name: AccountName,
    pub needs: Needs,
    /// Its secret comes of a sign-in.
    pub is_signed_in: bool,
}

/// What an account has to do with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// It can't serve without one.
    One,
    /// It passes on what clients bring, and owns none.
    None,
    /// A newer version added it: what lies under its name is its own, whatever that is.
    Unknown,
}

/// What was found in a vault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// How many secrets there are, those of nobody included.
    pub secrets: usize,
    /// Those of nobody.
    pub orphans: Vec<SecretName>,
    /// The accounts that lack theirs.
    pub missing: Vec<Owner>,
    /// The accounts that have theirs, as far as this version knows them.
    pub having: BTreeSet<AccountId>,
}

/// The accounts that the roster knows, each with whether it has what it pays with.
pub(super) type Known = Vec<(AccountId, bool)>;

impl Findings {
    /// The same after accounts came, went or were given their secrets: whoever does that says so here, and nobody has to
    /// look. `then` is who was known at the look. What changed in the home behind our back only the next look tells.
    pub(super) fn since(&self, then: &Known, now: &Known) -> Self {
        let is_there = |id: AccountId| now.iter().any(|(known, _)| *known == id);
        let ids = |known: &[(AccountId, bool)], keep: &dyn Fn(&(AccountId, bool)) -> bool| {
            known.iter().filter(|one| keep(one)).map(|(id, _)| *id).collect::<BTreeSet<_>>()
        };
        let came = ids(now, &|one| one.1 && !then.contains(one));
        let went = ids(then, &|(id, _)| !is_there(*id));
        let is_over = |owner: &Owner| came.contains(&owner.id) || went.contains(&owner.id);
        Self {
            secrets: (self.secrets + came.difference(&self.having).count())
                .saturating_sub(went.intersection(&self.having).count()),
            orphans: self.orphans.clone(),
            missing: self.missing.iter().filter(|owner| !is_over(owner)).cloned().collect(),
            having: self.having.clone(),
        }
    }
}

impl Owner {
    pub(super) fn of(account: Account, catalog: &Catalog) -> Self {
        let needs = match catalog.get(&account.provider.0) {
            Some(provider) if provider.passes_logins() => Needs::None,
            Some(_) => Needs::One,
            None => Needs::Unknown,
        };
        Self { id: account.id, name: account.name, needs, is_signed_in: account.sign_in.is_some() }
    }

    /// Whether a secret of this name would be its own.
    pub(super) fn owns(&self, name: &SecretName) -> bool {
        self.needs != Needs::None && name.account() == Some(self.id)
    }
}

/// Holds what a vault has against who there is.
pub(super) fn find(held: &[SecretName], owners: &[Owner]) -> Findings {
    let is_owned = |name: &SecretName| owners.iter().any(|owner| owner.owns(name));
    let has = |owner: &Owner| held.iter().any(|name| owner.owns(name));
    let needs_one = |owner: &&Owner| owner.needs == Needs::One;
    let is_missing = |owner: &&Owner| needs_one(owner) && !has(owner);
    Findings {
        secrets: held.len(),
        orphans: held.iter().filter(|name| !is_owned(name)).cloned().collect(),
        missing: owners.iter().filter(is_missing).cloned().collect(),
        having: owners.iter().filter(needs_one).filter(|owner| has(owner)).map(|owner| owner.id).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(id: i64, needs: Needs) -> Owner {
        let name = AccountName::new(&format!("a{id}")).unwrap();
        Owner { id: AccountId(id), name, needs, is_signed_in: false }
    }

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    #[test]
    fn a_secret_of_nobody_is_an_orphan_and_an_account_without_its_own_misses_it() {
        let owners =
            [owner(1, Needs::One), owner(2, Needs::One), owner(3, Needs::None), owner(4, Needs::Unknown)];
        let held = ["account/1", "account/3", "account/4", "account/9", "else"].map(name);
        let found = find(&held, &owners);
        assert_eq!(found.secrets, 5);
        assert_eq!(
            found.orphans,
            ["account/3", "account/9", "else"].map(name),
            "an account that passes sign-ins on owns none, and what a newer version added is left alone"
        );
        assert_eq!(found.missing, [owner(2, Needs::One)]);
        assert_eq!(find(&[], &[]), Findings::default());
    }

    #[test]
    fn accounts_that_came_and_went_since_the_last_look_were_still_counted() {
        let owners = [1, 2, 3].map(|id| owner(id, Needs::One));
        let unknown = owner(9, Needs::Unknown);
        let held = ["account/1", "account/2", "account/9", "else"].map(name);
        let found = find(&held, &[&owners[..], &[unknown]].concat());
        let known = |known: &[(i64, bool)]| known.iter().map(|(id, has)| (AccountId(*id), *has)).collect();
        let then = known(&[(1, true), (2, false), (3, false)]);
        let counted = |now: &[(i64, bool)]| {
            let now = found.since(&then, &known(now));
            (now.secrets, now.missing.iter().map(|owner| owner.id.0).collect::<Vec<_>>())
        };
        let (one, two, three) = ((1, true), (2, false), (3, false));
        assert_eq!(counted(&[one, two, three]), (4, vec![3]), "nothing has happened");
        assert_eq!(counted(&[one, two, three, (4, true)]), (5, vec![3]), "one was added");
        assert_eq!(counted(&[one, two, three, (4, false)]), (4, vec![3]), "one that passes sign-ins on");
        assert_eq!(counted(&[two, three]), (3, vec![3]), "one was removed");
        assert_eq!(counted(&[one, two]), (4, vec![]), "one that had none was removed");
        assert_eq!(counted(&[one, two, (3, true)]), (5, vec![]), "one was given its key");
        assert_eq!(
            counted(&[one, (2, true), three]),
            (4, vec![3]),
            "one that could not be read was given another"
        );
        assert_eq!(counted(&[]), (2, vec![]), "what nobody here knows stays");
    }
}

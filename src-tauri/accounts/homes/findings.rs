//! Whose secrets are whose: pure. A secret that no account owns is an orphan; an account that can't serve without one
//! and has none misses it. What this version does not know is somebody's.

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
    let is_missing = |owner: &&Owner| owner.needs == Needs::One && !has(owner);
    Findings {
        secrets: held.len(),
        orphans: held.iter().filter(|name| !is_owned(name)).cloned().collect(),
        missing: owners.iter().filter(is_missing).cloned().collect(),
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
}

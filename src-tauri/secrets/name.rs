//! What a secret is called in every vault. Refuses whatever one of the platforms might read differently.

use std::fmt;

use crate::domain::AccountId;

/// The longest name; Windows allows far more, and nobody needs it.
const LONGEST: usize = 100;

/// The name of a secret, such as `account/17`. Says nothing secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(String);

/// The text is not a secret's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret's name has 1 to {LONGEST} small letters, digits, slashes, dots, dashes and underscores")]
pub struct BadSecretName;

impl SecretName {
    /// A name as written.
    ///
    /// # Errors
    /// `BadSecretName` if it is empty, too long, or holds anything but `a-z 0-9 / . - _`.
    pub fn new(text: &str) -> Result<Self, BadSecretName> {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(plain) {
            return Err(BadSecretName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The credential of one account.
    pub fn of_account(id: AccountId) -> Self {
        Self(format!("account/{id}"))
    }

    /// The account whose credential this is, if it is one.
    pub fn account(&self) -> Option<AccountId> {
        self.0.strip_prefix("account/")?.parse().ok().map(AccountId)
    }

    /// What a self-test puts and takes away again: one name, so that one which was cut short leaves no more than that.
    pub fn probe() -> Self {
        Self("probe/self-test".to_owned())
    }

    /// Whether it is a self-test's, and no secret of anybody.
    pub fn is_probe(&self) -> bool {
        self.0.starts_with("probe/")
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_name_leads_back_to_the_account() {
        let name = SecretName::of_account(AccountId(17));
        assert_eq!(name.as_str(), "account/17");
        assert_eq!(name.account(), Some(AccountId(17)));
        assert_eq!(SecretName::probe().account(), None);
        assert!(SecretName::probe().is_probe() && !name.is_probe());
    }

    #[test]
    fn names_that_platforms_would_read_differently_are_refused() {
        for text in ["", "Account/1", "account 1", "account#1", "a\0b", &"a".repeat(101)] {
            assert_eq!(SecretName::new(text), Err(BadSecretName), "{text:?}");
        }
    }
}

//! Why an account's sign-in could not be renewed, and who can mend that. Holds no secret.

use std::sync::Arc;

use jiff::Timestamp;

use super::is_ahead;

/// What the last failure to renew a sign-in leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalTrouble {
    /// When the tokens were given that it is about.
    pub tokens_at: Timestamp,
    /// How many failures in a row.
    pub failures: u32,
    /// As a sentence.
    pub why: Arc<str>,
    /// When it failed the last time.
    pub at: Timestamp,
    /// It is not tried before, unless a person asks for it.
    pub again_at: Timestamp,
    /// What only a person can mend; `None` where time may.
    pub needs: Option<Mending>,
}

/// What a person has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// Sign in again: what the tokens are renewed with is of no use any more.
    SignIn,
    /// Set the client right at the provider, or sign in under another one. What the tokens are renewed with may be
    /// good.
    Client,
}

impl RenewalTrouble {
    /// Whether it is too early to try again. A failure in the future was met before the clock was set back, and how
    /// much of the pause is left nobody knows: then it is over.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.again_at > now && !is_ahead(self.at, now)
    }
}

//! How an account was signed in: all that is needed to sign in again or to renew, and nothing secret.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::AccountName;

/// The terms of a sign-in. Tokens and a client's secret are never here; they live in `secrets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The definition in `providers/sign_ins.toml` under this key.
    pub with: Arc<str>,
    /// The registered client, where the definition wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Arc<str>>,
    /// Who is asked, where the definition leaves that open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Url>,
    /// Whose directory, where the definition has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Arc<str>>,
    /// What was asked for.
    #[serde(default)]
    pub scopes: Vec<Arc<str>>,
    /// When the person signed in.
    pub at: Timestamp,
}

/// What is said of an account that a person has to sign in again.
pub fn sign_in_again(name: &AccountName, why: &str) -> Arc<str> {
    format!("{why}; sign in again with `headgate accounts sign-in \"{name}\"`").into()
}

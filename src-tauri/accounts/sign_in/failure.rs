//! Why an authorisation server gave no token, and what that means for the tokens there are. Read from the error's
//! code alone: descriptions are the server's prose, and may repeat what was sent.

use super::carrier::NotCarried;
use crate::providers::{BadDiscovery, BadTenant};

/// Why nothing came of a request to an authorisation server. A sentence without a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It said no, with this code (RFC 6749, section 5.2; RFC 8628, section 3.5).
    #[error("{host} refused: {}", in_words(code))]
    Refused { host: String, code: String },
    /// It was not reached, or is in trouble itself. It says nothing of the sign-in.
    #[error("{0}")]
    Unreached(String),
    /// What it said is no answer of an authorisation server.
    #[error("{host} did not answer as an authorisation server does")]
    Odd { host: String },
    #[error("{host}: {why}")]
    Discovery { host: String, why: BadDiscovery },
    #[error(transparent)]
    Tenant(#[from] BadTenant),
    /// The terms of the sign-in lack something.
    #[error("{0}")]
    Terms(String),
}

impl From<NotCarried> for Failure {
    fn from(why: NotCarried) -> Self {
        Self::Unreached(why.to_string())
    }
}

/// Codes that say that a refresh token is of no use any more. The first is RFC 6749's; the others are what servers
/// say that tell more.
const OVER: [&str; 5] = [
    "invalid_grant",
    "refresh_token_reused",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "token_expired",
];

impl Failure {
    /// Whether the refresh token that was shown is of no use any more, and only a person can mend that. Networks,
    /// servers in trouble and clients that are set up wrongly never sign anybody out.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if OVER.contains(&code.as_str()))
    }

    /// The code with which it was refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// The code as the server wrote it, if it looks like one: a server could write anything there.
pub(super) fn code(text: &str) -> String {
    let is_one = !text.is_empty()
        && text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte));
    if is_one { text.to_owned() } else { "an unknown error".into() }
}

fn in_words(code: &str) -> String {
    let said = match code {
        "access_denied" => "the sign-in was denied there",
        "expired_token" => "the code was not entered in time",
        "invalid_client" => "it does not know the client, or its secret is wrong",
        "invalid_grant" => "the code or the sign-in is expired, used or withdrawn",
        "invalid_scope" => "it does not give what was asked for",
        "unauthorized_client" => "the client may not sign in this way",
        "unsupported_grant_type" => "it does not know this way of signing in",
        "invalid_request" => "it does not understand the request, or the way back is not registered",
        "temporarily_unavailable" | "server_error" => "it is in trouble; try again later",
        _ => return code.to_owned(),
    };
    format!("{said} ({code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Failure {
        Failure::Refused { host: "id.example.com".into(), code: code.into() }
    }

    #[test]
    fn only_the_code_says_that_a_sign_in_is_over() {
        assert!(refused("invalid_grant").is_final() && refused("refresh_token_reused").is_final());
        for other in
            ["invalid_client", "temporarily_unavailable", "server_error", "slow_down", "an unknown error"]
        {
            assert!(!refused(other).is_final(), "{other}");
        }
        assert!(!Failure::Unreached("invalid_grant".into()).is_final());
        assert!(!Failure::Odd { host: "invalid_grant".into() }.is_final());
    }

    #[test]
    fn a_code_that_is_none_is_not_repeated() {
        assert_eq!(code("invalid_grant"), "invalid_grant");
        for text in ["", "canary SECRET", "CANARY", "a/b", &"a".repeat(41)] {
            assert_eq!(code(text), "an unknown error", "{text}");
        }
    }
}

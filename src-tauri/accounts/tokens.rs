//! The tokens of an account that was signed in, as they lie in the vault: one text under the account's name. A key
//! lies there as it is.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::secrets::Sensitive;

/// The longest token that is kept; a request's head has room for no longer one.
const LONGEST: usize = 16 * 1024;

/// What a sign-in has brought.
#[derive(Debug, Clone, Deserialize)]
pub struct Tokens {
    /// Goes upstream with each request.
    #[serde(rename = "access_token", deserialize_with = "shared")]
    pub access: Arc<Sensitive<String>>,
    /// Brings the next ones; `None` where a person has to sign in again.
    #[serde(rename = "refresh_token", default)]
    pub refresh: Option<Sensitive<String>>,
    /// When the access token ends, by our clock; `None` where nobody said.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was given, by our clock.
    pub obtained_at: Timestamp,
    /// The client's own, where it has one.
    #[serde(default)]
    pub client_secret: Option<Sensitive<String>>,
}

/// The text in the vault is neither tokens nor a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what lies in the vault is no sign-in that this version can read")]
pub struct BadTokens;

#[derive(Serialize)]
struct Kept<'a> {
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    obtained_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
}

fn shared<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Arc<Sensitive<String>>, D::Error> {
    Sensitive::deserialize(deserializer).map(Arc::new)
}

impl Tokens {
    /// Reads what [`Tokens::text`] wrote.
    ///
    /// # Errors
    /// [`BadTokens`], which does not say what was there.
    pub fn read(text: &Sensitive<String>) -> Result<Self, BadTokens> {
        let tokens: Self = serde_json::from_str(text.expose()).map_err(|_| BadTokens)?;
        if tokens.are_sound() { Ok(tokens) } else { Err(BadTokens) }
    }

    /// As it is kept.
    pub fn text(&self) -> Sensitive<String> {
        let exposed =
            |secret: &'_ Option<Sensitive<String>>| secret.as_ref().map(|secret| secret.expose().clone());
        let (refresh, client) =
            (exposed(&self.refresh).map(Sensitive::new), exposed(&self.client_secret).map(Sensitive::new));
        let kept = Kept {
            access_token: self.access.expose(),
            refresh_token: refresh.as_ref().map(|secret| secret.expose().as_str()),
            expires_at: self.expires_at,
            obtained_at: self.obtained_at,
            client_secret: client.as_ref().map(|secret| secret.expose().as_str()),
        };
        Sensitive::new(serde_json::to_string(&kept).expect("texts and times are JSON"))
    }

    /// Whether they can stand in a header and in a form: no blanks, no control characters, none too long.
    pub fn are_sound(&self) -> bool {
        let is_sound = |token: &str| {
            !token.is_empty() && token.len() <= LONGEST && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        is_sound(self.access.expose()) && self.refresh.as_ref().is_none_or(|token| is_sound(token.expose()))
    }

    /// Whether the access token has ended and nothing can bring the next one.
    pub fn are_over(&self, now: Timestamp) -> bool {
        self.refresh.is_none() && self.expires_at.is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Sensitive<String> {
        Sensitive::new(text.to_owned())
    }

    fn tokens() -> Tokens {
        Tokens {
            access: Arc::new(secret("canary-access")),
            refresh: Some(secret("canary-refresh")),
            expires_at: Some("2026-11-23T13:00:00Z".parse().unwrap()),
            obtained_at: "2026-11-23T12:00:00Z".parse().unwrap(),
            client_secret: Some(secret("canary-client")),
        }
    }

    #[test]
    fn tokens_are_read_as_they_were_kept() {
        let read = Tokens::read(&tokens().text()).unwrap();
        assert_eq!(read.access.expose(), "canary-access");
        assert_eq!(read.refresh.as_ref().unwrap().expose(), "canary-refresh");
        assert_eq!(read.client_secret.as_ref().unwrap().expose(), "canary-client");
        assert_eq!((read.expires_at, read.obtained_at), (tokens().expires_at, tokens().obtained_at));
        assert!(!format!("{read:?}").contains("canary"), "a debugged sign-in shows nothing: {read:?}");
    }

    #[test]
    fn what_is_no_sign_in_is_not_taken_for_one() {
        for text in ["sk-or-1", "", "{}", r#"{"access_token":"","obtained_at":"2026-11-23T12:00:00Z"}"#] {
            assert_eq!(Tokens::read(&secret(text)).err(), Some(BadTokens), "{text}");
        }
        let broken = Tokens { access: Arc::new(secret("two words")), ..tokens() };
        assert_eq!(Tokens::read(&broken.text()).err(), Some(BadTokens));
    }

    #[test]
    fn a_sign_in_is_over_only_where_nothing_can_renew_it() {
        let (before, after) =
            ("2026-11-23T12:59:59Z".parse().unwrap(), "2026-11-23T13:00:00Z".parse().unwrap());
        assert!(!tokens().are_over(after));
        let alone = Tokens { refresh: None, ..tokens() };
        assert!(!alone.are_over(before) && alone.are_over(after));
        assert!(
            !Tokens { expires_at: None, ..alone }.are_over(after),
            "nobody said when: unknown is not over"
        );
    }
}

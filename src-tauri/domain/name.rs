//! Names that people give: to accounts, keys, pools and routes. They are written down, logged and shown, so what looks
//! like a secret is refused as one, and a refusal never repeats it. What was written down before is read as it is.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::secretive::looks_secret;

/// Why a name was refused; it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("a name has 1 to 64 printable characters and is not blank at its ends")]
    Shape,
    #[error(
        "that looks like a key or a token, and names are written down and shown: choose another name. A key is asked for, \
         or read from standard input; it is never an argument"
    )]
    Secret,
}

macro_rules! names {
    ($($(#[$about:meta])* $name:ident),* $(,)?) => {
        $(
            $(#[$about])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
            #[serde(transparent)]
            pub struct $name(Arc<str>);

            impl $name {
                /// Takes a name as typed, without the blanks around it.
                ///
                /// # Errors
                /// `BadName` if nothing is left, if it is too long, holds control characters, or looks like a secret.
                pub fn new(text: &str) -> Result<Self, BadName> {
                    Self::kept(text).and_then(|name| if looks_secret(&name.0) { Err(BadName::Secret) } else { Ok(name) })
                }

                /// A name as it was written down, whatever it looks like.
                ///
                /// # Errors
                /// `BadName::Shape`
                pub fn kept(text: &str) -> Result<Self, BadName> {
                    shaped(text).map(Self)
                }

                /// The name as text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }
        )*
    };
}

names! {
    /// A name a person gave to an account: 1 to 64 characters, no control characters, not blank at either end.
    AccountName,
    /// A name a person gave to a key.
    KeyName,
    /// A name a person gave to a pool.
    PoolName,
    /// A name a person gave to a route.
    RouteName,
}

impl PoolName {
    /// What pool 1 is called until somebody calls it otherwise.
    pub fn main() -> Self {
        Self("main".into())
    }
}

fn shaped(text: &str) -> Result<Arc<str>, BadName> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > 64 || text.chars().any(char::is_control) {
        return Err(BadName::Shape);
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_typed_as_a_name_was_written_down() {
        let key = "sk-ant-api03-CANARY-x7Qp2LmZ9";
        let refusals = [AccountName::new(key).err(), KeyName::new(key).err(), PoolName::new(key).err()];
        assert_eq!(refusals, [Some(BadName::Secret); 3]);
        assert_eq!(RouteName::new(key), Err(BadName::Secret));
        assert!(!BadName::Secret.to_string().contains("CANARY"));
        assert_eq!(AccountName::kept(key).unwrap().as_str(), key, "one from before can be read, and renamed");
        assert_eq!(AccountName::new(" Work ").unwrap().as_str(), "Work");
        assert_eq!(AccountName::new(&"a".repeat(65)), Err(BadName::Shape));
    }
}

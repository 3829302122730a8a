//! Profiles of Claude Code: folders that it keeps a sign-in and its settings in (`CLAUDE_CONFIG_DIR`), so that several
//! of them live side by side. What lies in such a folder is Claude Code's and is never read.

use std::{fmt, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{BadName, looks_secret};

/// One profile, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileId(pub i64);

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A profile's name, which is also its folder's: `work`, `private-2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ProfileName(Arc<str>);

/// Why the text can't be a profile's name; it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProfileName {
    #[error(
        "a profile is called by 1 to 40 letters, digits, `-`, `_` or `.`, and begins with a letter or a digit"
    )]
    Shape,
    #[error("{}", BadName::Secret)]
    Secret,
}

const LONGEST: usize = 40;
/// Windows takes these for devices, whatever stands behind a dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

impl ProfileName {
    /// Takes a name as typed, without the blanks around it.
    ///
    /// # Errors
    /// If it could not be a folder's name on every system, or looks like a secret.
    pub fn new(text: &str) -> Result<Self, BadProfileName> {
        Self::kept(text).and_then(
            |name| {
                if looks_secret(&name.0) { Err(BadProfileName::Secret) } else { Ok(name) }
            },
        )
    }

    /// A name as it was written down, whatever it looks like.
    ///
    /// # Errors
    /// `BadProfileName::Shape`
    pub fn kept(text: &str) -> Result<Self, BadProfileName> {
        let text = text.trim();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        let stem = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let is_device =
            DEVICES.contains(&stem.trim_end_matches(|end: char| end.is_ascii_digit())) && stem.len() <= 4;
        let fits = text.len() <= LONGEST && text.bytes().all(is_plain) && !text.ends_with('.');
        if begins && fits && !is_device { Ok(Self(text.into())) } else { Err(BadProfileName::Shape) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A profile as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Stable for life.
    pub id: ProfileId,
    /// Chosen by the user, unique without regard to case.
    pub name: ProfileName,
    /// Its folder, by its whole path.
    pub folder: PathBuf,
    /// The folder was made here; one that was adopted is somebody else's to remove.
    pub is_ours: bool,
    /// When it was made or adopted.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_called_what_a_folder_can_be_called_on_every_system() {
        for good in ["work", "Work-2", "a.b_c", "7", " trimmed ", "console"] {
            assert!(ProfileName::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", " ", ".hidden", "-x", "a/b", r"a\b", "a b", "naïve", "a.", "nul", "COM1", "con.txt", ".."]
        {
            assert_eq!(ProfileName::new(bad), Err(BadProfileName::Shape), "{bad}");
        }
        assert!(ProfileName::new(&"a".repeat(40)).is_ok() && ProfileName::new(&"a".repeat(41)).is_err());
        assert_eq!(ProfileName::new("sk-ant-api03-x7Qp2LmZ9"), Err(BadProfileName::Secret));
    }
}

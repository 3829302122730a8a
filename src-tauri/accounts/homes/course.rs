//! The course of a move between homes, as it is written down: what is being done, and what a start makes of it. Pure.
//!
//! 1. `filling` the new home is written down. All secrets are copied, read back and compared.
//! 2. In one commit that is synced to the disk: the folder's home is the new one, and the old one is `emptying`.
//! 3. The old home is emptied, and the note taken away.
//!
//! Broken off before 2, everything is in the old home, and the new one has copies at most; after it, everything is in
//! the new one.

use std::str::FromStr;

use crate::secrets::VaultKind;

/// The fact about a folder that names its home.
pub const HOME: &str = "vault";
/// The fact about a folder that tells of a move that is not over.
pub const MOVE: &str = "vault_move";

/// A move that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Copies are made there.
    Filling(VaultKind),
    /// What was there is being taken away.
    Emptying(VaultKind),
}

/// What is left of a move that was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Copies may lie there; everything is at home.
    Copies(VaultKind),
    /// The old home is not empty yet; everything is at home.
    Old(VaultKind),
    /// Everything was moved out of the home that the settings choose.
    Elsewhere(VaultKind),
}

impl Pending {
    /// As it is written down.
    pub fn text(self) -> String {
        match self {
            Self::Filling(kind) => format!("filling {kind}"),
            Self::Emptying(kind) => format!("emptying {kind}"),
        }
    }

    /// What is left if it ends here. `home` is where secrets are looked for, `kept` the folder's own word for it.
    pub fn left(self, home: VaultKind, kept: Option<VaultKind>) -> Left {
        match self {
            Self::Emptying(old) if old == home => Left::Elsewhere(kept.unwrap_or(home)),
            Self::Emptying(old) => Left::Old(old),
            // The settings choose the half-full one.
            Self::Filling(new) if new == home => Left::Elsewhere(kept.unwrap_or(home)),
            Self::Filling(new) => Left::Copies(new),
        }
    }
}

impl FromStr for Pending {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, kind) = text.split_once(' ').ok_or(())?;
        let kind = kind.parse().map_err(drop)?;
        match word {
            "filling" => Ok(Self::Filling(kind)),
            "emptying" => Ok(Self::Emptying(kind)),
            _ => Err(()),
        }
    }
}

impl Left {
    /// In a sentence, with what to do.
    pub fn says(self) -> String {
        match self {
            Self::Copies(new) => format!(
                "A move into {} was broken off. Everything is where it was, and copies may lie there: `headgate vault \
                 move {new}` goes on, `headgate vault clean` takes the copies away.",
                new.title()
            ),
            Self::Old(old) => format!(
                "A move is done, and {} could not be emptied yet. It is tried again at the next start, and by \
                 `headgate vault clean`.",
                old.title()
            ),
            Self::Elsewhere(home) => format!(
                "The secrets are in {}, and HEADGATE_VAULT or `vault` in settings.toml chooses another home. Take that \
                 choice out and start again.",
                home.title()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use VaultKind::{File, Keychain};

    #[test]
    fn a_move_is_read_as_it_was_written_down() {
        for pending in [Pending::Filling(File), Pending::Emptying(Keychain)] {
            assert_eq!(pending.text().parse(), Ok(pending));
        }
        assert_eq!("filling cellar".parse::<Pending>(), Err(()));
    }

    #[test]
    fn what_is_left_depends_on_where_secrets_are_looked_for() {
        let left = |pending: Pending, home| pending.left(home, Some(File));
        assert_eq!(left(Pending::Filling(Keychain), File), Left::Copies(Keychain));
        assert_eq!(left(Pending::Filling(Keychain), Keychain), Left::Elsewhere(File));
        assert_eq!(left(Pending::Emptying(Keychain), File), Left::Old(Keychain));
        assert_eq!(left(Pending::Emptying(Keychain), Keychain), Left::Elsewhere(File));
    }
}

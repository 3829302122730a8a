//! How it stands with the home of the secrets, in sentences; every door shows these. Repeats no secret.

use super::{Left, Owner, Stand};
use crate::{
    domain::counted,
    secrets::{Secured, VaultKind},
};

/// As many accounts are named in a sentence; of more, how many they are.
const MOST_NAMED: usize = 5;

/// These accounts, as part of a sentence.
pub(super) fn named(owners: &[Owner]) -> String {
    let (first, more) = owners.split_at(owners.len().min(MOST_NAMED));
    let names: Vec<&str> = first.iter().map(|owner| owner.name.as_str()).collect();
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    names.join(", ") + &more
}

impl Stand {
    /// Whether the last look found that the home works.
    pub fn works(&self) -> bool {
        self.look.as_ref().is_some_and(|look| look.found.is_ok())
    }

    fn elsewhere(&self, owner: &Owner) -> Option<VaultKind> {
        let (other, ids) = self.look.as_ref()?.elsewhere.as_ref()?;
        ids.contains(&owner.id).then_some(*other)
    }

    /// Where keys are kept, and whether that works.
    pub fn says(&self) -> String {
        let secured = match self.secured {
            Secured::System => "",
            Secured::KeyFile => ", sealed with a key in vault.key beside it",
            Secured::Passphrase => ", sealed with a passphrase",
        };
        let works = match self.look.as_ref().map(|look| &look.found) {
            Some(Ok(found)) => format!("It works, and holds {}.", counted(found.secrets as u64, "secret")),
            Some(Err(_)) => "It does not work.".into(),
            None => "It has not been looked at yet.".into(),
        };
        format!("Keys are kept in {}{secured}. {works}", self.kind.title())
    }

    /// What a person should know, each in a sentence with what to do.
    pub fn troubles(&self) -> Vec<String> {
        let mut all = Vec::new();
        match self.look.as_ref().map(|look| &look.found) {
            Some(Err(why)) => all.push(format!("The place where keys are kept does not work: {why}.")),
            Some(Ok(found)) => {
                all.extend(found.missing.iter().map(|owner| {
                    let (name, home) = (&owner.name, self.kind.title());
                    if let Some(other) = self.elsewhere(owner) {
                        let (title, what) = (other.title(), if owner.is_signed_in { "sign-in" } else { "key" });
                        format!(
                            "The {what} of {name} is not in {home} but in {title}: `headgate vault move {other}` brings \
                             them together there."
                        )
                    } else if owner.is_signed_in {
                        format!(
                            "The sign-in of {name} is not in {home}: sign in again with `headgate accounts sign-in \"{name}\"`."
                        )
                    } else {
                        format!(
                            "The key of {name} is not in {home}: give it one with `headgate accounts set-key \"{name}\"`, or \
                             remove the account."
                        )
                    }
                }));
                if let Some(chosen) = self.chosen.filter(|_| !found.missing.is_empty()) {
                    all.push(format!(
                        "HEADGATE_VAULT or `vault` in settings.toml chooses {}. If keys were kept elsewhere before, put \
                         that choice back, start once, take it out and move them with `headgate vault move`.",
                        chosen.title()
                    ));
                }
                if !found.orphans.is_empty() {
                    let (secrets, home) = (counted(found.orphans.len() as u64, "secret"), self.kind.title());
                    all.push(format!(
                        "No account owns {secrets} in {home}: `headgate vault clean` shows what there is, and deletes \
                         it if you say so."
                    ));
                }
            }
            None => {}
        }
        all.extend(self.left.map(Left::says));
        all.extend(self.untidy.clone());
        all
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::accounts::homes::{Findings, Look};

    #[test]
    fn where_keys_are_kept_is_one_sentence_and_whether_that_works_another() {
        let found = |secrets| Ok(Findings { secrets, ..Findings::default() });
        let look = |found| {
            Some(Look {
                at: Timestamp::UNIX_EPOCH,
                found,
                elsewhere: None,
                known: Vec::new(),
                called: [].into(),
            })
        };
        let stand = |kind, secured, look| Stand {
            kind,
            secured,
            look,
            left: None,
            untidy: None,
            moving: None,
            last: None,
            chosen: None,
        };
        let keychain = stand(VaultKind::Keychain, Secured::System, look(found(3)));
        assert_eq!(keychain.says(), "Keys are kept in the keychain. It works, and holds 3 secrets.");
        let file = stand(VaultKind::File, Secured::Passphrase, look(found(1)));
        assert_eq!(
            file.says(),
            "Keys are kept in the sealed file, sealed with a passphrase. It works, and holds 1 secret."
        );
        let locked = stand(VaultKind::Keychain, Secured::System, look(Err("it is locked".into())));
        assert!(locked.says().ends_with("It does not work."), "{}", locked.says());
        let unseen = stand(VaultKind::File, Secured::KeyFile, None);
        assert!(unseen.says().ends_with("It has not been looked at yet."), "unknown is not zero");
    }
}

//! Carries secrets from one vault into another: first all of them are copied, read back and compared; the old ones are
//! taken away only afterwards, and never one that the new home has not. Knows nothing of accounts, and may be
//! broken off anywhere and begun again.

use super::{SecretName, Vault, VaultError};

/// Copies these secrets, reads each back and compares; `told` hears after each how many are done. What is there already
/// as it should be is not written again. A name without a secret is passed over.
///
/// # Errors
/// What either vault says; `Broken` if a secret did not arrive as it was. `from` is as it was in any case.
pub fn copy(
    from: &dyn Vault,
    to: &dyn Vault,
    names: &[SecretName],
    mut told: impl FnMut(usize),
) -> Result<(), VaultError> {
    for (done, name) in names.iter().enumerate() {
        if let Some(secret) = from.get(name)? {
            let has = |vault: &dyn Vault| {
                Ok::<_, VaultError>(vault.get(name)?.is_some_and(|held| held.expose() == secret.expose()))
            };
            if !has(to)? {
                to.put(name, &secret)?;
                if !has(to)? {
                    return Err(VaultError::Broken(format!(
                        "{name} did not arrive in {} as it was sent; try again",
                        to.kind().title()
                    )));
                }
            }
        }
        told(done + 1);
    }
    Ok(())
}

/// Takes away from `old` what nobody needs there, as `kept` has it; a secret that `kept` lacks and that somebody
/// `owns` is carried over before. `names` are those that may be in `old`.
///
/// # Errors
/// What either vault says; each secret is in at least one of them all the same.
pub fn empty(
    old: &dyn Vault,
    kept: &dyn Vault,
    names: &[SecretName],
    owns: impl Fn(&SecretName) -> bool,
) -> Result<(), VaultError> {
    for name in names {
        if owns(name) && kept.get(name)?.is_none() {
            copy(old, kept, std::slice::from_ref(name), |_| {})?;
        }
        old.remove(name)?;
    }
    old.vacate()
}

/// Takes copies of what `kept` has away from `there`; what is not a copy stays.
///
/// # Errors
/// What either vault says; `kept` is as it was.
pub fn take_back(there: &dyn Vault, kept: &dyn Vault, names: &[SecretName]) -> Result<(), VaultError> {
    for name in names {
        let (copy, held) = (there.get(name)?, kept.get(name)?);
        if copy.is_some_and(|copy| held.is_some_and(|held| held.expose() == copy.expose())) {
            there.remove(name)?;
        }
    }
    there.vacate()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{Memory, Sensitive};

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    fn with(pairs: &[(&str, &str)]) -> Memory {
        let vault = Memory::default();
        for (key, secret) in pairs {
            vault.put(&name(key), &Sensitive::new((*secret).to_owned())).unwrap();
        }
        vault
    }

    fn held(vault: &Memory, key: &str) -> Option<String> {
        vault.get(&name(key)).unwrap().map(|secret| secret.expose().clone())
    }

    #[test]
    fn what_the_new_home_has_already_gives_way_to_what_is_carried() {
        let (from, to) = (with(&[("account/1", "new"), ("account/2", "b")]), with(&[("account/1", "stale")]));
        let mut told = Vec::new();
        copy(&from, &to, &from.names().unwrap().unwrap(), |done| told.push(done)).unwrap();
        assert_eq!(told, [1, 2]);
        assert_eq!(
            (held(&to, "account/1").unwrap(), held(&to, "account/2").unwrap()),
            ("new".into(), "b".into())
        );
        assert_eq!(from.names().unwrap().unwrap().len(), 2, "nothing is taken away yet");
    }

    #[test]
    fn emptying_keeps_what_changed_since_and_carries_what_is_missing() {
        let old = with(&[("account/1", "stale"), ("account/2", "only here"), ("account/9", "nobody's")]);
        let kept = with(&[("account/1", "renewed")]);
        empty(&old, &kept, &old.names().unwrap().unwrap(), |name| *name != self::name("account/9")).unwrap();
        assert_eq!(held(&kept, "account/1").unwrap(), "renewed", "what was renewed meanwhile stays");
        assert_eq!(held(&kept, "account/2").unwrap(), "only here");
        assert_eq!(held(&kept, "account/9"), None);
        assert_eq!(old.names().unwrap().unwrap(), []);
    }

    #[test]
    fn only_copies_are_taken_back() {
        let there = with(&[("account/1", "a"), ("account/2", "another"), ("account/3", "its own")]);
        let kept = with(&[("account/1", "a"), ("account/2", "b")]);
        take_back(&there, &kept, &there.names().unwrap().unwrap()).unwrap();
        assert_eq!(there.names().unwrap().unwrap(), [name("account/2"), name("account/3")]);
    }
}

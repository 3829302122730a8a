//! How a secret lies in a keychain: one item, or several where the platform limits an item's size.
//! Knows no threads and no time; refuses to mix the items of two data folders.

use std::collections::HashMap;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::{
    SecretName, Sensitive, Vault, VaultError, VaultKind,
    native::{self, SERVICE, meaning},
};

/// The most items one secret may take: 80 KB on Windows, far beyond any token.
const MOST_PARTS: usize = 32;

/// An item that begins so holds no secret but says where its parts are: side and count follow. Of none it says that it
/// is being removed.
const MARKER: &str = "\u{1}headgate-parts:";
const SIDES: [char; 2] = ['a', 'b'];

/// The items of one realm: a vault for whoever is on the keychain's thread.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    pub store: &'a CredentialStore,
    pub realm: &'a str,
    /// The most bytes an item may hold.
    pub limit: usize,
    /// Whether the platform shows people a label that we choose.
    pub labels: bool,
}

/// Where the parts of a split secret are. A new value goes to the other side, so that the old one can be
/// read until the head names the new.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Split {
    side: char,
    count: usize,
}

impl Vault for Items<'_> {
    fn kind(&self) -> VaultKind {
        VaultKind::Keychain
    }

    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        let Some(head) = self.read(name.as_str())? else { return Ok(None) };
        let Some(split) = Split::of(&head) else { return Ok(Some(text(&head)?)) };
        if split.count == 0 {
            return Ok(None);
        }
        let parts = split.names(name).map(|part| self.read(&part)).collect::<Result<Option<Vec<_>>, _>>()?;
        let Some(parts) = parts else {
            return Err(native::broken(&format!("a part of {name} is missing")));
        };
        // Gathered first: a buffer that grows would leave copies behind that nobody wipes.
        let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in &parts {
            whole.extend_from_slice(part);
        }
        Ok(Some(text(&whole)?))
    }

    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        let bytes = secret.expose().as_bytes();
        let old = self.split(name)?;
        let kept = if bytes.len() <= self.limit && !secret.expose().starts_with(MARKER) {
            self.write(name.as_str(), bytes)?;
            None
        } else {
            Some(self.write_parts(name, bytes, old)?)
        };
        if self.may_split(old) { self.erase_parts(name, kept) } else { Ok(()) }
    }

    /// Gone with the first write, and found by its head until nothing is left of it, wherever it breaks off.
    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        if self.may_split(self.split(name)?) {
            if self.holds(name)? {
                self.write(name.as_str(), Split { side: 'a', count: 0 }.head().as_bytes())?;
            }
            self.erase_parts(name, None)?;
        }
        self.erase(name.as_str())
    }

    fn holds(&self, name: &SecretName) -> Result<bool, VaultError> {
        Ok(self.read(name.as_str())?.is_some())
    }

    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        let Some(users) = native::users(self.store).map_err(|error| meaning(&error))? else {
            return Ok(None);
        };
        let own = users.iter().filter_map(|user| user.strip_prefix(self.realm)?.strip_prefix('/'));
        // A part has a `#` in its name and is therefore no secret's.
        Ok(Some(own.filter_map(|name| SecretName::new(name).ok()).collect()))
    }
}

impl Items<'_> {
    /// Whether a secret may have parts, of which a head that there is says this.
    fn may_split(&self, head: Option<Split>) -> bool {
        self.limit < usize::MAX || head.is_some()
    }

    fn write_parts(&self, name: &SecretName, bytes: &[u8], old: Option<Split>) -> Result<Split, VaultError> {
        let count = bytes.len().div_ceil(self.limit);
        if count > MOST_PARTS {
            return Err(native::broken(&format!("the secret for {name} is too long for it")));
        }
        let side = if old.is_some_and(|old| old.side == 'a') { 'b' } else { 'a' };
        let split = Split { side, count };
        for (part, piece) in split.names(name).zip(bytes.chunks(self.limit)) {
            self.write(&part, piece)?;
        }
        self.write(name.as_str(), split.head().as_bytes())?;
        Ok(split)
    }

    /// Every part that a secret of this name may ever have had, whatever its head says, but those of `kept`: what a crash
    /// cut loose is named by nothing else.
    fn erase_parts(&self, name: &SecretName, kept: Option<Split>) -> Result<(), VaultError> {
        let is_kept = |side, part| kept.is_some_and(|kept| kept.side == side && part < kept.count);
        for side in SIDES {
            let loose = (0..MOST_PARTS).filter(|part| !is_kept(side, *part));
            loose.map(|part| part_name(name, side, part)).try_for_each(|part| self.erase(&part))?;
        }
        Ok(())
    }

    fn split(&self, name: &SecretName) -> Result<Option<Split>, VaultError> {
        Ok(self.read(name.as_str())?.and_then(|head| Split::of(&head)))
    }

    fn read(&self, item: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match self.entry(item)?.get_secret() {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(meaning(&error)),
        }
    }

    fn write(&self, item: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.entry(item)?.set_secret(bytes).map_err(|error| meaning(&error))
    }

    fn erase(&self, item: &str) -> Result<(), VaultError> {
        match self.entry(item)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(meaning(&error)),
        }
    }

    fn entry(&self, item: &str) -> Result<Entry, VaultError> {
        let user = format!("{}/{item}", self.realm);
        let label = format!("Headgate {item}");
        let modifiers = self.labels.then(|| HashMap::from([("label", label.as_str())]));
        self.store.build(SERVICE, &user, modifiers.as_ref()).map_err(|error| meaning(&error))
    }
}

impl Split {
    fn of(head: &[u8]) -> Option<Self> {
        let (side, count) = str::from_utf8(head).ok()?.strip_prefix(MARKER)?.split_once(':')?;
        let side = side.chars().next()?;
        Some(Self { side, count: count.parse().ok().filter(|count| *count <= MOST_PARTS)? })
    }

    fn head(self) -> String {
        format!("{MARKER}{}:{}", self.side, self.count)
    }

    fn names(self, name: &SecretName) -> impl Iterator<Item = String> {
        (0..self.count).map(move |part| part_name(name, self.side, part))
    }
}

fn part_name(name: &SecretName, side: char, part: usize) -> String {
    format!("{name}#{side}{part}")
}

fn text(bytes: &[u8]) -> Result<Sensitive<String>, VaultError> {
    let text = str::from_utf8(bytes).map_err(|_| native::broken("an item holds something else than text"))?;
    Ok(Sensitive::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use keyring_core::mock;
    use proptest::prelude::*;

    use super::*;

    fn items<'a>(store: &'a mock::Store, realm: &'a str) -> Items<'a> {
        Items { store, realm, limit: 8, labels: false }
    }

    fn held(store: &mock::Store) -> usize {
        let items = store.inner.lock().unwrap();
        items.borrow().iter().filter(|item| item.inner.lock().unwrap().borrow().secret.is_some()).count()
    }

    fn name() -> SecretName {
        SecretName::new("account/1").unwrap()
    }

    proptest! {
        #[test]
        fn a_secret_of_any_length_survives_being_split(secrets in proptest::collection::vec(".{0,60}", 1..5)) {
            let store = mock::Store::new().unwrap();
            for secret in &secrets {
                items(&store, "r").put(&name(), &Sensitive::new(secret.clone())).unwrap();
                let read = items(&store, "r").get(&name()).unwrap().unwrap();
                prop_assert_eq!(read.expose(), secret);
            }
            let last = secrets.last().unwrap().len();
            let parts = if last <= 8 { 1 } else { 1 + last.div_ceil(8) };
            prop_assert_eq!(held(&store), parts, "parts of earlier values are gone");
            items(&store, "r").remove(&name()).unwrap();
            prop_assert_eq!(held(&store), 0);
        }
    }

    /// The items that hold something, in the order in which they were made.
    fn full(store: &mock::Store) -> Vec<std::sync::Arc<mock::Cred>> {
        let all = store.inner.lock().unwrap();
        let is_full =
            |item: &&std::sync::Arc<mock::Cred>| item.inner.lock().unwrap().borrow().secret.is_some();
        all.borrow().iter().filter(is_full).cloned().collect()
    }

    fn killed() -> Error {
        Error::Invalid("call".into(), "the process was killed before it".into())
    }

    #[test]
    fn a_crash_while_a_long_secret_was_removed_left_parts_that_nothing_named() {
        let long = || Sensitive::new("x".repeat(8 * 5));
        for killed_at in 0..6 {
            let store = mock::Store::new().unwrap();
            items(&store, "r").put(&name(), &long()).unwrap();
            let all = full(&store);
            assert_eq!(all.len(), 6, "a head and five parts");
            all[killed_at].set_error(killed());

            items(&store, "r").remove(&name()).unwrap_err();

            let is_left = held(&store) > 0;
            assert_eq!(items(&store, "r").holds(&name()).unwrap(), is_left, "what is left is found");
            // The head is read first, before anything has happened.
            if all[killed_at].specifiers.1 != "r/account/1" {
                let read = items(&store, "r").get(&name()).unwrap();
                assert!(read.is_none(), "it is gone, and a start does not stumble over it");
            }
            items(&store, "r").remove(&name()).unwrap();
            assert_eq!(held(&store), 0, "killed before it touched item {killed_at}");
        }
    }

    #[test]
    fn parts_that_a_crash_cut_loose_go_with_the_next_value_and_with_the_removal() {
        let store = mock::Store::new().unwrap();
        for value in [Some("x".repeat(20)), Some("short".into()), None] {
            for loose in ["account/1#a0", "account/1#a31", "account/1#b4"] {
                items(&store, "r").write(loose, b"cut").unwrap();
            }
            match &value {
                Some(value) => items(&store, "r").put(&name(), &Sensitive::new(value.clone())).unwrap(),
                None => items(&store, "r").remove(&name()).unwrap(),
            }
            let read = items(&store, "r").get(&name()).unwrap();
            assert_eq!(read.map(|read| read.expose().clone()), value);
            let own = value.map_or(0, |value| if value.len() > 8 { 4 } else { 1 });
            assert_eq!(held(&store), own);
        }
        let unlimited = Items { limit: usize::MAX, ..items(&store, "r") };
        unlimited.put(&name(), &Sensitive::new("x".repeat(300))).unwrap();
        let asked = store.inner.lock().unwrap().borrow().len();
        unlimited.remove(&name()).unwrap();
        let after = store.inner.lock().unwrap().borrow().len();
        assert_eq!((held(&store), asked), (0, after), "where nothing is split nobody looks for parts");
    }

    #[test]
    fn a_secret_that_looks_like_a_marker_is_kept_as_it_is() {
        let store = mock::Store::new().unwrap();
        let odd = format!("{MARKER}a:1");
        items(&store, "r").put(&name(), &Sensitive::new(odd.clone())).unwrap();
        assert_eq!(items(&store, "r").get(&name()).unwrap().unwrap().expose(), &odd);
    }

    #[test]
    fn a_secret_beyond_every_part_is_refused_and_the_old_one_stays() {
        let store = mock::Store::new().unwrap();
        items(&store, "r").put(&name(), &Sensitive::new("old".into())).unwrap();
        let refusal = items(&store, "r").put(&name(), &Sensitive::new("x".repeat(300))).unwrap_err();
        assert!(refusal.to_string().contains("too long"), "{refusal}");
        assert_eq!(items(&store, "r").get(&name()).unwrap().unwrap().expose(), "old");
    }

    #[test]
    fn two_data_folders_never_see_each_others_items() {
        let store = mock::Store::new().unwrap();
        items(&store, "one").put(&name(), &Sensitive::new("1".into())).unwrap();
        items(&store, "two").put(&name(), &Sensitive::new("2".into())).unwrap();
        assert_eq!(items(&store, "one").get(&name()).unwrap().unwrap().expose(), "1");
        assert_eq!(items(&store, "one").names().unwrap().unwrap(), [name()]);
    }

    #[test]
    fn an_item_that_is_no_text_is_an_error_without_its_bytes() {
        let store = mock::Store::new().unwrap();
        items(&store, "r").write("account/1", &[b's', b'k', 0xff]).unwrap();
        let refusal = items(&store, "r").get(&name()).unwrap_err();
        assert!(!format!("{refusal:?}").contains("115"), "no byte of it is told: {refusal:?}");
    }
}

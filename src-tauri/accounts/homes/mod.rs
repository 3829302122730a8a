//! Where secrets live: whether that works, what is in it that nobody owns, and moving house. Deletes no secret that
//! somebody might need, and nothing unasked but what a move has copied and compared.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `findings` | whose secrets are whose: pure |
//! | `course` | a move as it is written down, and what is left of one: pure |
//! | `moving` | doing it, tidying up, and sealing anew |
//! | `words` | how it stands, in sentences |

pub mod course;
mod findings;
mod moving;
mod words;
#[cfg(test)]
mod sealed_tests;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use jiff::Timestamp;
use tokio::sync::watch;

pub use course::Left;
pub use findings::{Findings, Needs, Owner};

use self::{
    course::{HOME, MOVE, Pending},
    findings::Known,
};
use super::{Roster, purse::key_of, roster::lock};
use crate::{
    domain::{AccountId, AccountName},
    events::Event,
    secrets::{Passphrase, SecretName, Secured, Vault, VaultError, VaultKind, prove},
    store::StoreError,
};

/// Opens a home of this folder, with this passphrase if it is sealed with one.
pub type Open =
    Box<dyn Fn(VaultKind, Option<&Passphrase>) -> Result<Arc<dyn Vault>, VaultError> + Send + Sync>;

/// The homes that there are for a folder's secrets, and the one that they have. Clones are the same.
#[derive(Clone)]
pub struct Homes(Arc<Inner>);

struct Inner {
    roster: Roster,
    open: Open,
    /// What the settings choose, which a move can't overrule.
    chosen: Option<VaultKind>,
    /// What opens a sealed file unless a person says something else: given at the start, and replaced with the seal.
    passphrase: Mutex<Option<Passphrase>>,
    state: Mutex<State>,
    /// Told whenever an act ends; a move begins to carry when there is none.
    acts: Condvar,
    /// Told whenever something of the state has changed.
    moved: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    look: Option<Look>,
    left: Option<Left>,
    moving: Option<Moving>,
    last: Option<Moved>,
    /// What sealing anew could not tidy up.
    untidy: Option<String>,
    /// Acts on the home that have found no move under way, and are not over.
    acts: usize,
}

/// How it stands with the home.
#[derive(Debug, Clone)]
pub struct Stand {
    pub kind: VaultKind,
    pub secured: Secured,
    /// What the last look found; `None` before the first.
    pub look: Option<Look>,
    /// What is left of a move that was broken off.
    pub left: Option<Left>,
    /// The move that is under way.
    pub moving: Option<Moving>,
    /// The last one that ended since the start.
    pub last: Option<Moved>,
    /// What sealing anew could not tidy up, in a sentence with a next step.
    pub untidy: Option<String>,
    /// What the settings choose.
    pub chosen: Option<VaultKind>,
}

/// One look into the home.
#[derive(Debug, Clone)]
pub struct Look {
    pub at: Timestamp,
    /// What was found, or why the home does not work.
    pub found: Result<Findings, Arc<str>>,
    /// Where the secrets of accounts that lack theirs were found instead, and whose.
    pub elsewhere: Option<(VaultKind, Vec<AccountId>)>,
    /// Who was known at that time.
    known: Known,
    /// What the accounts are called, or were, whose names orphans carry.
    pub called: BTreeMap<SecretName, AccountName>,
}

/// A move under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moving {
    pub to: VaultKind,
    pub done: usize,
    pub of: usize,
}

/// A move that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub to: VaultKind,
    pub at: Timestamp,
    /// How many secrets were moved, or why none was.
    pub outcome: Result<usize, Arc<str>>,
}

/// Why something was not done about the home. Each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("the secrets are in {} already", .0.title())]
    Same(VaultKind),
    #[error(
        "HEADGATE_VAULT or `vault` in settings.toml chooses {}, and the next start would look there; take that choice \
         out and start Headgate again, then move",
        .0.title()
    )]
    Chosen(VaultKind),
    #[error("secrets that are kept in memory end with Headgate and can't be moved, nor anything into memory")]
    Memory,
    #[error(
        "the secrets of {accounts} are neither in {} nor in {}: if {0} is another one than usual, bring that back first. \
         `headgate vault move {to} --anyway` goes on without them",
        .from.title(),
        .to.title()
    )]
    Lacking { accounts: String, from: VaultKind, to: VaultKind },
    #[error("a move is under way; wait for its end with `headgate vault`")]
    Running,
    /// What was left in a sealed file is not to be had without its passphrase.
    #[error(
        "{source}. It is about what was left in {}: if nobody knows that passphrase any more, remove the file by hand and \
         try again, for the accounts' keys are in {}",
        .left.title(),
        .home.title()
    )]
    Left { left: VaultKind, home: VaultKind, source: VaultError },
    #[error("this system starts no thread: {0}")]
    Thread(#[from] std::io::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Homes {
    /// Nothing is asked of the home yet. `chosen` is what the settings say, `passphrase` what was given at the start.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn load(
        roster: Roster,
        open: Open,
        chosen: Option<VaultKind>,
        passphrase: Option<Passphrase>,
    ) -> Result<Self, StoreError> {
        let homes = Self(Arc::new(Inner {
            roster,
            open,
            chosen,
            passphrase: Mutex::new(passphrase),
            state: Mutex::default(),
            acts: Condvar::new(),
            moved: watch::Sender::new(()),
        }));
        homes.state().left = homes.read_left()?;
        Ok(homes)
    }

    /// How it stands, as far as that is known: as the last look found it, and with the secrets that came and went with
    /// accounts since. Asks neither disk nor keychain.
    pub fn stand(&self) -> Stand {
        let vault = self.0.roster.inner().vault();
        let known = self.known();
        let (kind, secured, state) = (vault.kind(), vault.secured(), self.state());
        let now = |look: &Look| Look {
            found: look.found.as_ref().map(|found| found.since(&look.known, &known)).map_err(Arc::clone),
            ..look.clone()
        };
        Stand {
            kind,
            secured,
            look: state.look.as_ref().map(now),
            left: state.left,
            moving: state.moving,
            last: state.last.clone(),
            untidy: state.untidy.clone(),
            chosen: self.0.chosen,
        }
    }

    /// Looks into the home and ends what a move left undone, on a thread of its own: a keychain may keep it waiting for
    /// as long as a person takes, and neither start nor drain waits with it. What is only in memory is not looked at.
    pub fn look_aside(&self) {
        if self.0.roster.inner().vault().kind() == VaultKind::Memory {
            return;
        }
        let homes = self.clone();
        let begun = thread::Builder::new().name("vault".into()).spawn(move || {
            let stand = homes.look();
            if stand.works() && matches!(stand.left, Some(Left::Old(_))) {
                homes.finish_aside();
            }
            for said in homes.stand().troubles() {
                tracing::error!("{said}");
            }
        });
        if let Err(error) = begun {
            tracing::error!(%error, "the place where keys are kept could not be looked at");
        }
    }

    /// Proves that the home works, and looks what is in it. Blocks.
    pub fn look(&self) -> Stand {
        {
            // Whoever adds or removes an account is never met half way.
            let _acting = lock(&self.0.roster.inner().acting);
            self.look_inside();
        }
        self.tell();
        self.stand()
    }

    /// The same for whoever has the lock of acts.
    fn look_inside(&self) {
        let inner = self.0.roster.inner();
        let vault = inner.vault();
        let found = prove(vault.as_ref()).map_err(HomeError::from);
        let found = found.and_then(|()| self.find_in(vault.as_ref()));
        let called = found.as_ref().map_or_else(|_| BTreeMap::new(), |found| self.called(&found.orphans));
        let elsewhere = found.as_ref().ok().and_then(|found| self.find_elsewhere(vault.kind(), found));
        let found = found.map_err(|error| error.to_string().into());
        let known = self.known();
        self.state().look = Some(Look { at: inner.clock.now(), found, elsewhere, known, called });
    }

    fn known(&self) -> Known {
        let snapshot = self.0.roster.snapshot();
        snapshot.contenders.iter().map(|one| (one.account.id, key_of(one).is_some())).collect()
    }

    /// Completes when no move is under way.
    pub async fn settled(&self) {
        let mut moved = self.0.moved.subscribe();
        while self.state().moving.is_some() {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }

    /// Opens the home that is not in use.
    fn open(&self, kind: VaultKind, given: Option<&Passphrase>) -> Result<Arc<dyn Vault>, HomeError> {
        let known = self.passphrase().clone();
        (self.0.open)(kind, given.or(known.as_ref())).map_err(|source| match source {
            VaultError::NeedsPassphrase(_) | VaultError::WrongPassphrase(_) => {
                HomeError::Left { left: kind, home: self.0.roster.inner().vault().kind(), source }
            }
            source => source.into(),
        })
    }

    fn passphrase(&self) -> MutexGuard<'_, Option<Passphrase>> {
        self.0.passphrase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_in(&self, vault: &dyn Vault) -> Result<Findings, HomeError> {
        Ok(findings::find(&self.names_in(vault)?, &self.owners()?))
    }

    /// Looks for what accounts lack in the home that is not in use, by names alone and where nobody has to be asked for a
    /// passphrase. What can't be seen there is not told. Not in the middle of a move: that says itself what is where.
    fn find_elsewhere(&self, home: VaultKind, found: &Findings) -> Option<(VaultKind, Vec<AccountId>)> {
        let other = match home {
            VaultKind::Keychain => VaultKind::File,
            VaultKind::File => VaultKind::Keychain,
            VaultKind::Memory => return None,
        };
        if found.missing.is_empty() || self.state().left.is_some() {
            return None;
        }
        let there = self.open(other, None).ok()?;
        let names = there.names().ok()??;
        // A sealed file that was not there is one only because it was opened.
        if names.is_empty() {
            let _ = there.vacate();
        }
        let has = |owner: &&Owner| names.iter().any(|name| owner.owns(name));
        let ids: Vec<_> = found.missing.iter().filter(has).map(|owner| owner.id).collect();
        (!ids.is_empty()).then_some((other, ids))
    }

    /// From the store, for the roster does not know one that was never whole. What can't be read is not told.
    fn called(&self, orphans: &[SecretName]) -> BTreeMap<SecretName, AccountName> {
        if orphans.is_empty() {
            return BTreeMap::new();
        }
        let mut names = self.0.roster.inner().store.account_names().unwrap_or_default();
        let called = |orphan: &SecretName| Some((orphan.clone(), names.remove(&orphan.account()?)?));
        orphans.iter().filter_map(called).collect()
    }

    /// From the store, not the roster: that leaves out whom this version does not know.
    fn owners(&self) -> Result<Vec<Owner>, StoreError> {
        let inner = self.0.roster.inner();
        let accounts = inner.store.accounts()?;
        Ok(accounts.into_iter().map(|account| Owner::of(account, &inner.catalog)).collect())
    }

    /// The names of all secrets in a vault. Where the platform can't tell, each account that there ever was is asked
    /// for; of what belongs to none nothing is known there.
    fn names_in(&self, vault: &dyn Vault) -> Result<Vec<SecretName>, HomeError> {
        let mut names = Vec::new();
        if let Some(all) = vault.names()? {
            names.extend(all.into_iter().filter(|name| !name.is_probe()));
        } else {
            for id in self.0.roster.inner().store.account_names()?.into_keys() {
                let name = SecretName::of_account(id);
                if vault.holds(&name)? {
                    names.push(name);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn read_left(&self) -> Result<Option<Left>, StoreError> {
        let (store, home) = (&self.0.roster.inner().store, self.0.roster.inner().vault().kind());
        let Some(pending) = store.meta(MOVE)?.and_then(|text| text.parse::<Pending>().ok()) else {
            return Ok(None);
        };
        let kept = store.meta(HOME)?.and_then(|kind| kind.parse().ok());
        Ok(Some(pending.left(home, kept)))
    }

    fn tell(&self) {
        self.0.moved.send_replace(());
        self.0.roster.inner().events.tell(|| Event::Status);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of it is one assignment.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

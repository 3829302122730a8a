//! Moving house, tidying up after a move that was broken off, deleting what nobody owns, and sealing anew. Each holds
//! the lock of a person's acts from beginning to end, so a renewal or a sign-in that wants to keep something waits and
//! then finds the home that secrets have by then.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    thread,
};

use super::{
    HomeError, Homes, Left, Moved, Moving, Owner, Stand,
    course::{HOME, MOVE, Pending},
    findings,
    words::named,
};
use crate::{
    accounts::roster::lock,
    secrets::{Passphrase, SecretName, Secured, Vault, VaultError, VaultKind, copy, empty, prove, take_back},
    store::StoreError,
};

impl Homes {
    /// Begins to move all secrets into another home, on a thread of its own, and does not wait for the end. `passphrase`
    /// seals a sealed file that is not there yet, or opens the one that is. Where accounts lack their secrets in both
    /// homes it comes to nothing, unless it is to go on `anyway`: the home may be another one than usual, and what is in
    /// that one would be left behind.
    ///
    /// # Errors
    /// [`HomeError`]; nothing has begun then.
    pub fn begin_move(
        &self,
        to: VaultKind,
        passphrase: Option<Passphrase>,
        anyway: bool,
    ) -> Result<(), HomeError> {
        let from = self.0.roster.inner().vault().kind();
        if from == VaultKind::Memory || to == VaultKind::Memory {
            return Err(HomeError::Memory);
        }
        if from == to {
            return Err(HomeError::Same(to));
        }
        if let Some(chosen) = self.0.chosen.filter(|chosen| *chosen != to) {
            return Err(HomeError::Chosen(chosen));
        }
        {
            let mut state = self.state();
            if state.moving.is_some() {
                return Err(HomeError::Running);
            }
            state.moving = Some(Moving { to, done: 0, of: 0 });
        }
        let homes = self.clone();
        // Not a task of the runtime: its end would wait for a keychain's owner. A move may be broken off anywhere.
        let begun = thread::Builder::new().name("vault-move".into()).spawn(move || {
            let end = End(&homes, to);
            let outcome = homes.carry(to, passphrase.as_ref(), anyway);
            homes.look();
            end.with(outcome.map_err(|error| error.to_string().into()));
        });
        if let Err(error) = begun {
            self.state().moving = None;
            return Err(error.into());
        }
        self.tell();
        Ok(())
    }

    /// Deletes these secrets, as far as they are still nobody's, and ends or undoes what a move left behind, in a sealed
    /// file perhaps that opens with this passphrase. Blocks.
    ///
    /// # Errors
    /// [`HomeError`]; what was deleted before is gone.
    pub fn clean(&self, names: &[SecretName], passphrase: Option<&Passphrase>) -> Result<Stand, HomeError> {
        let inner = self.0.roster.inner();
        {
            let _act = self.act()?;
            let vault = inner.vault();
            let orphans = self.find_in(vault.as_ref())?.orphans;
            for name in names.iter().filter(|name| orphans.contains(name)) {
                vault.remove(name)?;
            }
            let left = self.state().left;
            match left {
                Some(Left::Old(old)) => self.empty(old, vault.as_ref(), passphrase)?,
                Some(Left::Copies(new)) => {
                    let there = self.open(new, passphrase)?;
                    if self.clear(there.as_ref(), vault.as_ref())? {
                        self.note(None)?;
                    }
                }
                Some(Left::Elsewhere(_)) | None => {}
            }
            self.look_inside();
        }
        self.tell();
        Ok(self.stand())
    }

    /// Seals the sealed file with this passphrase, or with a key file. `current` is the passphrase that it has, if it
    /// has one. Blocks, for as long as a passphrase costs.
    ///
    /// # Errors
    /// [`HomeError`]; nothing has changed then.
    pub fn reseal(
        &self,
        current: Option<&Passphrase>,
        next: Option<&Passphrase>,
    ) -> Result<Stand, HomeError> {
        {
            let _act = self.act()?;
            let untidy = self.0.roster.inner().vault().reseal(current, next)?;
            // What opened it before is nobody's any more.
            *self.passphrase() = next.cloned();
            if let Some(untidy) = &untidy {
                tracing::warn!("{untidy}");
            }
            self.state().untidy = untidy;
        }
        self.tell();
        Ok(self.stand())
    }

    /// Empties the old home of a move that was broken off, if it can be had.
    pub(super) fn finish_aside(&self) {
        let Ok(_act) = self.act() else { return };
        let Some(Left::Old(old)) = self.state().left else { return };
        match self.empty(old, self.0.roster.inner().vault().as_ref(), None) {
            Ok(()) => tracing::info!("{} is empty: the move out of it is over", old.title()),
            Err(error) => tracing::warn!(%error, "{} could not be emptied after a move", old.title()),
        }
    }

    pub(super) fn carry(
        &self,
        to: VaultKind,
        passphrase: Option<&Passphrase>,
        anyway: bool,
    ) -> Result<usize, HomeError> {
        let inner = self.0.roster.inner();
        self.await_acts();
        let _acting = lock(&inner.acting);
        let from = inner.vault();
        let names = self.names_in(from.as_ref())?;
        let lacking = if anyway { Vec::new() } else { findings::find(&names, &self.owners()?).missing };
        // What an earlier move left behind is still there if this one comes to nothing.
        let before = inner.store.meta(MOVE)?.and_then(|text| text.parse::<Pending>().ok());
        self.note(Some(Pending::Filling(to)))?;
        // Proved before anything is put there: whoever refuses here is not asked a second time.
        let new = self.open_new(to, passphrase).and_then(|new| {
            self.lacks_nothing(from.kind(), new.as_ref(), lacking)?;
            Ok(new)
        });
        let new = match new {
            Ok(new) => new,
            Err(error) => {
                self.note(before)?;
                return Err(error);
            }
        };
        if let Err(error) = self.fill(from.as_ref(), new.as_ref(), &names) {
            // What can't be taken back now stays written down.
            if take_back(new.as_ref(), from.as_ref(), &names).is_ok() {
                self.note(before)?;
            }
            return Err(error.into());
        }
        // Whatever is said of this commit, everything is in both homes now, and so it stays if it failed.
        let emptying = Pending::Emptying(from.kind());
        inner.store.change_meta(&[(HOME, Some(to.as_str())), (MOVE, Some(&emptying.text()))])?;
        inner.settle_in(Arc::clone(&new));
        if let Some(given) = passphrase {
            *self.passphrase() = Some(given.clone());
        }
        self.state().left = Some(Left::Old(from.kind()));
        if let Err(error) = self.empty_of(from.as_ref(), new.as_ref(), &names) {
            tracing::warn!(%error, "{} could not be emptied after a move", from.kind().title());
        }
        Ok(names.len())
    }

    /// Opens the home that secrets are to move into, proves it, and has it sealed as was asked: a file that was left there
    /// may be sealed with a key.
    fn open_new(&self, to: VaultKind, passphrase: Option<&Passphrase>) -> Result<Arc<dyn Vault>, HomeError> {
        let new = self.open(to, passphrase)?;
        prove(new.as_ref())?;
        let known = self.passphrase().clone();
        if let Some(asked) = passphrase.or(known.as_ref())
            && new.secured() == Secured::KeyFile
        {
            self.state().untidy = new.reseal(None, Some(asked))?;
        }
        Ok(new)
    }

    /// Whether these accounts have their secrets in the new home already.
    fn lacks_nothing(
        &self,
        from: VaultKind,
        new: &dyn Vault,
        mut lacking: Vec<Owner>,
    ) -> Result<(), HomeError> {
        if lacking.is_empty() {
            return Ok(());
        }
        let there = self.names_in(new)?;
        lacking.retain(|owner| !there.iter().any(|name| owner.owns(name)));
        if lacking.is_empty() {
            return Ok(());
        }
        new.vacate()?;
        Err(HomeError::Lacking { accounts: named(&lacking), from, to: new.kind() })
    }

    fn fill(&self, from: &dyn Vault, new: &dyn Vault, names: &[SecretName]) -> Result<(), VaultError> {
        let (to, of) = (new.kind(), names.len());
        self.state().moving = Some(Moving { to, done: 0, of });
        self.tell();
        copy(from, new, names, |done| {
            self.state().moving = Some(Moving { to, done, of });
            // Twenty times are enough to see it move.
            if done * 20 / of != (done - 1) * 20 / of {
                self.tell();
            }
        })
    }

    fn empty(
        &self,
        old: VaultKind,
        kept: &dyn Vault,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), HomeError> {
        let old = self.open(old, passphrase)?;
        self.empty_of(old.as_ref(), kept, &self.names_in(old.as_ref())?)
    }

    fn empty_of(&self, old: &dyn Vault, kept: &dyn Vault, names: &[SecretName]) -> Result<(), HomeError> {
        let owners = self.owners()?;
        empty(old, kept, names, |name| owners.iter().any(|owner| owner.owns(name)))?;
        Ok(self.note(None)?)
    }

    /// Takes away what a move that was broken off has copied, however old that is by now. What somebody owns and `kept`
    /// lacks stays. True where nothing does.
    fn clear(&self, there: &dyn Vault, kept: &dyn Vault) -> Result<bool, HomeError> {
        let owners = self.owners()?;
        let mut is_clear = true;
        for name in self.names_in(there)? {
            if owners.iter().any(|owner| owner.owns(&name)) && kept.get(&name)?.is_none() {
                is_clear = false;
            } else {
                there.remove(&name)?;
            }
        }
        there.vacate()?;
        Ok(is_clear)
    }

    /// Writes down where a move is, or that there is none.
    fn note(&self, pending: Option<Pending>) -> Result<(), StoreError> {
        let inner = self.0.roster.inner();
        let text = pending.map(Pending::text);
        inner.store.change_meta(&[(MOVE, text.as_deref())])?;
        let home = inner.vault().kind();
        self.state().left = pending.map(|pending| pending.left(home, Some(home)));
        Ok(())
    }

    /// The lock of a person's acts, unless a move is under way: that may take minutes. A move that begins from here on
    /// lets this act pass first, so whoever was not told of one never waits for it.
    fn act(&self) -> Result<Act<'_>, HomeError> {
        let counted = self.count()?;
        Ok(Act { _acting: lock(&self.0.roster.inner().acting), _counted: counted })
    }

    /// Finds no move under way, and counts among the acts in the same step.
    pub(super) fn count(&self) -> Result<Counted<'_>, HomeError> {
        {
            let mut state = self.state();
            if state.moving.is_some() {
                return Err(HomeError::Running);
            }
            state.acts += 1;
        }
        Ok(Counted(self))
    }

    /// Waits for the acts that have found no move under way. None comes after them: this one is, by now.
    fn await_acts(&self) {
        let ended = self.0.acts.wait_while(self.state(), |state| state.acts > 0);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }
}

/// An act on the home, with the lock that it holds. Both are given back at its end, the lock first.
struct Act<'a> {
    _acting: MutexGuard<'a, ()>,
    _counted: Counted<'a>,
}

/// One of the acts that a move waits for.
pub(super) struct Counted<'a>(&'a Homes);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.state().acts -= 1;
        self.0.0.acts.notify_all();
    }
}

/// A move's end, whatever it comes to.
struct End<'a>(&'a Homes, VaultKind);

impl End<'_> {
    fn with(self, outcome: Result<usize, Arc<str>>) {
        self.tell(outcome);
        std::mem::forget(self);
    }

    fn tell(&self, outcome: Result<usize, Arc<str>>) {
        let Self(homes, to) = self;
        let at = homes.0.roster.inner().clock.now();
        {
            let mut state = homes.state();
            state.last = Some(Moved { to: *to, at, outcome });
            state.moving = None;
        }
        homes.tell();
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.tell(Err("it broke off; start Headgate again, and it will say what is left".into()));
    }
}

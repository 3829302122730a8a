//! What a person may do with accounts. Each act blocks on disk and keychain, is kept before it takes
//! effect, and leaves nothing half done.

mod wanted;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use wanted::{allow, check_login_address, check_priority, wanted_key, warm, wish};
pub(super) use wanted::{check_key, goes_where_a_login_may};

use super::{Brought, EditError, GuardsChange, Roster, guards::zones, purse::filled, roster::lock};
use crate::{
    domain::{
        Account, AccountId, AccountName, Caps, Lacks, ModelMap, OpenWhen, Paid, Pause, PausedBy, PoolId,
        Provider, SpillTo,
    },
    events::Event,
    providers::{PlainHttp, base_url},
    routing::{Contender, Load, reopen},
    secrets::{SecretName, Sensitive},
    store::{NewAccountRow, StoreError},
};

/// An account to be added.
#[derive(Debug)]
pub struct NewAccount {
    pub name: String,
    pub provider: String,
    pub base_url: Option<String>,
    /// How far plain http:// may go.
    pub plain_http: PlainHttp,
    pub priority: i32,
    /// Left out where the provider's accounts pass on the client's sign-in.
    pub key: Option<Sensitive<String>>,
}

/// What to change; `None` stays as it is.
#[derive(Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub priority: Option<i32>,
    /// An empty text goes back to the provider's own address.
    pub base_url: Option<String>,
    /// How far plain http:// may go, if an address is given.
    pub plain_http: PlainHttp,
    pub key: Option<Sensitive<String>>,
    /// The whole map, asked to sent, in place of the one there is.
    pub models: Option<BTreeMap<String, String>>,
    /// All that it does not take, in place of what was said.
    pub lacks: Option<Lacks>,
    /// How its use is paid; `Some(None)`: as it shows by itself.
    pub paid: Option<Option<Paid>>,
    /// Where requests that would cost nothing here may spill over to.
    pub spill: Option<SpillOrder>,
    /// The pool that it is put into.
    pub pool: Option<PoolId>,
    /// What is kept back of it.
    pub guards: GuardsChange,
    /// When its windows are opened; `Some(None)`: they are not.
    pub open_window: Option<Option<OpenWhen>>,
    /// How often a prompt of it is kept warm; 0: none is.
    pub keep_warm: Option<u8>,
}

/// What an account does not take, if these can be beta features; none is named twice.
fn checked_lacks(lacks: Lacks) -> Result<Lacks, EditError> {
    let is_beta = |name: &Arc<str>| {
        (1..=Lacks::LONGEST_BETA).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    let mut betas = lacks.betas.to_vec();
    betas.sort();
    betas.dedup();
    if betas.len() > Lacks::MOST_BETAS || !betas.iter().all(is_beta) {
        return Err(EditError::BadBeta);
    }
    Ok(Lacks { betas: betas.into(), ..lacks })
}

/// What a person says of the paths out of an account to where it may cost money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpillOrder {
    /// There is none.
    None,
    /// To these.
    To(SpillTo),
}

/// What an account pays with from now on, and its provider as it is served with that.
pub(super) struct Anew {
    pub secret: Brought,
    pub provider: Arc<Provider>,
}

impl Roster {
    /// Adds an account; it may serve the next request.
    ///
    /// # Errors
    /// Whatever is wrong with the input, or with store and vault; nothing is kept then.
    pub fn add(&self, new: NewAccount) -> Result<Arc<Contender>, EditError> {
        let (row, provider) =
            self.vet(&new.name, &new.provider, new.base_url.as_deref(), new.plain_http, new.priority)?;
        let key = wanted_key(new.key, &provider)?;
        self.enter(row, provider, key.map(Brought::Key))
    }

    /// What a new account would be, if all that is said of it is right.
    pub(super) fn vet(
        &self,
        name: &str,
        provider: &str,
        address: Option<&str>,
        plain_http: PlainHttp,
        priority: i32,
    ) -> Result<(NewAccountRow, Arc<Provider>), EditError> {
        let inner = self.inner();
        let name = AccountName::new(name)?;
        let folded = name.as_str().to_lowercase();
        if self.snapshot().contenders.iter().any(|one| one.account.name.as_str().to_lowercase() == folded) {
            return Err(EditError::NameTaken(name.to_string()));
        }
        let provider = inner.catalog.get(provider).ok_or_else(|| EditError::NoSuchProvider {
            given: provider.chars().take(40).collect(),
            known: inner.catalog.ids(),
        })?;
        let address = address.map(str::trim).filter(|text| !text.is_empty());
        let address = address.map(|text| base_url(text, plain_http)).transpose()?;
        if address.is_none() && provider.base_url.is_none() {
            return Err(EditError::NeedsAddress(provider.title.clone()));
        }
        check_login_address(address.as_ref(), &provider)?;
        check_priority(priority)?;
        let row = NewAccountRow {
            name,
            provider: provider.id.clone(),
            base_url: address,
            priority,
            sign_in: None,
            created_at: inner.clock.now(),
        };
        Ok((row, provider))
    }

    /// Keeps a new account with what it pays with, and has it serve.
    pub(super) fn enter(
        &self,
        row: NewAccountRow,
        provider: Arc<Provider>,
        secret: Option<Brought>,
    ) -> Result<Arc<Contender>, EditError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        let account = inner.store.add_account(&row).map_err(|error| named(error, row.name.as_str()))?;
        let id = account.id;
        if let Some(secret) = &secret
            && let Err(error) = inner.vault().put(&SecretName::of_account(id), &secret.text())
        {
            // An account without its key is of no use: take it back.
            inner.store.remove_account(id, inner.clock.now())?;
            return Err(error.into());
        }
        self.keep_name(id, account.name.clone());
        let load = Load::within(self.inner().ration.clone());
        let contender = Contender::new(account, provider, load);
        let offers = inner.models.known_of(&contender);
        let purse = secret.map(filled).unwrap_or_default();
        let contender = inner.insert(Contender { offers, purse, ..contender });
        inner.models.forget(id);
        inner.due_anew.notify_waiters();
        inner.tell_jobs();
        inner.events.tell(|| Event::Accounts);
        Ok(contender)
    }

    /// Changes name, priority, address, key, model names, pool or guards.
    ///
    /// # Errors
    /// As [`Roster::add`].
    pub fn change(&self, id: AccountId, change: Change) -> Result<Arc<Contender>, EditError> {
        let name = change.name.as_deref().map(AccountName::new).transpose()?;
        let key = change.key.map(check_key).transpose()?;
        change.priority.map_or(Ok(()), check_priority)?;
        let address = change.base_url.map(|text| {
            if text.trim().is_empty() { Ok(None) } else { base_url(&text, change.plain_http).map(Some) }
        });
        let address = address.transpose()?;
        let models = change.models.map(ModelMap::new).transpose()?;
        let lacks = change.lacks.map(checked_lacks).transpose()?;
        let has_new_key = key.is_some();
        let now = self.inner().clock.now();
        if let Some(SpillOrder::To(SpillTo::Only(ids))) = &change.spill {
            self.check_spill(id, ids)?;
        }
        let has_new_upstream = has_new_key || address.is_some();
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        if change.pool.is_some_and(|pool| self.snapshot().plan.pool(pool).is_none()) {
            return Err(EditError::NoSuchPool);
        }
        let before = self.find(id)?;
        if let Some(models) = &models {
            models.refuse_new_patterns(&before.account.models)?;
        }
        let paid = before.paid_if(change.paid.unwrap_or(before.account.paid));
        let before = before.account.guards.clone();
        let has_new_guards = !change.guards.is_none();
        let guards = if has_new_guards { change.guards.of(before.as_deref())?.map(Arc::new) } else { before };
        let has_caps = guards.as_ref().is_some_and(|guards| guards.caps != Caps::default());
        if has_new_guards && has_caps {
            // What was spent is known before a cap holds.
            inner.count(id)?;
        }
        // A key goes where keys of this provider do, whatever its tokens did.
        let provider = self.plain(id)?;
        let anew = key.map(|key| Anew { secret: Brought::Key(key), provider });
        let changed = self.act_in_turn(id, anew, |account, provider| {
            account.pool = change.pool.unwrap_or(account.pool);
            account.guards.clone_from(&guards);
            account.name = name.clone().unwrap_or_else(|| account.name.clone());
            account.priority = change.priority.unwrap_or(account.priority);
            account.base_url = address.clone().unwrap_or_else(|| account.base_url.clone());
            account.models = models.clone().unwrap_or_else(|| account.models.clone());
            account.lacks = lacks.clone().unwrap_or_else(|| account.lacks.clone());
            if provider.passes_logins() && change.paid.is_some_and(|paid| paid.is_some()) {
                return Err(EditError::PaidBySignIns);
            }
            account.paid = change.paid.unwrap_or(account.paid);
            if has_new_key {
                // What the old one brought about says nothing of it.
                (account.refused, account.bench) = (None, None);
                account.sign_in = None;
            }
            let way = account.sign_in.as_ref().and_then(|terms| self.catalog().sign_ins().get(&terms.with));
            if let Some(way) = way.filter(|way| account.base_url.is_none() && !way.serves_by_itself(provider))
            {
                let (provider, title) = (provider.title.clone(), way.title.clone());
                return Err(EditError::ForeignToken { provider, title });
            }
            if account.base_url.is_none() && provider.base_url.is_none() {
                return Err(EditError::NeedsAddress(provider.title.clone()));
            }
            if has_new_key && provider.passes_logins() {
                return Err(EditError::NoKeyWanted(provider.title.clone()));
            }
            check_login_address(account.base_url.as_ref(), provider)?;
            if let Some(when) = &change.open_window {
                wish(account, provider, when.as_ref(), now)?;
            }
            if let Some(times) = change.keep_warm {
                account.timed.keep_warm = warm(times, provider)?;
            }
            allow(account, paid, change.spill.as_ref(), now)
        })?;
        if has_new_upstream {
            inner.models.forget(id);
            inner.readings.forget(id);
            inner.update(id, |contender| contender.offers = inner.models.known_of(contender));
        }
        if has_new_guards {
            if !has_caps {
                inner.outlays.forget(id);
            }
            inner.revise(|next| {
                let zones = zones(next.contenders.iter().map(AsRef::as_ref), inner.clock.zone());
                Arc::make_mut(&mut next.plan).zones = zones;
            });
        }
        Ok(changed)
    }

    /// Takes an account out of service until somebody resumes it.
    ///
    /// # Errors
    /// If there is no such account, or it can't be kept.
    pub fn pause(&self, id: AccountId, reason: &str) -> Result<Arc<Contender>, EditError> {
        self.pause_by(id, reason, &PausedBy::User)
    }

    /// The same, by whom is known.
    ///
    /// # Errors
    /// As [`Roster::pause`].
    pub fn pause_by(&self, id: AccountId, reason: &str, by: &PausedBy) -> Result<Arc<Contender>, EditError> {
        let reason: String = reason.trim().chars().filter(|c| !c.is_control()).take(200).collect();
        let pause = Pause { reason: reason.into(), by: by.clone(), at: self.inner().clock.now() };
        self.act(id, None, |account, _| {
            account.pause = Some(pause.clone());
            Ok(())
        })
    }

    /// Puts an account back into service, whatever kept it out.
    ///
    /// # Errors
    /// As [`Roster::pause`].
    pub fn resume(&self, id: AccountId) -> Result<Arc<Contender>, EditError> {
        let has_key = self.bearer(id).is_some();
        let inner = self.inner();
        inner.logins.forget(id);
        let mut reopened = None;
        inner.update(id, |contender| reopened = reopen(contender).then(|| contender.windows.clone()));
        if let Some(windows) = reopened {
            inner.store.save_windows(id, windows);
        }
        self.act(id, None, |account, _| {
            account.pause = None;
            account.bench = None;
            if has_key {
                account.refused = None;
            }
            Ok(())
        })
    }

    /// Removes an account and its key. Its history stays.
    ///
    /// # Errors
    /// If there is no such account, or store or vault refuse.
    pub fn remove(&self, id: AccountId) -> Result<(), EditError> {
        let inner = self.inner();
        let _acting = lock(&inner.acting);
        self.find(id)?;
        // The key goes first: a key without an account would be one that nobody looks after.
        inner.vault().remove(&SecretName::of_account(id))?;
        inner.store.remove_account(id, inner.clock.now())?;
        inner.forget(id);
        inner.models.remove(id);
        inner.readings.forget(id);
        inner.openings.forget(id);
        inner.logins.forget(id);
        inner.affinities.forget(id);
        inner.outlays.forget(id);
        inner.tell_jobs();
        inner.events.tell(|| Event::Accounts);
        Ok(())
    }

    /// Applies a change, and a new key if there is one, to what is kept and then to what is used. The change
    /// is applied twice because verdicts go on arriving while the disk is busy, and none of them may be lost.
    fn act(
        &self,
        id: AccountId,
        anew: Option<Anew>,
        change: impl Fn(&mut Account, &Provider) -> Result<(), EditError>,
    ) -> Result<Arc<Contender>, EditError> {
        let _acting = lock(&self.inner().acting);
        self.act_in_turn(id, anew, change)
    }

    /// The same for a caller that holds `acting`.
    pub(super) fn act_in_turn(
        &self,
        id: AccountId,
        anew: Option<Anew>,
        change: impl Fn(&mut Account, &Provider) -> Result<(), EditError>,
    ) -> Result<Arc<Contender>, EditError> {
        let inner = self.inner();
        let before = self.find(id)?;
        let mut account = before.account.clone();
        change(&mut account, &before.provider)?;
        inner.store.save_account(&account).map_err(|error| named(error, account.name.as_str()))?;
        if let Some(anew) = &anew
            && let Err(error) = inner.vault().put(&SecretName::of_account(id), &anew.secret.text())
        {
            // All of it or nothing: a new name with the old key is not what was asked for.
            inner.store.save_account(&before.account)?;
            return Err(error.into());
        }
        self.keep_name(id, account.name.clone());
        let saved = account;
        let (mut applied, has_new_secret) = (Ok(()), anew.is_some());
        let updated = inner.update(id, |contender| {
            applied = change(&mut contender.account, &contender.provider);
            if let Some(Anew { secret, provider }) = anew {
                // With the address in one step: no request carries the key to where another one went.
                (contender.purse, contender.provider) = (filled(secret), provider);
            }
        });
        applied?;
        if has_new_secret {
            inner.due_anew.notify_waiters();
        }
        let updated = updated.ok_or(EditError::NotFound)?;
        if (&updated.account.bench, &updated.account.refused) != (&saved.bench, &saved.refused) {
            // Something was learned while the disk was busy, and the row that was saved did not know it.
            inner.store.save_health(id, updated.account.bench.clone(), updated.account.refused.clone());
        }
        inner.openings.let_go(id);
        inner.tell_jobs();
        inner.events.tell(|| Event::Accounts);
        Ok(updated)
    }

    /// A path leads from this one to live accounts that have a key of their own.
    fn check_spill(&self, from: AccountId, ids: &[AccountId]) -> Result<(), EditError> {
        let snapshot = self.snapshot();
        for id in ids {
            match snapshot.get(*id) {
                Some(_) if *id == from => {
                    return Err(EditError::BadSpill("one of them is the account itself".into()));
                }
                Some(known) if known.provider.passes_logins() => {
                    let why = format!("\"{}\" passes sign-ins on itself", known.account.name);
                    return Err(EditError::BadSpill(why));
                }
                Some(_) => {}
                None => return Err(EditError::BadSpill(format!("there is none with the id {id}"))),
            }
        }
        Ok(())
    }

    /// An account's provider as the catalog has it.
    pub(super) fn plain(&self, id: AccountId) -> Result<Arc<Provider>, EditError> {
        let known = self.find(id)?;
        Ok(self.inner().catalog.get(&known.provider.id.0).unwrap_or_else(|| Arc::clone(&known.provider)))
    }

    fn find(&self, id: AccountId) -> Result<Arc<Contender>, EditError> {
        self.snapshot().get(id).cloned().ok_or(EditError::NotFound)
    }

    fn keep_name(&self, id: AccountId, name: AccountName) {
        self.inner().names.write().unwrap_or_else(PoisonError::into_inner).insert(id, name);
    }
}

fn named(error: StoreError, name: &str) -> EditError {
    match error {
        StoreError::NameTaken => EditError::NameTaken(name.to_owned()),
        other => EditError::Store(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        domain::{Need, Verdict},
        events::Events,
        providers::Catalog,
        routing::Lesson,
        secrets::Memory,
        store,
    };

    #[test]
    fn what_is_learned_during_an_edit_is_known_after_a_restart_too() {
        let folder = tempfile::tempdir().unwrap();
        let store = store::Store::open(&folder.path().join("db"), store::Options::default()).unwrap();
        let vault = Arc::new(Memory::default());
        let load = || {
            let (clock, events) = (Clock::system(), Events::default());
            Roster::load(
                store.clone(),
                vault.clone(),
                Catalog::built_in(),
                clock,
                events,
                crate::routing::Ration::default(),
            )
            .unwrap()
        };
        let roster = load();
        let key = Sensitive::new("key".to_owned());
        let provider = "anthropic".to_owned();
        let plain_http = PlainHttp::Here;
        let new = NewAccount {
            name: "work".into(),
            provider,
            base_url: None,
            plain_http,
            priority: 0,
            key: Some(key),
        };
        let id = roster.add(new).unwrap().account.id;
        let is_first = std::cell::Cell::new(true);
        let edit = |account: &mut Account, _: &Provider| {
            account.priority = 7;
            if is_first.replace(false) {
                // An attempt comes back while the edit is on its way to the disk.
                let verdict = &Verdict::CredentialRefused;
                roster.learn(id, &Lesson { verdict: Some(verdict), windows: &[], need: Need::default() });
            }
            Ok(())
        };
        roster.act(id, None, edit).unwrap();
        store.flush().unwrap();
        let refused = |roster: &Roster| roster.snapshot().get(id).unwrap().account.refused.is_some();
        assert!(refused(&roster), "it is known now");
        assert!(refused(&load()), "and after a restart");
    }
}

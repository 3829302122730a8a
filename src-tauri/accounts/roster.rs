//! The accounts as the hot path sees them. Readers take a snapshot and never wait; whoever learns
//! something makes the next snapshot under a short lock and leaves the writing to the store's queue.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, futures::Notified};
use url::Url;

use super::{
    EditError, affinity,
    asked::{
        models::ModelBook,
        opening::{self, Openings},
        readings::ReadingBook,
    },
    edit::goes_where_a_login_may,
    guards,
    logins::Logins,
    outlay::Outlays,
    plan, purse, signed_in,
};
use crate::{
    clock::Clock,
    domain::{AccountId, AccountName, Ask, Grant, Outlay, PoolId, Window},
    events::{Event, Events},
    providers::Catalog,
    routing::{Affinities, Contender, Lesson, Load, Ration, Snapshot, Weather, is_news, settle},
    secrets::{SecretName, Sensitive, Vault},
    store::Store,
};

/// The accounts. Clones are the same roster.
#[derive(Clone)]
pub struct Roster(Arc<Inner>);

pub(super) struct Inner {
    snapshot: ArcSwap<Snapshot>,
    /// Held for the few lines in which the next snapshot is made, so that no change is lost.
    next: Mutex<()>,
    /// Held by a person's act for as long as disk and keychain take; the hot path never waits for it.
    pub acting: Mutex<()>,
    /// Of removed accounts too: history keeps their names.
    pub names: RwLock<HashMap<AccountId, AccountName>>,
    pub models: ModelBook,
    pub readings: ReadingBook,
    pub openings: Openings,
    pub logins: Logins,
    /// Where conversations are bound to.
    pub affinities: Affinities,
    pub outlays: Outlays,
    pub store: Store,
    /// Where secrets live now. Changed by a move alone, which holds `acting`, as whoever writes to it does.
    home: RwLock<Arc<dyn Vault>>,
    pub catalog: Catalog,
    pub clock: Clock,
    pub events: Events,
    /// What each account may serve at once. Its bell also rings for each new snapshot.
    pub ration: Ration,
    /// Whether there is an account whose prompts are kept warm: all that a request looks at.
    pub warms: AtomicBool,
    /// Rings when that may have changed.
    pub warms_anew: Notify,
    /// Rings when another sign-in may be the next to be renewed.
    pub due_anew: Notify,
}

impl Roster {
    /// Reads accounts, windows, keys and the plan. Blocks on disk and keychain.
    ///
    /// # Errors
    /// If the store or the vault can't be read.
    pub fn load(
        store: Store,
        vault: Arc<dyn Vault>,
        catalog: Catalog,
        clock: Clock,
        events: Events,
        ration: Ration,
    ) -> Result<Self, EditError> {
        let mut windows: HashMap<AccountId, Vec<Window>> = HashMap::new();
        for (id, window) in store.windows()? {
            windows.entry(id).or_default().push(window);
        }
        let (outlays, now) = (Outlays::default(), clock.now());
        let models = ModelBook::load(&store)?;
        let openings = Openings::load(&store)?;
        let mut contenders: Vec<Arc<Contender>> = Vec::new();
        for mut account in store.accounts()? {
            let Some(mut provider) = catalog.get(&account.provider.0) else {
                tracing::warn!(account = %account.name, provider = %account.provider, "left out: this version knows no such provider");
                continue;
            };
            let mut held = None;
            if provider.passes_logins() {
                if !goes_where_a_login_may(account.base_url.as_ref(), &provider) {
                    tracing::warn!(account = %account.name, "left out: a sign-in is not sent to the address that it has");
                    continue;
                }
            } else {
                let kept = vault.get(&SecretName::of_account(account.id))?;
                held = signed_in::hold(&mut account, &mut provider, kept, &catalog, now);
            }
            let windows = windows.remove(&account.id).unwrap_or_default();
            let outlay = match &account.guards {
                Some(guards) => outlays.load(&store, account.id, &guards.caps, now)?,
                None => Outlay::default(),
            };
            let contender = Contender::new(account, provider, Load::within(ration.clone()));
            let offers = models.known_of(&contender);
            let purse = held.map(purse::filled).unwrap_or_default();
            let contender = Contender { windows, offers, outlay, purse, ..contender };
            contenders.push(Arc::new(under_its_sky(contender, &contenders)));
        }
        let names = store.account_names()?;
        let zones = guards::zones(contenders.iter().map(AsRef::as_ref), clock.zone());
        let plan = Arc::new(plan::load(&store, zones)?);
        let snapshot = Snapshot { contenders: contenders.into_iter().collect(), plan };
        let warms = warms(&snapshot);
        Ok(Self(Arc::new(Inner {
            affinities: affinity::load(&store, &snapshot, clock.now())?,
            snapshot: ArcSwap::from_pointee(snapshot),
            next: Mutex::default(),
            acting: Mutex::default(),
            names: RwLock::new(names),
            models,
            readings: ReadingBook::default(),
            openings,
            logins: Logins::new()?,
            outlays,
            store,
            home: RwLock::new(vault),
            catalog,
            clock,
            events,
            ration,
            warms: AtomicBool::new(warms),
            warms_anew: Notify::new(),
            due_anew: Notify::new(),
        })))
    }

    /// All accounts as they stand.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot()
    }

    /// Completes when, after this call, a snapshot is published or an account with a limit has room again.
    pub fn changed(&self) -> Notified<'_> {
        self.0.ration.freed.notified()
    }

    /// Leaves an ask the accounts that a key allows at this moment, and leads it through the pools that it names.
    pub fn narrow(&self, ask: &mut Ask, grant: &Grant) {
        let Some(pools) = &grant.pools else {
            ask.only.clone_from(&grant.accounts);
            return;
        };
        let snapshot = self.snapshot();
        let named = grant.accounts.as_deref().unwrap_or_default();
        let lets = |one: &&Arc<Contender>| {
            named.contains(&one.account.id) || pools.contains(&snapshot.plan.pool_of(one))
        };
        ask.only = Some(snapshot.contenders.iter().filter(lets).map(|one| one.account.id).collect());
        // Where accounts are named besides, `main` leads to them as it does for any key.
        let with_main = !named.is_empty() && !pools.contains(&PoolId::MAIN);
        let all = || pools.iter().copied().chain([PoolId::MAIN]).collect();
        ask.pools = Some(if with_main { all() } else { Arc::clone(pools) });
    }

    /// Whether prompts of any account are kept warm. Costs a load.
    pub fn keeps_warm(&self) -> bool {
        self.0.warms.load(Ordering::Relaxed)
    }

    /// Completes when an account's prompts may be kept warm no more, or from now on.
    pub async fn warms_anew(&self) {
        self.0.warms_anew.notified().await;
    }

    /// What providers there are.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The live credential of an account, from memory. Whoever sends it takes it from the contender that it sends to.
    pub fn bearer(&self, id: AccountId) -> Option<Arc<Sensitive<String>>> {
        purse::key_of(self.snapshot().get(id)?).cloned()
    }

    /// Whether this is still the account's credential; a person may have replaced it meanwhile.
    pub fn is_current(&self, id: AccountId, key: &Arc<Sensitive<String>>) -> bool {
        self.bearer(id).is_some_and(|current| Arc::ptr_eq(&current, key))
    }

    /// The name of an account, also of one that was removed.
    pub fn name_of(&self, id: AccountId) -> Option<AccountName> {
        self.0.names.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Takes in what one attempt taught. Never waits for the disk; an account that was removed meanwhile
    /// learns nothing.
    pub fn learn(&self, id: AccountId, lesson: &Lesson<'_>) {
        let now = self.0.clock.now();
        // What is learned with a client's sign-in is that sign-in's own: see `learn_of_login`.
        let has_news =
            |known: &&Arc<Contender>| !known.provider.passes_logins() && is_news(known, lesson, now);
        if !self.0.snapshot.load().get(id).is_some_and(|known| has_news(&known)) {
            return;
        }
        let _next = lock(&self.0.next);
        let snapshot = self.0.snapshot.load();
        // Somebody else may have learned it meanwhile, or removed the account.
        let Some(known) = snapshot.get(id).filter(has_news) else { return };
        let mut contender = Contender::clone(known);
        let learned = settle(&mut contender, lesson, now);
        let has_moved = contender.account.timed.opens().is_some() && opening::has_moved(known, &contender);
        if learned.health {
            self.0.store.save_health(id, contender.account.bench.clone(), contender.account.refused.clone());
        }
        if learned.windows {
            self.0.store.save_windows(id, contender.windows.clone());
        }
        if learned.comeback {
            contender.weather.learn_comeback(now);
        }
        if learned.health || learned.windows || learned.age {
            self.0.publish(Arc::new(contender));
        }
        if learned.health || has_moved {
            self.0.tell_jobs();
        }
        if learned.health || learned.windows {
            self.0.events.tell(|| Event::Accounts);
        }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// Where secrets live now.
    pub fn vault(&self) -> Arc<dyn Vault> {
        Arc::clone(&self.home.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Secrets live there from now on. The caller holds `acting`.
    pub fn settle_in(&self, home: Arc<dyn Vault>) {
        *self.home.write().unwrap_or_else(PoisonError::into_inner) = home;
    }

    /// All accounts as they stand.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Changes whatever it is in the next snapshot.
    pub fn revise(&self, change: impl FnOnce(&mut Snapshot)) {
        let _next = lock(&self.next);
        let mut next = Snapshot::clone(&self.snapshot.load());
        change(&mut next);
        self.snapshot.store(Arc::new(next));
        self.tell_waiting();
    }

    /// Changes one account in the next snapshot; `None` if it is gone.
    pub fn update(&self, id: AccountId, change: impl FnOnce(&mut Contender)) -> Option<Arc<Contender>> {
        let _next = lock(&self.next);
        let snapshot = self.snapshot.load();
        let known = snapshot.get(id)?;
        let mut contender = Contender::clone(known);
        change(&mut contender);
        if contender.base_url() != known.base_url() {
            contender = under_its_sky(contender, &snapshot.contenders);
        }
        let contender = Arc::new(contender);
        self.publish(Arc::clone(&contender));
        Some(contender)
    }

    /// Puts a new account into the next snapshot.
    pub fn insert(&self, contender: Contender) -> Arc<Contender> {
        let _next = lock(&self.next);
        let contender = Arc::new(under_its_sky(contender, &self.snapshot.load().contenders));
        self.publish(Arc::clone(&contender));
        contender
    }

    /// Leaves an account out of the next snapshot.
    pub fn forget(&self, id: AccountId) {
        self.revise(|next| next.contenders.remove(id));
    }

    /// The caller holds `next`.
    fn publish(&self, contender: Arc<Contender>) {
        let mut next = Snapshot::clone(&self.snapshot.load());
        next.contenders.put(contender);
        self.snapshot.store(Arc::new(next));
        self.tell_waiting();
    }

    /// What is done by time may be due at another one.
    pub fn tell_jobs(&self) {
        self.readings.changed.notify_one();
        self.openings.changed.notify_one();
        self.warms.store(warms(&self.snapshot.load()), Ordering::Relaxed);
        self.warms_anew.notify_one();
    }

    /// Whoever waits for an account looks again.
    pub fn tell_waiting(&self) {
        self.ration.freed.notify_waiters();
    }
}

fn warms(snapshot: &Snapshot) -> bool {
    snapshot.contenders.iter().any(|one| one.account.timed.keep_warm.is_some())
}

/// The account with the weather of those that share its upstream.
pub(super) fn under_its_sky(contender: Contender, others: &[Arc<Contender>]) -> Contender {
    let origin = |one: &Contender| one.base_url().map(Url::origin);
    let mut others = others.iter().filter(|other| other.account.id != contender.account.id);
    let neighbour = others.find(|other| origin(other) == origin(&contender));
    let weather = neighbour.map_or_else(Weather::default, |other| other.weather.clone());
    Contender { weather, ..contender }
}

/// What a panic left behind is whole all the same: every change is a single store.
pub(super) fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Which models the accounts can serve: what is known of their providers, and what their own upstreams
//! said. One account's word counts for that account alone; only the list that clients see is a union.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::share;
use crate::accounts::Roster;
use crate::{
    domain::{AccountId, AccountName, Ask, Model, StandingState, Target},
    routing::{Allowed, Contender, Offers as KnownModels, Snapshot, standing},
    store::{MOST_MODELS, Store, StoreError},
};

/// Up to this part of the time between two questions they come later, by chance.
const JITTER: u32 = 20;

/// What upstreams said, by account.
#[derive(Default)]
pub(in crate::accounts) struct ModelBook {
    told: Mutex<HashMap<AccountId, Told>>,
    wanted: Notify,
    /// Unix milliseconds at which traffic asks next.
    next: AtomicI64,
}

#[derive(Clone)]
struct Told {
    models: Arc<[Model]>,
    asked_at: Timestamp,
}

/// A model with the accounts that serve it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Its id and what is known of it.
    pub model: Model,
    /// The title of each provider with the names of its accounts, in the order in which they are asked.
    pub by: Vec<(String, Vec<AccountName>)>,
}

impl ModelBook {
    pub(in crate::accounts) fn load(store: &Store) -> Result<Self, StoreError> {
        let mut lists: HashMap<AccountId, (Vec<Model>, Timestamp)> = HashMap::new();
        for (account, model, at) in store.models()? {
            lists.entry(account).or_insert_with(|| (Vec::new(), at)).0.push(model);
        }
        let told = lists.into_iter().map(|(id, (list, at))| (id, Told { models: list.into(), asked_at: at }));
        Ok(Self { told: Mutex::new(told.collect()), ..Self::default() })
    }

    /// What selection is to know of an account's models.
    pub(in crate::accounts) fn known_of(&self, contender: &Contender) -> Option<Arc<KnownModels>> {
        let told = self.of(contender.account.id).map(|told| told.models);
        known(contender, told.as_deref().unwrap_or_default())
    }

    /// What its upstream said; empty where it has said nothing.
    pub(in crate::accounts) fn list(&self, id: AccountId) -> Arc<[Model]> {
        self.of(id).map(|told| told.models).unwrap_or_default()
    }

    fn told(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, id: AccountId) -> Option<Told> {
        self.told().get(&id).cloned()
    }

    /// The account is new, or its upstream or key is another one: nothing that was said counts any more.
    pub(in crate::accounts) fn forget(&self, id: AccountId) {
        self.told().remove(&id);
        self.wanted.notify_one();
    }

    /// The account is gone.
    pub(in crate::accounts) fn remove(&self, id: AccountId) {
        self.told().remove(&id);
    }
}

fn known(contender: &Contender, told: &[Model]) -> Option<Arc<KnownModels>> {
    let known = &contender.provider.models;
    (!known.is_empty() || !told.is_empty()).then(|| Arc::new(KnownModels::new(known, Some(told))))
}

impl Roster {
    /// Every model that an enabled account can serve, the known ones first, in the order of `models.toml`, and every
    /// name that an account's map or a route makes.
    /// Paused accounts and those that need a sign-in serve nothing; one that only rests does.
    /// Accounts that may not serve this ask are left out.
    pub fn offers(&self, ask: &Ask) -> Vec<Offer> {
        let (snapshot, now) = (self.snapshot(), self.inner().clock.now());
        let allowed = Allowed::to(ask, &snapshot);
        let mut enabled: Vec<&Arc<Contender>> = snapshot
            .contenders
            .iter()
            .filter(|one| allowed.lets(one))
            .filter(|one| matches!(standing(one, now).state, StandingState::Ready | StandingState::Cooling))
            .collect();
        enabled.sort_by_key(|one| (one.account.priority, one.account.id));
        let mut offers = Offers::default();
        // What we know ourselves comes first, so that no upstream can rename another one's models.
        for contender in &enabled {
            offers.add(&contender.provider.models, contender);
        }
        let known = offers.list.len();
        for contender in &enabled {
            if let Some(told) = self.inner().models.of(contender.account.id) {
                offers.add(&told.models, contender);
            }
        }
        if !snapshot.plan.asked_model_only {
            offers.add_names(&snapshot, &enabled);
        }
        offers.list[known..].sort_by(|a, b| a.model.id.cmp(&b.model.id));
        offers.list
    }

    /// The first model of an account's list: as its upstream has told it, else as its provider's are known, else as
    /// its names are translated. `None` where nobody has named one.
    pub fn first_model(&self, contender: &Contender) -> Option<Arc<str>> {
        let told = self.inner().models.of(contender.account.id);
        let told = told.as_ref().and_then(|told| told.models.first());
        let listed = told.or(contender.provider.models.first()).map(|model| &model.id);
        listed.or(contender.account.models.iter().next().map(|(asked, _)| asked)).cloned()
    }

    /// Waits until somebody should be asked for his models.
    pub async fn models_wanted(&self) {
        self.inner().models.wanted.notified().await;
    }

    /// There is traffic: asks again where what is known is older than `every`. Costs a load and a comparison.
    pub fn models_may_be_old(&self, now: Timestamp, every: Duration) {
        let book = &self.inner().models;
        if book.next.load(Ordering::Relaxed) <= now.as_millisecond() {
            book.next.store(next_look(now, every), Ordering::Relaxed);
            book.wanted.notify_one();
        }
    }

    /// The accounts whose upstream has not been asked for so long, the paused and the refused ones aside.
    pub fn unasked_for(&self, every: Duration) -> Vec<Arc<Contender>> {
        let (snapshot, now) = (self.snapshot(), self.inner().clock.now());
        // Nobody's sign-in is used for a question that nobody asked.
        let has_key = |contender: &&Arc<Contender>| !contender.provider.passes_logins();
        let is_due = |contender: &&Arc<Contender>| {
            let asked = self.inner().models.of(contender.account.id).map(|told| told.asked_at);
            asked.is_none_or(|asked| {
                Duration::try_from(now.duration_since(asked)).is_ok_and(|age| age >= every)
            }) && matches!(standing(contender, now).state, StandingState::Ready | StandingState::Cooling)
        };
        snapshot.contenders.iter().filter(has_key).filter(is_due).cloned().collect()
    }

    /// One of them as it stands at this moment, if it still is one.
    pub fn still_unasked_for(&self, id: AccountId, every: Duration) -> Option<Arc<Contender>> {
        self.unasked_for(every).into_iter().find(|one| one.account.id == id)
    }

    /// Takes in what an account's upstream said; `None` if it said nothing that could be read, which leaves
    /// what is known. Blocks on the disk. An account that has changed meanwhile learns nothing.
    ///
    /// # Errors
    /// If it could not be written down; it is known until the next start all the same.
    pub fn learn_models(&self, asked: &Contender, said: Option<Vec<Model>>) -> Result<(), StoreError> {
        let (id, now) = (asked.account.id, self.inner().clock.now());
        let is_same = |now: &Arc<Contender>| now.account.base_url == asked.account.base_url;
        if !self.snapshot().get(id).is_some_and(is_same) {
            return Ok(());
        }
        let before = self.inner().models.of(id).map(|told| told.models).unwrap_or_default();
        let models: Arc<[Model]> = said.clone().map_or(before, |mut said| {
            said.truncate(MOST_MODELS);
            said.into()
        });
        let offers = known(asked, &models);
        // Selection knows it before anybody is told of it.
        if asked.offers != offers {
            self.inner().update(id, |contender| {
                let is_same = contender.account.base_url == asked.account.base_url;
                contender.offers = if is_same { offers } else { contender.offers.take() };
            });
        }
        self.inner().models.told().insert(id, Told { models: Arc::clone(&models), asked_at: now });
        if said.is_some() { self.inner().store.save_models(id, models, now) } else { Ok(()) }
    }
}

/// When traffic asks next, in Unix milliseconds: once a list that is asked for now is old, and by chance a little later,
/// for many a machine is started in the same minute of the morning.
fn next_look(now: Timestamp, every: Duration) -> i64 {
    let pause = every.saturating_add(share(AccountId(0), now, every / JITTER));
    now.as_millisecond().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))
}

#[derive(Default)]
struct Offers {
    list: Vec<Offer>,
    places: HashMap<Arc<str>, usize>,
}

impl Offers {
    /// Adds the names under which accounts are asked for a model of another name. A route for a family or for
    /// beginnings makes none.
    fn add_names(&mut self, snapshot: &Snapshot, enabled: &[&Arc<Contender>]) {
        for contender in enabled {
            for (asked, sent) in contender.account.models.iter() {
                self.add(&[self.named(asked, sent)], contender);
            }
        }
        for route in snapshot.plan.routes.iter().filter(|route| route.enabled) {
            let Some(asked) = route.models.exact() else { continue };
            for slot in &route.slots {
                let Some(sent) = &slot.model else { continue };
                let model = self.named(&asked, sent);
                let is_there = |one: &&&Arc<Contender>| match slot.target {
                    Target::Account(id) => one.account.id == id,
                    Target::Pool(id) => snapshot.plan.pool_or_main(one.account.pool) == id,
                };
                for contender in enabled.iter().filter(is_there) {
                    self.add(std::slice::from_ref(&model), contender);
                }
            }
        }
    }

    /// A name that stands for a model. It reads as much as that one does, and is shown with it.
    fn named(&self, asked: &Arc<str>, sent: &str) -> Model {
        let context = self.places.get(sent).and_then(|place| self.list[*place].model.context);
        Model { id: Arc::clone(asked), title: Some(format!("{asked} ({sent})").into()), context }
    }

    fn add(&mut self, models: &[Model], contender: &Contender) {
        for model in models {
            let place = *self.places.entry(Arc::clone(&model.id)).or_insert_with(|| {
                self.list.push(Offer { model: model.clone(), by: Vec::new() });
                self.list.len() - 1
            });
            let offer = &mut self.list[place];
            offer.model.context = offer.model.context.or(model.context);
            let (title, name) = (&contender.provider.title, &contender.account.name);
            match offer.by.iter_mut().find(|(known, _)| known == title) {
                Some((_, names)) if names.contains(name) => {}
                Some((_, names)) => names.push(name.clone()),
                None => offer.by.push((title.clone(), vec![name.clone()])),
            }
        }
    }
}

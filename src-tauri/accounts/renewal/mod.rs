//! Renewing sign-ins: ahead of their end, or where an upstream refuses them; one at a time for each account, and kept
//! before it is used. Whoever wants one joins the one that is under way. Networks and servers in trouble sign nobody
//! out.

mod course;
mod flight;
mod refusal;
mod standing;
mod due;
mod timing;
#[cfg(test)]
mod life_tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{runtime::Handle, sync::watch};

pub use refusal::NotRenewed;

use self::{
    course::{Act, Answer, Course, Want},
    flight::Flight,
    timing::Life,
};
use super::{EditError, Roster, Tokens, sign_in::Carrier};
use crate::{
    domain::{AccountId, RenewalTrouble},
    routing::{Contender, health::part_of_1000},
    secrets::Sensitive,
    store::StoreError,
    tasks::Tasks,
};

/// A request waits so long for a renewal that is under way; then it goes elsewhere, and the renewal goes on.
const MOST_FOR_A_REQUEST: Duration = Duration::from_secs(15);
/// A person waits so long.
const MOST_FOR_A_PERSON: Duration = Duration::from_secs(45);
/// The end of Headgate waits so long for what an authorisation server has given out.
const MOST_AT_THE_END: Duration = Duration::from_secs(10);

/// The renewals of every account. Clones are the same ones.
#[derive(Clone)]
pub struct Renewals(Arc<Inner>);

struct Inner {
    roster: Roster,
    carrier: Arc<dyn Carrier>,
    tasks: Tasks,
    /// Where they run: whoever wants one may go, with the runtime that he came from.
    runtime: Option<Handle>,
    desk: Mutex<Desk>,
}

/// Bounded by the accounts.
#[derive(Default)]
struct Desk {
    entries: HashMap<AccountId, Entry>,
    /// What is known from before a restart, until the account is met.
    known: HashMap<AccountId, RenewalTrouble>,
    is_closed: bool,
}

struct Entry {
    /// The tokens that the course is of.
    of: Arc<Tokens>,
    course: Course,
    /// The next tokens, which the vault has not taken yet. They are not used before.
    unkept: Option<Arc<Tokens>>,
    /// Tells how the one that is under way ends.
    flight: Option<Told>,
}

type Told = watch::Receiver<Option<Result<(), NotRenewed>>>;

/// How a sign-in stands, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When the access token ends, if anybody said.
    pub expires_at: Option<Timestamp>,
    /// When it is renewed next; `None` if only an event brings that about.
    pub next_at: Option<Timestamp>,
    /// Whether it can be renewed without a person.
    pub is_renewable: bool,
    /// One is under way.
    pub is_under_way: bool,
    /// The next tokens are here, and the vault does not take them.
    pub has_unkept: bool,
    /// Why the last one failed.
    pub trouble: Option<RenewalTrouble>,
}

impl Renewals {
    /// Over these accounts, with what is known from before a restart. Renewals run on the runtime that calls. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn load(roster: Roster, carrier: Arc<dyn Carrier>, tasks: Tasks) -> Result<Self, StoreError> {
        let known = roster.inner().store.renewals()?.into_iter().collect();
        let desk = Mutex::new(Desk { known, ..Desk::default() });
        let runtime = Handle::try_current().ok();
        Ok(Self(Arc::new(Inner { roster, carrier, tasks, runtime, desk })))
    }

    /// Renews an account's sign-in now, or joins the renewal that is under way. What a refusal of the upstream brought
    /// about is over then.
    ///
    /// # Errors
    /// [`NotRenewed`]
    pub async fn renew(&self, id: AccountId) -> Result<(), NotRenewed> {
        let told = self.want(id, Want::Person, None)?;
        landed(told, MOST_FOR_A_PERSON).await?;
        self.0.roster.revive_sign_in(id, true);
        Ok(())
    }

    /// Puts an account back into service, whatever kept it out. What its provider said of its sign-in keeps nobody from
    /// asking once more: a core that runs does as soon as that is due. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Roster::resume`].
    pub fn resume(&self, id: AccountId) -> Result<Arc<Contender>, EditError> {
        let resumed = self.0.roster.resume(id)?;
        let trouble = {
            let mut desk = self.desk();
            let Some(entry) = self.meet(&mut desk, id) else { return Ok(resumed) };
            if entry.flight.is_some() || entry.course.trouble.is_none() {
                return Ok(resumed);
            }
            entry.course.is_resumed();
            entry.course.trouble.clone()
        };
        let inner = self.0.roster.inner();
        inner.store.save_renewal(id, trouble.as_ref())?;
        inner.due_anew.notify_waiters();
        Ok(resumed)
    }

    /// An upstream has refused this access token: there is a newer one once this returns. Where there can't be one
    /// for now, the account rests.
    ///
    /// # Errors
    /// [`NotRenewed`]
    pub async fn renew_refused(
        &self,
        id: AccountId,
        refused: &Arc<Sensitive<String>>,
    ) -> Result<(), NotRenewed> {
        let renewed = match self.want(id, Want::Refusal, Some(refused)) {
            Ok(told) => landed(told, MOST_FOR_A_REQUEST).await,
            Err(NotRenewed::Newer) => Ok(()),
            Err(not) => Err(not),
        };
        let is_fresh = match &renewed {
            Err(NotRenewed::Young) => true,
            // The renewal that it joined was of an older token: it brought this one, or a person signed in meanwhile.
            Ok(()) => self.0.roster.is_current(id, refused),
            Err(_) => false,
        };
        if is_fresh {
            return Err(self.refused_while_fresh(id, refused));
        }
        if let Err(not) = &renewed {
            self.rests(id, refused, not).await;
        }
        renewed
    }

    /// How an account's sign-in stands; `None` for one that has no tokens.
    pub fn look(&self, id: AccountId) -> Option<Look> {
        self.look_at(id, self.now())
    }

    /// The same at a moment that the caller reckons with.
    pub(super) fn look_at(&self, id: AccountId, now: Timestamp) -> Option<Look> {
        let mut desk = self.desk();
        let entry = self.meet(&mut desk, id)?;
        let life = entry.life();
        Some(Look {
            expires_at: life.to,
            next_at: entry.course.due(life, entry.part(id), now),
            is_renewable: life.is_renewable,
            is_under_way: entry.course.is_under_way,
            has_unkept: entry.course.has_unkept,
            trouble: entry.course.trouble.clone(),
        })
    }

    /// Begins nothing more, tries once more to keep what the vault has not taken, and waits for what is under way:
    /// tokens that come now are the only ones that are good.
    pub async fn close(&self) {
        let under_way: Vec<Told> = {
            let mut desk = self.desk();
            desk.is_closed = true;
            let left = desk.entries.iter_mut().filter(|(_, entry)| entry.unkept.is_some());
            for (id, entry) in left.filter(|(_, entry)| entry.flight.is_none()) {
                self.begin(*id, entry, Act::Keep);
            }
            desk.entries.values().filter_map(|entry| entry.flight.clone()).collect()
        };
        let all = async {
            for told in under_way {
                let _ = landed(told, MOST_AT_THE_END).await;
            }
        };
        if tokio::time::timeout(MOST_AT_THE_END, all).await.is_err() {
            tracing::warn!(
                "a sign-in was still being renewed when Headgate ended; it may have to be signed in again"
            );
        }
    }

    /// Whoever wants one gets the one that is under way, or has it begun.
    fn want(
        &self,
        id: AccountId,
        want: Want,
        refused: Option<&Arc<Sensitive<String>>>,
    ) -> Result<Told, NotRenewed> {
        let (mut desk, now) = (self.desk(), self.now());
        let is_closed = desk.is_closed;
        let entry = self.meet(&mut desk, id).ok_or(NotRenewed::NoSignIn)?;
        if let Some(told) = &entry.flight {
            return Ok(told.clone());
        }
        // Looked at here, where no other renewal can end in between: a late refusal of an old token is no reason to
        // exchange the new one.
        if refused.is_some_and(|refused| !Arc::ptr_eq(refused, &entry.of.access)) {
            return Err(NotRenewed::Newer);
        }
        match entry.course.wants(want, entry.life(), entry.part(id), now) {
            Answer::Begin(_) if is_closed => Err(NotRenewed::Closing),
            Answer::Begin(act) => Ok(self.begin(id, entry, act)),
            // In the words of the one that failed, whoever comes behind it.
            Answer::Rests(again_at, why) if entry.course.has_unkept => {
                Err(NotRenewed::Unkept { why, again_at })
            }
            Answer::Rests(again_at, why) => Err(NotRenewed::Failed { why, again_at }),
            Answer::Needs(why) => Err(NotRenewed::Needs(why)),
            Answer::Nothing => Err(NotRenewed::Nothing),
            Answer::Young => Err(NotRenewed::Young),
            Answer::NotYet | Answer::Join => Err(NotRenewed::NotYet),
        }
    }

    fn begin(&self, id: AccountId, entry: &mut Entry, act: Act) -> Told {
        let (tell, told) = watch::channel(None);
        entry.course.begins();
        entry.flight = Some(told.clone());
        let flight =
            Flight::new(self.clone(), id, Arc::clone(&entry.of), entry.unkept.clone(), tell).fly(act);
        match &self.0.runtime {
            Some(runtime) => self.0.tasks.spawn_on(flight, runtime),
            None => self.0.tasks.spawn(flight),
        }
        told
    }

    /// The entry of the tokens that an account has now. One whose renewal is under way stays until that has ended.
    fn meet<'a>(&self, desk: &'a mut Desk, id: AccountId) -> Option<&'a mut Entry> {
        let tokens = self.0.roster.tokens(id);
        let is_right = |entry: &Entry| {
            entry.flight.is_some() || tokens.as_ref().is_some_and(|tokens| Arc::ptr_eq(tokens, &entry.of))
        };
        if !desk.entries.get(&id).is_some_and(is_right) {
            desk.entries.remove(&id);
            let of = tokens?;
            let course = Course::of(life(&of), desk.known.remove(&id));
            desk.entries.insert(id, Entry { of, course, unkept: None, flight: None });
        }
        desk.entries.get_mut(&id)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Every change of an entry is whole before the next begins.
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.0.roster.inner().clock.now()
    }
}

impl Entry {
    fn life(&self) -> Life {
        life(&self.of)
    }

    /// Chance, the same each time for the same tokens and the same failures.
    fn part(&self, id: AccountId) -> u32 {
        let failures = self.course.trouble.as_ref().map_or(0, |trouble| trouble.failures);
        part_of_1000(id, self.of.obtained_at.subsec_nanosecond().unsigned_abs() ^ failures)
    }
}

fn life(tokens: &Tokens) -> Life {
    Life { from: tokens.obtained_at, to: tokens.expires_at, is_renewable: tokens.refresh.is_some() }
}

/// How a renewal ends, if it does within this time.
async fn landed(mut told: Told, most: Duration) -> Result<(), NotRenewed> {
    let landing = tokio::time::timeout(most, told.wait_for(Option::is_some));
    match landing.await {
        Ok(Ok(ended)) => ended.clone().unwrap_or(Err(NotRenewed::Late)),
        // It tells before it goes, whatever becomes of it.
        Ok(Err(_)) | Err(_) => Err(NotRenewed::Late),
    }
}

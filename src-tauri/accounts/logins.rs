//! What is known of the sign-ins that clients bring: windows and rests, each under a digest with a salt that
//! dies with the process. In memory alone, bounded, and no sign-in itself is ever here.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sha2::{Digest as _, Sha256};

use super::Roster;
use crate::{
    domain::{AccountId, Bench, Window},
    events::Event,
    routing::{Contender, Lesson, Snapshot, settle},
};

/// So many sign-ins are known of one account; the one that was used longest ago makes room.
const MOST: usize = 32;

/// A sign-in by the beginning of its salted digest. A renewed one is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginId([u8; 16]);

/// See the file.
pub(super) struct Logins {
    salt: [u8; 32],
    /// The one that was used last stands last.
    known: Mutex<HashMap<AccountId, Vec<Known>>>,
    /// One came that no account passes on.
    ignored: AtomicBool,
}

#[derive(Clone)]
struct Known {
    login: LoginId,
    windows: Vec<Window>,
    bench: Option<Bench>,
}

impl Logins {
    /// Nothing is known.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        Ok(Self { salt, known: Mutex::default(), ignored: AtomicBool::new(false) })
    }

    /// All that was learned by this account's sign-ins is forgotten.
    pub(super) fn forget(&self, id: AccountId) {
        self.known().remove(&id);
    }

    fn of(&self, id: AccountId, login: LoginId) -> Option<Known> {
        self.known().get(&id)?.iter().find(|known| known.login == login).cloned()
    }

    fn latest(&self, id: AccountId) -> Option<Known> {
        self.known().get(&id)?.last().cloned()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<AccountId, Vec<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Roster {
    /// Whether there is an account that passes sign-ins on.
    pub fn passes_logins(&self) -> bool {
        self.snapshot().contenders.iter().any(|contender| contender.provider.passes_logins())
    }

    /// A sign-in came that no account passes on. True the first time.
    pub fn ignores_login(&self) -> bool {
        !self.inner().logins.ignored.swap(true, Ordering::Relaxed)
    }

    /// Whether a sign-in came since the start, and there is no account that passes sign-ins on.
    pub fn has_ignored_a_login(&self) -> bool {
        self.inner().logins.ignored.load(Ordering::Relaxed) && !self.passes_logins()
    }

    /// What a sign-in is known by for as long as this process lives.
    pub fn login_id(&self, credential: &[u8]) -> LoginId {
        let digest = Sha256::new().chain_update(self.inner().logins.salt).chain_update(credential).finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        LoginId(short)
    }

    /// What is known of a sign-in that this account passes on: its windows, and the rest that it was given.
    pub fn of_login(&self, id: AccountId, login: LoginId) -> Option<(Vec<Window>, Option<Bench>)> {
        self.inner().logins.of(id, login).map(|known| (known.windows, known.bench))
    }

    /// All accounts as they stand for a request: those that pass sign-ins on, as they stand for its own one.
    pub fn snapshot_for(&self, login: Option<LoginId>) -> Arc<Snapshot> {
        match login {
            None => self.snapshot(),
            Some(login) => self.overlaid(|id| self.inner().logins.of(id, login)),
        }
    }

    /// All accounts as people see them: those that pass sign-ins on, as they stand for the one that was used
    /// last.
    pub fn shown(&self) -> Arc<Snapshot> {
        self.overlaid(|id| self.inner().logins.latest(id))
    }

    fn overlaid(&self, known: impl Fn(AccountId) -> Option<Known>) -> Arc<Snapshot> {
        let snapshot = self.snapshot();
        if !snapshot.contenders.iter().any(|one| one.provider.passes_logins()) {
            return snapshot;
        }
        let mut contenders = snapshot.contenders.clone();
        for passer in snapshot.contenders.iter().filter(|one| one.provider.passes_logins()) {
            if let Some(known) = known(passer.account.id) {
                contenders.put(Arc::new(known.put_on(passer)));
            }
        }
        Arc::new(Snapshot { contenders, plan: Arc::clone(&snapshot.plan) })
    }

    /// Takes in what one attempt with a client's sign-in taught of that sign-in. Nothing is written down, and
    /// no other sign-in is touched.
    pub fn learn_of_login(&self, id: AccountId, login: LoginId, lesson: &Lesson<'_>) {
        let inner = self.inner();
        let now = inner.clock.now();
        let snapshot = self.snapshot();
        let Some(account) = snapshot.get(id) else { return };
        let mut all = inner.logins.known();
        let of_account = all.entry(id).or_default();
        let place = of_account.iter().position(|known| known.login == login);
        let is_shown = place.is_some_and(|place| place + 1 == of_account.len());
        let known = match place {
            Some(place) => of_account.remove(place),
            None => Known { login, windows: Vec::new(), bench: None },
        };
        let mut contender = known.put_on(account);
        let learned = settle(&mut contender, lesson, now);
        let has_news = learned.health || learned.windows;
        if learned.comeback {
            contender.weather.learn_comeback(now);
        }
        if place.is_none() && !has_news {
            // Whoever tries one made-up sign-in after the other drives no real one out.
            return;
        }
        if of_account.len() >= MOST {
            of_account.remove(0);
        }
        of_account.push(Known { login, windows: contender.windows, bench: contender.account.bench });
        drop(all);
        if has_news {
            inner.tell_waiting();
        }
        if has_news || !is_shown {
            inner.events.tell(|| Event::Accounts);
        }
    }
}

impl Known {
    /// The account as it stands for this sign-in. What it serves at once is counted over all of them.
    fn put_on(&self, contender: &Contender) -> Contender {
        let mut contender = contender.clone();
        contender.windows.clone_from(&self.windows);
        contender.account.bench.clone_from(&self.bench);
        contender
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        accounts::NewAccount,
        clock::Clock,
        domain::{Need, Verdict, WindowName, WindowSource},
        events::Events,
        providers::Catalog,
        routing::Ration,
        secrets::Memory,
        store,
    };

    #[test]
    fn the_sign_in_that_was_used_longest_ago_makes_room_and_a_made_up_one_takes_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = store::Store::open(&folder.path().join("db"), store::Options::default()).unwrap();
        let (clock, vault, catalog) = (Clock::system(), Arc::new(Memory::default()), Catalog::built_in());
        let now = clock.now();
        let roster =
            Roster::load(store, vault, catalog, clock, Events::default(), Ration::default()).unwrap();
        let provider = "claude-login".to_owned();
        let new = NewAccount {
            name: "mine".into(),
            provider,
            base_url: None,
            plain_http: crate::providers::PlainHttp::Here,
            priority: 0,
            key: None,
        };
        let id = roster.add(new).unwrap().account.id;
        let window = Window {
            utilization: Some(0.5),
            ..Window::new(WindowName("5h".into()), WindowSource::Header, now)
        };
        let login = |n: usize| roster.login_id(n.to_string().as_bytes());
        let knows = |n| !roster.snapshot_for(Some(login(n))).get(id).unwrap().windows.is_empty();
        let learn = |n, verdict: &Verdict, windows: &[Window]| {
            roster.learn_of_login(
                id,
                login(n),
                &Lesson { verdict: Some(verdict), windows, need: Need::default() },
            );
        };
        let told = std::slice::from_ref(&window);
        for n in 0..MOST {
            learn(n, &Verdict::Fine, told);
        }
        for n in 0..MOST {
            learn(1000 + n, &Verdict::Forbidden, &[]);
        }
        assert!((0..MOST).all(knows), "nothing was learned of the others");
        learn(0, &Verdict::Fine, &[]);
        learn(MOST, &Verdict::Fine, told);
        assert!(knows(0) && !knows(1) && knows(MOST), "the first one was used again");
        roster.resume(id).unwrap();
        assert!(!knows(0), "whoever resumes it begins anew");
    }
}

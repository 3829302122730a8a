//! The operating system's keychain as a vault. One thread talks to it, because any call may wait for a
//! person at a prompt; whoever asks waits no longer than the limit and is told that it is locked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use keyring_core::CredentialStore;

use super::{SecretName, Sensitive, Vault, VaultError, VaultKind, items::Items, native, prove};

/// How long opening may take: a start should not hang behind a prompt that nobody sees.
const OPENING: Duration = Duration::from_secs(20);

/// How long one call may take afterwards: enough to type a password.
const ASKING: Duration = Duration::from_mins(2);

/// How many calls may wait behind one that is at a prompt; more are told at once that it is locked.
const QUEUE: usize = 16;

type Connect = fn() -> Result<Arc<CredentialStore>, VaultError>;
type Job = Box<dyn FnOnce(&mut Line) + Send>;

/// The keychain, for one realm.
#[derive(Debug)]
pub struct Keychain {
    realm: Arc<str>,
    jobs: mpsc::SyncSender<Job>,
    /// Whether it has answered anything yet: until then nobody waits longer than for opening it.
    has_answered: AtomicBool,
}

/// The connection, which lives on the keychain's thread.
struct Line {
    connect: Connect,
    store: Option<Arc<CredentialStore>>,
}

impl Keychain {
    /// Connects and proves with a probe that what is put can be read back.
    ///
    /// # Errors
    /// `Absent` without a keychain service, `Locked` if it needs a person or answers too late, `Broken` if
    /// the probe does not come back as it was.
    pub fn open(realm: &str) -> Result<Self, VaultError> {
        let keychain = Self::over(native::connect, realm)?;
        keychain.prove(OPENING)?;
        Ok(keychain)
    }

    /// The keychain that this realm has used before. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `Broken` if its thread can't be started.
    pub fn known(realm: &str) -> Result<Self, VaultError> {
        Self::over(native::connect, realm)
    }

    fn over(connect: Connect, realm: &str) -> Result<Self, VaultError> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
        let mut line = Line { connect, store: None };
        // The thread ends with the last handle: the queue closes then.
        thread::Builder::new()
            .name("keychain".into())
            .spawn(move || queue.iter().for_each(|job| job(&mut line)))
            .map_err(|error| native::broken(&error.to_string()))?;
        Ok(Self { realm: realm.into(), jobs, has_answered: AtomicBool::default() })
    }

    fn prove(&self, limit: Duration) -> Result<(), VaultError> {
        self.ask(limit, |items| prove(&items))
    }

    fn patience(&self) -> Duration {
        if self.has_answered.load(Ordering::Relaxed) { ASKING } else { OPENING }
    }

    /// Has the thread do this, and waits for its answer as long as the limit allows.
    fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        act: impl Fn(Items) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let gone = Arc::new(AtomicBool::new(false));
        let job: Job = {
            let (realm, gone) = (Arc::clone(&self.realm), Arc::clone(&gone));
            Box::new(move |line| {
                // Whoever was told "locked" must not find the deed done later.
                let act = |items: Items<'_>| {
                    // Connecting may have waited for a person as well.
                    if gone.load(Ordering::Relaxed) { Err(VaultError::Locked) } else { act(items) }
                };
                if !gone.load(Ordering::Relaxed) {
                    let _ = answer.send(line.run(&realm, &act));
                }
            })
        };
        self.jobs.try_send(job).map_err(|_| VaultError::Locked)?;
        match answered.recv_timeout(limit) {
            Ok(result) => {
                self.has_answered.store(true, Ordering::Relaxed);
                result
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                gone.store(true, Ordering::Relaxed);
                Err(VaultError::Locked)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(native::broken("its thread has ended")),
        }
    }
}

impl Line {
    /// Does it; on a connection that broke since the last call, once more on a new one. Every act may be
    /// done twice with the same outcome.
    fn run<T>(&mut self, realm: &str, act: &dyn Fn(Items) -> Result<T, VaultError>) -> Result<T, VaultError> {
        let was_open = self.store.is_some();
        match self.attempt(realm, act) {
            Err(VaultError::Broken(_) | VaultError::Absent) if was_open => {
                self.store = None;
                self.attempt(realm, act)
            }
            result => result,
        }
    }

    fn attempt<T>(
        &mut self,
        realm: &str,
        act: &dyn Fn(Items) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let store = match &self.store {
            Some(store) => Arc::clone(store),
            None => Arc::clone(self.store.insert((self.connect)()?)),
        };
        act(Items { store: store.as_ref(), realm, limit: native::ITEM_LIMIT, labels: native::LABELS })
    }
}

impl Vault for Keychain {
    fn kind(&self) -> VaultKind {
        VaultKind::Keychain
    }

    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        let name = name.clone();
        self.ask(self.patience(), move |items| items.get(&name))
    }

    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        let (name, secret) = (name.clone(), secret.clone());
        self.ask(self.patience(), move |items| items.put(&name, &secret))
    }

    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        let name = name.clone();
        self.ask(self.patience(), move |items| items.remove(&name))
    }

    fn holds(&self, name: &SecretName) -> Result<bool, VaultError> {
        let name = name.clone();
        self.ask(self.patience(), move |items| items.holds(&name))
    }

    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        self.ask(self.patience(), |items| items.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_prompt_that_nobody_answers() -> Result<Arc<CredentialStore>, VaultError> {
        loop {
            thread::park();
        }
    }

    #[test]
    fn a_keychain_that_does_not_answer_counts_as_locked() {
        let keychain = Keychain::over(a_prompt_that_nobody_answers, "realm").unwrap();
        assert_eq!(keychain.prove(Duration::ZERO), Err(VaultError::Locked));
    }

    #[test]
    fn what_waited_behind_the_prompt_of_connecting_was_done_after_it_was_told_to_be_locked() {
        static GATE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        static STORE: std::sync::OnceLock<Arc<CredentialStore>> = std::sync::OnceLock::new();
        #[expect(clippy::unnecessary_wraps, reason = "what opens a store may fail")]
        fn opened_late() -> Result<Arc<CredentialStore>, VaultError> {
            let _answered = GATE.lock().unwrap();
            Ok(Arc::clone(STORE.get_or_init(|| keyring_core::mock::Store::new().unwrap())))
        }
        let keychain = Keychain::over(opened_late, "realm").unwrap();
        let is_done = Arc::new(AtomicBool::default());
        let prompt = GATE.lock().unwrap();
        let act = {
            let is_done = Arc::clone(&is_done);
            move |_: Items<'_>| {
                is_done.store(true, Ordering::Relaxed);
                Ok(())
            }
        };
        assert_eq!(keychain.ask(Duration::from_millis(50), act), Err(VaultError::Locked));
        drop(prompt);
        assert_eq!(keychain.ask(OPENING, |_| Ok(())), Ok(()), "by now its turn has come");
        assert!(!is_done.load(Ordering::Relaxed), "whoever was told so has taken it back");
    }

    #[test]
    fn calls_behind_a_prompt_are_bounded() {
        let keychain = Keychain::over(a_prompt_that_nobody_answers, "realm").unwrap();
        let wanted = Arc::new(());
        for _ in 0..3 * QUEUE {
            let held = Arc::clone(&wanted);
            let act = move |_: Items<'_>| {
                std::hint::black_box(&held);
                Ok(())
            };
            assert_eq!(keychain.ask(Duration::ZERO, act), Err(VaultError::Locked));
        }
        // Those that wait, and perhaps the one that stands at the prompt.
        let waiting = Arc::strong_count(&wanted) - 1;
        assert!((QUEUE..=QUEUE + 1).contains(&waiting), "{waiting} wait");
    }

    #[test]
    fn a_keychain_that_is_missing_is_told_as_such() {
        let keychain = Keychain::over(|| Err(VaultError::Absent), "realm").unwrap();
        assert_eq!(keychain.prove(OPENING), Err(VaultError::Absent));
    }
}

//! Homes that die at every step, say no, or keep what they said no to: whatever happens, each account finds its secret
//! in one home after the next start, and what nobody owns is told and never deleted unasked.

mod findings;
mod moves;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
        mpsc,
    },
};

use tempfile::TempDir;

use super::{
    Findings, HomeError, Homes, Left, Stand,
    course::{HOME, MOVE},
};
use crate::{
    accounts::{Change, NewAccount, Roster, roster::lock},
    clock::Clock,
    domain::AccountId,
    events::Events,
    providers::Catalog,
    routing::Ration,
    secrets::{Memory, SecretName, Sensitive, Vault, VaultError, VaultKind},
    store::{Options, Store},
};
use VaultKind::{File, Keychain};

/// How a home behaves from now on.
#[derive(Debug, Default)]
struct Fate {
    /// The process dies at the call that brings this to nothing; below nothing it lives for ever.
    calls_left: AtomicI64,
    is_mortal: AtomicBool,
    /// Dies when the call is done, not before.
    dies_late: AtomicBool,
    /// Says no to what it is given, and keeps it all the same: a prompt that was answered too late.
    is_late: AtomicBool,
    /// Says no to everything.
    is_locked: AtomicBool,
    /// Can't tell what it holds.
    tells_no_names: AtomicBool,
}

/// A home that outlives the process.
#[derive(Debug)]
struct Room {
    kind: VaultKind,
    held: Memory,
    fate: Arc<Fate>,
    /// Each secret that is put waits for a word here, once it was told that one is.
    gate: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Room {
    fn call<T>(&self, act: impl FnOnce() -> Result<T, VaultError>) -> Result<T, VaultError> {
        let fate = &self.fate;
        if fate.is_locked.load(Ordering::Relaxed) {
            return Err(VaultError::Locked);
        }
        let dies =
            fate.is_mortal.load(Ordering::Relaxed) && fate.calls_left.fetch_sub(1, Ordering::Relaxed) <= 0;
        if !dies {
            return act();
        }
        if fate.dies_late.load(Ordering::Relaxed) {
            let _ = act();
        }
        resume_unwind(Box::new("killed"))
    }
}

impl Vault for Room {
    fn kind(&self) -> VaultKind {
        self.kind
    }
    fn get(&self, name: &SecretName) -> Result<Option<Sensitive<String>>, VaultError> {
        self.call(|| self.held.get(name))
    }
    fn put(&self, name: &SecretName, secret: &Sensitive<String>) -> Result<(), VaultError> {
        if let Some((told, word)) = self.gate.lock().unwrap().take() {
            told.send(()).unwrap();
            word.recv().unwrap();
        }
        self.call(|| self.held.put(name, secret))?;
        if self.fate.is_late.load(Ordering::Relaxed) { Err(VaultError::Locked) } else { Ok(()) }
    }
    fn remove(&self, name: &SecretName) -> Result<(), VaultError> {
        self.call(|| self.held.remove(name))
    }
    fn names(&self) -> Result<Option<Vec<SecretName>>, VaultError> {
        if self.fate.tells_no_names.load(Ordering::Relaxed) {
            return self.call(|| Ok(None));
        }
        self.call(|| self.held.names())
    }
    fn vacate(&self) -> Result<(), VaultError> {
        self.call(|| Ok(()))
    }
}

/// What outlives a process: the folder and the homes.
struct House {
    store: Store,
    rooms: [Arc<Room>; 2],
    fate: Arc<Fate>,
    _folder: TempDir,
}

/// A process.
struct Core {
    roster: Roster,
    homes: Homes,
}

impl House {
    /// Whose secrets are in the keychain.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db"), Options::default()).unwrap();
        store.set_meta(HOME, "keychain").unwrap();
        let fate = Arc::<Fate>::default();
        let room = |kind| {
            Arc::new(Room { kind, held: Memory::default(), fate: Arc::clone(&fate), gate: Mutex::default() })
        };
        Self { store, rooms: [room(Keychain), room(File)], fate, _folder: folder }
    }

    fn room(&self, kind: VaultKind) -> Arc<Room> {
        Arc::clone(self.rooms.iter().find(|room| room.kind == kind).unwrap())
    }

    fn start(&self) -> Core {
        self.start_choosing(None)
    }

    fn start_choosing(&self, chosen: Option<VaultKind>) -> Core {
        self.fate.is_mortal.store(false, Ordering::Relaxed);
        let kept = self.store.meta(HOME).unwrap().unwrap().parse().unwrap();
        let home = self.room(chosen.unwrap_or(kept));
        let (clock, events) = (Clock::system(), Events::default());
        let roster =
            Roster::load(self.store.clone(), home, Catalog::built_in(), clock, events, Ration::default())
                .unwrap();
        let rooms = self.rooms.clone();
        let open = move |kind, _: Option<&_>| {
            let room = rooms.iter().find(|room| room.kind == kind).unwrap();
            Ok(Arc::clone(room) as Arc<dyn Vault>)
        };
        Core { homes: Homes::load(roster.clone(), Box::new(open), chosen, None).unwrap(), roster }
    }

    /// From here on the process dies at this call of a home.
    fn dies_at(&self, call: i64, late: bool) {
        self.fate.calls_left.store(call, Ordering::Relaxed);
        self.fate.dies_late.store(late, Ordering::Relaxed);
        self.fate.is_mortal.store(true, Ordering::Relaxed);
    }

    fn held(&self, kind: VaultKind) -> BTreeMap<String, String> {
        let held = &self.room(kind).held;
        let names = held.names().unwrap().unwrap().into_iter().filter(|name| !name.is_probe());
        names.map(|name| (name.to_string(), held.get(&name).unwrap().unwrap().expose().clone())).collect()
    }
}

impl Core {
    fn add(&self, name: &str) -> AccountId {
        self.try_add(name).unwrap()
    }

    fn try_add(&self, name: &str) -> Result<AccountId, crate::accounts::EditError> {
        let new = NewAccount {
            name: name.into(),
            provider: "anthropic".into(),
            base_url: None,
            plain_http: crate::accounts::PlainHttp::default(),
            priority: 0,
            key: Some(Sensitive::new(format!("key-{name}"))),
        };
        Ok(self.roster.add(new)?.account.id)
    }

    fn keys(&self) -> Vec<String> {
        let snapshot = self.roster.snapshot();
        let ids = snapshot.contenders.iter().map(|one| one.account.id);
        ids.map(|id| self.roster.bearer(id).map_or("none".into(), |key| key.expose().clone())).collect()
    }

    fn found(&self) -> Findings {
        self.homes.look().look.unwrap().found.unwrap()
    }

    fn move_to(&self, to: VaultKind) -> Result<usize, HomeError> {
        self.homes.carry(to, None, false)
    }
}

fn is_killed(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

fn name(id: AccountId) -> SecretName {
    SecretName::of_account(id)
}

const KEYS: [&str; 3] = ["key-a", "key-b", "key-c"];

/// Three accounts with their keys in the keychain, and one secret of nobody.
fn furnished() -> House {
    let house = House::new();
    let core = house.start();
    for name in ["a", "b", "c"] {
        core.add(name);
    }
    house.room(Keychain).held.put(&name(AccountId(99)), &Sensitive::new("nobody's".into())).unwrap();
    house
}

fn is_whole(core: &Core, when: &str) -> Stand {
    assert_eq!(core.keys(), KEYS, "{when}: each account has its key");
    let stand = core.homes.look();
    assert_eq!(stand.look.as_ref().unwrap().found.as_ref().unwrap().missing, [], "{when}");
    stand
}

/// What the start after a kill does by itself, and what a person may do then.
fn tidied(house: &House, goes_on: bool, when: &str) {
    let core = house.start();
    let stand = is_whole(&core, when);
    match stand.left {
        Some(Left::Old(Keychain)) => core.homes.finish_aside(),
        Some(Left::Copies(File)) if goes_on => drop(core.move_to(File).unwrap()),
        Some(Left::Copies(File)) => drop(core.homes.clean(&[], None).unwrap()),
        None => {}
        other => panic!("{when}: {other:?}"),
    }
    let core = house.start();
    let stand = is_whole(&core, when);
    assert_eq!(stand.left, None, "{when}: nothing is left");
    let other = if stand.kind == File { Keychain } else { File };
    assert_eq!(house.held(other).len(), 0, "{when}: secrets have one home");
    assert_eq!(house.held(stand.kind).len(), 4, "{when}: with what nobody owns, which nobody said to delete");
}

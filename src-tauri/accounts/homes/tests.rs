//! Homes that die at every step, say no, or keep what they said no to: whatever happens, each account finds its secret
//! in one home after the next start, and what nobody owns is told and never deleted unasked.

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

#[test]
fn secrets_move_there_and_back() {
    let house = furnished();
    let core = house.start();
    assert_eq!(core.move_to(File).unwrap(), 4);
    assert_eq!((core.homes.stand().kind, core.homes.stand().left), (File, None));
    let later = core.add("later");
    assert_eq!(house.held(File)[name(later).as_str()], "key-later", "what comes now goes to the new home");
    assert_eq!(house.held(Keychain).len(), 0);
    assert_eq!(house.start().keys(), ["key-a", "key-b", "key-c", "key-later"]);
    assert_eq!(house.start().move_to(Keychain).unwrap(), 5);
    assert_eq!((house.held(Keychain).len(), house.held(File).len()), (5, 0));
}

#[test]
fn a_move_that_is_killed_at_any_call_leaves_everything_in_one_home() {
    for late in [false, true] {
        let mut call = 0;
        loop {
            let house = furnished();
            let core = house.start();
            house.dies_at(call, late);
            let is_over = !is_killed(|| drop(core.move_to(File)));
            drop(core);
            if is_over {
                break;
            }
            let goes_on = call % 2 == 0;
            tidied(&house, goes_on, &format!("killed at call {call}, late: {late}, goes on: {goes_on}"));
            call += 1;
        }
        assert!(call > 25, "it was killed everywhere, {call} times");
    }
}

#[test]
fn a_start_that_is_killed_while_it_empties_the_old_home_is_made_up_for() {
    // The first call after everything was copied.
    let half_moved = || {
        let house = furnished();
        let core = house.start();
        house.dies_at(1 + 4 + 4 * 4, false);
        assert!(is_killed(|| drop(core.move_to(File))));
        assert_eq!(house.store.meta(MOVE).unwrap().as_deref(), Some("emptying keychain"));
        assert_eq!(house.held(Keychain).len(), 4, "nothing is taken away yet");
        house
    };
    let mut call = 0;
    loop {
        let house = half_moved();
        let core = house.start();
        house.dies_at(call, true);
        let is_over = !is_killed(|| core.homes.finish_aside());
        drop(core);
        tidied(&house, true, &format!("emptying killed at call {call}"));
        if is_over {
            break;
        }
        call += 1;
    }
    assert!(call > 4, "it was killed {call} times");
}

#[test]
fn a_home_that_says_no_is_left_and_nothing_has_moved() {
    let house = furnished();
    let core = house.start();
    house.fate.is_late.store(true, Ordering::Relaxed);
    let said = core.move_to(File).unwrap_err().to_string();
    assert!(said.contains("locked"), "{said}");
    house.fate.is_late.store(false, Ordering::Relaxed);
    assert_eq!(is_whole(&core, "after a refusal").left, None);
    assert_eq!((core.homes.stand().kind, house.held(File).len()), (Keychain, 0));
    assert_eq!(house.store.meta(MOVE).unwrap(), None);
}

#[test]
fn whoever_writes_while_secrets_move_waits_and_finds_the_new_home() {
    let house = furnished();
    let core = house.start();
    let id = core.roster.snapshot().contenders[0].account.id;
    let (told, is_filling) = mpsc::channel();
    let (go, word) = mpsc::channel();
    *house.room(File).gate.lock().unwrap() = Some((told, word));
    core.homes.begin_move(File, None, false).unwrap();
    is_filling.recv().unwrap();

    assert!(core.roster.inner().acting.try_lock().is_err(), "renewals and acts wait for the move");
    assert!(matches!(core.homes.begin_move(File, None, false), Err(HomeError::Running)));
    assert!(
        matches!(core.homes.clean(&[], None), Err(HomeError::Running)),
        "and this one is told, not kept waiting"
    );
    let roster = core.roster.clone();
    let writing = std::thread::spawn(move || {
        let key = Some(Sensitive::new("renewed".to_owned()));
        roster.change(id, Change { key, ..Change::default() }).map(drop)
    });
    go.send(()).unwrap();
    writing.join().unwrap().unwrap();
    drop(lock(&core.roster.inner().acting));
    assert_eq!(house.held(File)[name(id).as_str()], "renewed");
    assert_eq!(house.held(Keychain).len(), 0);
    assert_eq!(house.start().keys(), ["renewed", "key-b", "key-c"]);
}

#[test]
fn an_act_that_had_found_no_move_waited_for_one_that_began_a_moment_later() {
    let house = furnished();
    let core = house.start();
    let (told, is_filling) = mpsc::channel();
    let (go, word) = mpsc::channel();
    *house.room(File).gate.lock().unwrap() = Some((told, word));
    let act = core.homes.count().unwrap();
    core.homes.begin_move(File, None, false).unwrap();
    // A move that does not wait has the lock after the first few looks, and keeps it until it is told to go on.
    for _ in 0..10_000 {
        assert!(
            core.roster.inner().acting.try_lock().is_ok(),
            "the move has passed an act that was before it"
        );
        std::thread::yield_now();
    }
    assert!(matches!(core.homes.count(), Err(HomeError::Running)), "who comes later is told of it");
    drop(act);
    is_filling.recv().unwrap();
    go.send(()).unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(core.homes.settled());
    assert_eq!(house.start().keys(), KEYS);
}

#[test]
fn a_choice_in_the_settings_is_not_moved_away_from() {
    let house = furnished();
    let core = house.start_choosing(Some(Keychain));
    let said = core.homes.begin_move(File, None, false).unwrap_err().to_string();
    assert!(said.contains("HEADGATE_VAULT") && said.contains("settings.toml"), "{said}");
    assert!(matches!(core.homes.begin_move(Keychain, None, false), Err(HomeError::Same(Keychain))));
    assert!(matches!(core.homes.begin_move(VaultKind::Memory, None, false), Err(HomeError::Memory)));
}

#[test]
fn a_choice_of_the_home_that_was_moved_out_of_is_told_and_empties_nothing() {
    let house = furnished();
    let core = house.start();
    house.room(File).held.put(&name(AccountId(1)), &Sensitive::new("key-a".into())).unwrap();
    house.store.change_meta(&[(HOME, Some("file")), (MOVE, Some("emptying keychain"))]).unwrap();
    drop(core);
    let core = house.start_choosing(Some(Keychain));
    assert_eq!(core.homes.stand().left, Some(Left::Elsewhere(File)));
    assert!(core.homes.stand().troubles()[0].contains("Take that choice out"));
    core.homes.finish_aside();
    core.homes.clean(&[], None).unwrap();
    assert_eq!(house.held(Keychain).len(), 4, "the home in use is never emptied");

    let core = house.start();
    assert_eq!(core.homes.stand().left, Some(Left::Old(Keychain)));
    core.homes.finish_aside();
    assert_eq!(house.start().keys(), KEYS, "what the new home lacked was carried over first");
}

#[test]
fn adding_and_removing_that_is_killed_anywhere_leaves_nothing_that_is_not_found() {
    for late in [false, true] {
        for removes in [false, true] {
            let house = House::new();
            let core = house.start();
            core.add("stays");
            let leaving = removes.then(|| core.add("leaves"));
            house.dies_at(0, late);
            let killed = is_killed(|| match leaving {
                Some(id) => core.roster.remove(id).unwrap(),
                None => drop(core.try_add("comes")),
            });
            assert!(killed);
            drop(core);

            let core = house.start();
            let found = core.found();
            let lives = core.roster.snapshot().contenders.len() == 2;
            let holds = house.held(Keychain).len() == 2;
            let when = format!("late: {late}, removes: {removes}, lives: {lives}, holds: {holds}");
            assert_eq!(found.orphans.len(), usize::from(holds && !lives), "{when}");
            assert_eq!(found.missing.len(), usize::from(lives && !holds), "{when}");
            assert_eq!(core.homes.stand().troubles().is_empty(), lives == holds, "{when}: it is told");
            core.homes.clean(&found.orphans, None).unwrap();
            for owner in found.missing {
                core.roster.remove(owner.id).unwrap();
            }
            assert_eq!(core.found().orphans, []);
            assert!(core.keys().contains(&"key-stays".to_owned()), "{when}");
        }
    }
}

#[test]
fn a_key_that_a_keychain_took_after_it_had_said_no_is_found_and_deleted_only_when_asked() {
    let house = House::new();
    let core = house.start();
    core.add("stays");
    house.fate.is_late.store(true, Ordering::Relaxed);
    core.try_add("comes").unwrap_err();
    house.fate.is_late.store(false, Ordering::Relaxed);

    let found = core.found();
    assert_eq!(found.orphans.len(), 1);
    let look = core.homes.stand().look.unwrap();
    assert_eq!(look.called[&found.orphans[0]].as_str(), "comes", "whose it was is known still");
    core.homes.clean(&[name(AccountId(1)), name(AccountId(77))], None).unwrap();
    assert_eq!(house.held(Keychain).len(), 2, "what an account owns is not deleted, whoever names it");
    core.homes.clean(&found.orphans, None).unwrap();
    assert_eq!(house.held(Keychain).into_values().collect::<Vec<_>>(), ["key-stays"]);
}

#[test]
fn a_home_that_does_not_work_is_told_with_a_next_step() {
    let house = furnished();
    let core = house.start();
    house.fate.is_locked.store(true, Ordering::Relaxed);
    let stand = core.homes.look();
    assert!(!stand.works());
    let troubles = stand.troubles();
    assert!(troubles.len() == 1 && troubles[0].contains("unlock it"), "{troubles:?}");
    let said = core.homes.clean(&[name(AccountId(99))], None).unwrap_err().to_string();
    assert!(said.contains("locked"), "{said}");
}

#[test]
fn a_second_move_that_failed_forgot_what_the_first_had_left_behind() {
    for (note, left) in [("filling file", Left::Copies(File)), ("emptying file", Left::Old(File))] {
        let house = furnished();
        house.room(File).held.put(&name(AccountId(1)), &Sensitive::new("stale".into())).unwrap();
        house.store.change_meta(&[(MOVE, Some(note))]).unwrap();
        let core = house.start();
        assert_eq!(core.homes.stand().left, Some(left));
        house.fate.is_late.store(true, Ordering::Relaxed);
        core.move_to(File).unwrap_err();
        house.fate.is_late.store(false, Ordering::Relaxed);
        assert_eq!(core.homes.stand().left, Some(left), "{note}: it is told still");
        assert_eq!(house.start().homes.stand().left, Some(left), "{note}: and by the next start");
    }
}

#[test]
fn cleaning_left_copies_behind_that_had_grown_old_and_forgot_them() {
    let house = furnished();
    // Broken off when all was copied; then one is renewed, and one account goes.
    for (id, key) in [(1, "key-a"), (2, "key-b"), (3, "key-c")] {
        house.room(File).held.put(&name(AccountId(id)), &Sensitive::new(key.into())).unwrap();
    }
    house.store.change_meta(&[(MOVE, Some("filling file"))]).unwrap();
    let core = house.start();
    let key = Some(Sensitive::new("renewed".to_owned()));
    core.roster.change(AccountId(1), Change { key, ..Change::default() }).unwrap();
    core.roster.remove(AccountId(2)).unwrap();
    let stand = core.homes.clean(&[], None).unwrap();
    assert_eq!(house.held(File), BTreeMap::new(), "no old copy stays, least of all of a removed account");
    assert_eq!(stand.left, None);
    assert_eq!(house.start().keys(), ["renewed", "key-c"]);
}

#[test]
fn a_secret_that_somebody_owns_and_the_home_lacks_is_no_copy_and_stays_told() {
    let house = furnished();
    house.room(File).held.put(&name(AccountId(1)), &Sensitive::new("key-a".into())).unwrap();
    house.room(Keychain).held.remove(&name(AccountId(1))).unwrap();
    house.store.change_meta(&[(MOVE, Some("filling file"))]).unwrap();
    let stand = house.start().homes.clean(&[], None).unwrap();
    assert_eq!(house.held(File)[name(AccountId(1)).as_str()], "key-a");
    assert_eq!(stand.left, Some(Left::Copies(File)));
}

#[test]
fn a_home_that_can_not_tell_its_names_is_asked_for_those_of_each_account_that_there_ever_was() {
    let house = furnished();
    let core = house.start();
    core.roster.remove(AccountId(2)).unwrap();
    // What a keychain had taken after it said no.
    house.room(Keychain).held.put(&name(AccountId(2)), &Sensitive::new("key-b".into())).unwrap();
    house.room(Keychain).held.remove(&name(AccountId(3))).unwrap();
    house.fate.tells_no_names.store(true, Ordering::Relaxed);

    let found = core.found();
    assert_eq!(found.secrets, 2, "of what never had an account, nothing is known there");
    assert_eq!(found.orphans, [name(AccountId(2))]);
    assert_eq!(found.missing.iter().map(|owner| owner.id).collect::<Vec<_>>(), [AccountId(3)]);
    let look = core.homes.stand().look.unwrap();
    assert_eq!(look.called[&name(AccountId(2))].as_str(), "b");

    assert_eq!(core.homes.carry(File, None, true).unwrap(), 2, "and all of it moves");
    assert_eq!(house.held(File).into_values().collect::<Vec<_>>(), ["key-a", "key-b"]);
    let core = house.start();
    core.homes.clean(&found.orphans, None).unwrap();
    assert_eq!(core.found().orphans, []);
}

#[test]
fn a_move_out_of_a_home_that_lacked_secrets_left_them_behind_and_nobody_found_them() {
    let house = furnished();
    let core = house.start();
    // Another keychain than usual: what the accounts have is not in it.
    let usual = house.held(Keychain);
    for name in house.room(Keychain).held.names().unwrap().unwrap() {
        house.room(Keychain).held.remove(&name).unwrap();
    }
    let said = core.move_to(File).unwrap_err().to_string();
    assert!(said.contains("the secrets of a, b, c are neither in") && said.contains("--anyway"), "{said}");
    assert_eq!((core.homes.stand().kind, core.homes.stand().left), (Keychain, None), "nothing has moved");
    assert_eq!(core.homes.carry(File, None, true).unwrap(), 0, "whoever insists goes on");

    // The usual one is back, and what is in it is found there.
    for (name, secret) in &usual {
        let name = SecretName::new(name).unwrap();
        house.room(Keychain).held.put(&name, &Sensitive::new(secret.clone())).unwrap();
    }
    let troubles = core.homes.look().troubles().join(" ");
    assert!(troubles.contains("The key of a is not in the sealed file but in the keychain"), "{troubles}");
    assert_eq!(core.move_to(Keychain).unwrap(), 0, "they are there already, so nothing is refused");
    assert_eq!(house.start().keys(), KEYS);
    house.fate.is_locked.store(true, Ordering::Relaxed);
    assert!(!core.homes.look().troubles().join(" ").contains(" but in "), "what can't be asked is not told");
}

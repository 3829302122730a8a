//! Moves between homes that are killed at every step, met by a no, or raced by somebody who writes.

use super::*;

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

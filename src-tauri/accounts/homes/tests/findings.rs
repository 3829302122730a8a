//! What is found in a home, or missing there: it is told, and deleted only where a person says so.

use super::*;

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

//! Accounts, their windows and what stays of them.

use std::sync::Arc;

use super::{Folder, add, at};
use crate::{
    domain::{
        AccountId, AccountName, Bench, Lacks, Paid, Pause, PausedBy, Spill, Window, WindowName, WindowSource,
    },
    store::{NewAccountRow, StoreError},
};

fn bench(reason: &str) -> Bench {
    Bench { since: at(4000), until: at(5000), reason: reason.into(), streak: 3 }
}

fn window(name: &str, utilization: Option<f64>, learned: i64) -> Window {
    let known = Window::new(WindowName(name.into()), WindowSource::Header, at(learned));
    Window { utilization, resets_at: Some(at(9000)), ..known }
}

#[test]
fn an_account_comes_back_as_it_was_written() {
    let folder = Folder::new();
    let store = folder.open();
    let mut account = add(&store, "work");
    account.pause = Some(Pause { reason: "".into(), by: PausedBy::User, at: at(300) });
    account.bench = Some(bench("too many requests"));
    account.refused = Some("the key was revoked".into());
    account.lacks = Lacks { images: true, tools: false, betas: ["context-1m-".into()].into() };
    account.base_url = None;
    account.paid = Some(Paid::Plan);
    account.spill =
        Some(Spill { all: None, only: [(AccountId(7), at(400)), (AccountId(9), at(500))].into() });

    store.save_account(&account).unwrap();

    assert_eq!(store.accounts().unwrap(), [account.clone()]);
    store.close().unwrap();
    assert_eq!(folder.open().accounts().unwrap(), [account], "after a restart too");
}

#[test]
fn a_name_is_taken_in_whatever_case() {
    let folder = Folder::new();
    let store = folder.open();
    let work = add(&store, "Büro ÄPFEL");
    let other = add(&store, "other");
    let again = |name: &str| NewAccountRow {
        name: AccountName::new(name).unwrap(),
        provider: work.provider.clone(),
        base_url: None,
        sign_in: None,
        priority: 0,
        created_at: at(1),
    };

    assert!(matches!(store.add_account(&again("büro äpfel")), Err(StoreError::NameTaken)));
    let renamed = crate::domain::Account { name: again("BÜRO ÄPFEL").name, ..other };
    assert!(matches!(store.save_account(&renamed), Err(StoreError::NameTaken)));
    assert_eq!(store.accounts().unwrap().len(), 2, "neither attempt left anything behind");
}

#[test]
fn a_removed_name_can_be_used_again_and_history_keeps_the_old_one() {
    let folder = Folder::new();
    let store = folder.open();
    let first = add(&store, "work");
    store.remove_account(first.id, at(400)).unwrap();

    let second = add(&store, "Work");

    assert_ne!(first.id, second.id, "an id is never given again");
    assert_eq!(store.accounts().unwrap(), std::slice::from_ref(&second));
    let names = store.account_names().unwrap();
    assert_eq!((names[&first.id].as_str(), names[&second.id].as_str()), ("work", "Work"));
}

#[test]
fn a_removed_account_can_be_neither_saved_nor_removed_again() {
    let folder = Folder::new();
    let store = folder.open();
    let account = add(&store, "work");
    store.remove_account(account.id, at(400)).unwrap();

    assert!(matches!(store.save_account(&account), Err(StoreError::NoSuchAccount)));
    assert!(matches!(store.remove_account(account.id, at(401)), Err(StoreError::NoSuchAccount)));
}

#[test]
fn s17_a_bench_survives_a_restart_and_the_latest_word_wins() {
    let folder = Folder::new();
    let store = folder.open();
    let id = add(&store, "work").id;
    store.save_health(id, Some(bench("first")), None);
    store.save_health(id, Some(bench("second")), Some("refused".into()));
    store.close().unwrap();

    let account = folder.open().accounts().unwrap().remove(0);

    assert_eq!(account.bench, Some(bench("second")));
    assert_eq!(account.refused.as_deref(), Some("refused"));
}

#[test]
fn what_a_verdict_says_never_undoes_what_a_person_did() {
    let folder = Folder::new();
    let store = folder.open();
    let mut account = add(&store, "work");
    store.save_health(account.id, Some(bench("throttled")), None);
    account.name = AccountName::new("renamed").unwrap();
    account.pause = Some(Pause { reason: "holiday".into(), by: PausedBy::User, at: at(300) });
    store.save_account(&account).unwrap();
    store.save_health(account.id, None, Some("refused".into()));
    store.flush().unwrap();

    let kept = store.accounts().unwrap().remove(0);

    assert_eq!((kept.name, kept.pause), (account.name, account.pause));
    assert_eq!((kept.bench, kept.refused.as_deref()), (None, Some("refused")));
}

#[test]
fn windows_come_back_as_they_were_last_learned_and_unknown_stays_unknown() {
    let folder = Folder::new();
    let store = folder.open();
    let id = add(&store, "work").id;
    store.save_windows(id, vec![window("5h", Some(0.25), 1), window("7d_opus", None, 1)]);
    store.save_windows(id, vec![window("5h", Some(0.5), 2)]);
    store.flush().unwrap();
    store.save_windows(id, vec![window("7d", Some(f64::NAN), 3)]);
    store.flush().unwrap();

    let windows = store.windows().unwrap();

    let expected = [window("5h", Some(0.5), 2), window("7d", None, 3), window("7d_opus", None, 1)];
    assert_eq!(windows, expected.map(|window| (id, window)));
}

#[test]
fn windows_of_an_account_that_is_gone_go_with_it() {
    let folder = Folder::new();
    let store = folder.open();
    let id = add(&store, "work").id;
    store.save_windows(id, vec![window("5h", None, 1)]);
    store.remove_account(id, at(400)).unwrap();
    store.save_windows(id, vec![window("7d", None, 2)]);
    store.save_windows(AccountId(77), vec![window("7d", None, 2)]);
    store.flush().unwrap();

    assert_eq!(store.windows().unwrap(), []);
}

#[test]
fn an_upstream_that_invents_window_names_fills_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    let id = add(&store, "work").id;
    for round in 0..3 {
        let invented = (0..200).map(|n| window(&format!("{round}-{n}"), None, round * 1000 + n)).collect();
        store.save_windows(id, invented);
        store.flush().unwrap();
    }

    let windows = store.windows().unwrap();

    assert_eq!(windows.len(), 64);
    assert!(windows.iter().all(|(_, window)| window.learned_at >= at(2136)), "the latest stay");
}

#[test]
fn facts_about_the_folder_are_kept_and_replaced() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.meta("vault").unwrap(), None);

    store.set_meta("vault", "file").unwrap();
    store.set_meta("vault", "keychain").unwrap();

    assert_eq!(store.meta("vault").unwrap().as_deref(), Some("keychain"));

    store.change_meta(&[("vault", Some("file")), ("vault_move", Some("emptying keychain"))]).unwrap();
    store.change_meta(&[("vault_move", None)]).unwrap();
    assert_eq!(store.meta("vault").unwrap().as_deref(), Some("file"));
    assert_eq!(store.meta("vault_move").unwrap(), None);
}

#[test]
fn many_threads_ask_at_once_and_all_get_an_answer() {
    let folder = Folder::new();
    let store = folder.open();
    add(&store, "work");
    let asking: Vec<_> = (0..16)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                store.set_meta(&format!("key {n}"), "value").unwrap();
                (0..50).map(|_| store.accounts().unwrap().len()).sum::<usize>()
            })
        })
        .collect();

    let answers: Vec<_> = asking.into_iter().map(|thread| thread.join().unwrap()).collect();

    assert_eq!(answers, [50; 16]);
    assert!(Arc::strong_count(&store.0) == 1, "no clone is left");
}

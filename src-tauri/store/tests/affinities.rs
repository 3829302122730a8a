//! Bindings of conversations come back as they were kept, and are bounded.

use super::{Folder, add, at};
use crate::{
    domain::{AccountId, Conversation, Family},
    store::AffinityRow,
};

fn row(session: &str, account: i64, last_used: i64) -> AffinityRow {
    AffinityRow {
        conversation: Conversation { session: session.into(), agent: None },
        account: AccountId(account),
        since: at(5),
        last_used: at(last_used),
        prefix: None,
        family: None,
        warm_until: at(last_used + 300),
        refuge: None,
    }
}

#[test]
fn a_binding_is_kept_by_its_latest_word() {
    let folder = Folder::new();
    let store = folder.open();
    let agent = Conversation { session: "a".into(), agent: Some("b".into()) };
    let full = AffinityRow {
        conversation: agent,
        prefix: Some(70_000),
        family: Some(Family::Opus),
        refuge: Some((AccountId(2), at(400))),
        ..row("a", 1, 100)
    };
    store.save_affinity(row("a", 1, 90));
    store.save_affinity(full.clone());
    store.flush().unwrap();
    store.save_affinity(row("a", 3, 120));
    assert_eq!(store.affinities(at(0)).unwrap(), [full, row("a", 3, 120)], "the latest one last");
    assert_eq!(store.affinities(at(110)).unwrap(), [row("a", 3, 120)]);
    assert_eq!(store.affinities(at(0)).unwrap().len(), 1, "what is too old is gone");
}

#[test]
fn so_many_bindings_are_kept_and_no_more() {
    let folder = Folder::new();
    let store = folder.open();
    for n in 0..10_050 {
        store.save_affinity(row(&n.to_string(), 1, 1_000 + n));
        if n % 1_000 == 0 {
            store.flush().unwrap();
        }
    }
    let kept = store.affinities(at(0)).unwrap();
    assert_eq!(kept.len(), 10_000);
    assert!(kept.contains(&row("10049", 1, 11_049)), "the latest batch is there");
}

#[test]
fn a_removed_account_binds_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    let account = add(&store, "work").id;
    store.save_affinity(row("a", account.0, 100));
    store.save_affinity(row("b", account.0 + 1, 100));
    store.remove_account(account, at(200)).unwrap();
    let left = store.affinities(at(0)).unwrap();
    assert_eq!(left, [row("b", account.0 + 1, 100)]);
}

//! Keys come back as they went in, and what they used is summed by key and by time.

use proptest::{collection::vec, option, prelude::*};

use super::{Folder, at, begun, ended, finish};
use crate::{
    domain::{
        AccountId, Budget, Ending, Exchange, ExchangeStart, Grant, KeyId, KeyName, Micros, ModelRule, Period,
        PoolId, Scope, Spent, Usage,
    },
    store::{NewKeyRow, Store, StoreError},
};

fn budget() -> impl Strategy<Value = Budget> {
    let count = || option::of(0..=u64::MAX / 2);
    (count(), count()).prop_map(|(tokens, money)| Budget { tokens, money: money.map(Micros) })
}

fn grant() -> impl Strategy<Value = Grant> {
    let scopes = proptest::sample::subsequence(Scope::ALL.to_vec(), 0..=3);
    let accounts = option::of(vec(any::<i64>().prop_map(AccountId), 0..4));
    let pools = option::of(vec(any::<i64>().prop_map(PoolId), 0..4));
    let models = option::of(vec("[a-z0-9-]{1,20}[*]?", 0..4));
    (
        scopes,
        option::of(0..1i64 << 33),
        (accounts, pools),
        models,
        option::of(any::<u32>()),
        budget(),
        budget(),
    )
        .prop_map(|(scopes, expires, (accounts, pools), models, per_minute, daily, monthly)| Grant {
            scopes: scopes.into_iter().collect(),
            expires_at: expires.map(at),
            accounts: accounts.map(Into::into),
            pools: pools.map(Into::into),
            models: models.map(|all| all.iter().map(|text| ModelRule::new(text).unwrap()).collect()),
            per_minute,
            daily,
            monthly,
        })
}

fn row(name: &str, digest: u8, grant: Grant) -> NewKeyRow {
    let name = KeyName::new(name).unwrap();
    NewKeyRow { name, prefix: "hg_Ab3d".into(), digest: [digest; 32], grant, created_at: at(100) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_key_comes_back_as_it_went_in(first in grant(), second in grant()) {
        let folder = Folder::new();
        let store = folder.open();
        let mut key = store.add_key(&row("laptop", 1, first)).unwrap();
        prop_assert_eq!(&store.keys().unwrap(), &[(key.clone(), [1; 32])]);
        key.grant = second;
        key.enabled = false;
        store.save_key(&key).unwrap();
        prop_assert_eq!(&store.keys().unwrap(), &[(key, [1; 32])]);
    }
}

#[test]
fn a_rotated_key_is_the_same_row_with_another_digest() {
    let folder = Folder::new();
    let store = folder.open();
    let key = store.add_key(&row("laptop", 1, Grant::default())).unwrap();
    store.rotate_key(key.id, "hg_Zz9z".into(), [2; 32], at(200)).unwrap();
    let (rotated, digest) = store.keys().unwrap().remove(0);
    assert_eq!((rotated.id, &*rotated.prefix, rotated.rotated_at), (key.id, "hg_Zz9z", Some(at(200))));
    assert_eq!(digest, [2; 32]);
}

#[test]
fn a_revoked_key_keeps_its_row_and_frees_its_name() {
    let folder = Folder::new();
    let store = folder.open();
    let old = store.add_key(&row("Laptop", 1, Grant::default())).unwrap();
    let taken = store.add_key(&row("lapTOP", 2, Grant::default()));
    assert!(matches!(taken, Err(StoreError::NameTaken)));
    store.revoke_key(old.id, at(200)).unwrap();
    for gone in [store.revoke_key(old.id, at(300)), store.save_key(&old)] {
        assert!(matches!(gone, Err(StoreError::NoSuchKey)), "{gone:?}");
    }
    let new = store.add_key(&row("laptop", 2, Grant::default())).unwrap();
    assert_ne!(old.id, new.id);
    assert_eq!(store.keys().unwrap()[0].0.revoked_at, Some(at(200)));
}

fn hour(hour: i64) -> jiff::Timestamp {
    at(hour * 3_600)
}

fn used(store: &Store, id: i64, key: Option<i64>, usage: Usage, cost: Option<u64>) {
    let start = ExchangeStart { key: key.map(KeyId), started_at: hour(id), ..begun(id) };
    finish(
        store,
        Exchange { start: start.into(), usage, cost: cost.map(Micros), ..ended(id, Ending::Complete, 1) },
    );
}

#[test]
fn what_a_key_used_is_summed_by_when_it_began_and_not_by_its_id() {
    let folder = Folder::new();
    let store = folder.open();
    let usage = Usage {
        input: Some(10),
        output: Some(5),
        cache_read: Some(100),
        cache_write: None,
        ..Usage::default()
    };
    used(&store, 1, Some(7), usage, Some(1_000));
    used(&store, 2, Some(7), usage, Some(30));
    used(&store, 3, Some(7), usage, None);
    used(&store, 4, Some(7), Usage::default(), None);
    used(&store, 5, Some(8), usage, Some(9));
    used(&store, 6, None, usage, Some(9));
    store.begin(ExchangeStart { key: Some(KeyId(7)), ..begun(9) });
    store.flush().unwrap();
    let spent = |key, since, until| {
        store.spent(KeyId(key), Period { since: hour(since), until: hour(until) }).unwrap()
    };
    assert_eq!(spent(7, 0, 9), Spent { tokens: 345, money: Micros(1_030), unpriced: 1, ..Spent::default() });
    assert_eq!(
        spent(7, 2, 9),
        Spent { tokens: 230, money: Micros(30), unpriced: 1, ..Spent::default() },
        "the first is before it"
    );
    assert_eq!(
        spent(7, 1, 2),
        Spent { tokens: 115, money: Micros(1_000), unpriced: 0, ..Spent::default() },
        "the second behind it"
    );
    assert_eq!(spent(9, 0, 9), Spent::default());
    // The clock was a year ahead, and is right again: ids go on from where they were.
    let start = |id, second| ExchangeStart { started_at: hour(second), key: Some(KeyId(5)), ..begun(id) };
    for (id, second) in [(900, 900), (901, 50), (902, 51)] {
        let start = start(id, second);
        finish(&store, Exchange { start: start.into(), usage, ..ended(id, Ending::Complete, 1) });
    }
    store.flush().unwrap();
    assert_eq!((spent(5, 50, 52).tokens, spent(5, 900, 901).tokens), (230, 115));
}

#[test]
fn a_sum_beyond_what_can_be_counted_is_no_error() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 1..4 {
        let usage = Usage { input: Some(u64::MAX), output: Some(u64::MAX), ..Usage::default() };
        used(&store, id, Some(7), usage, Some(u64::MAX));
    }
    store.flush().unwrap();
    assert!(store.spent(KeyId(7), Period { since: hour(0), until: hour(9) }).unwrap().tokens > u64::MAX / 4);
}

//! Pools, routes, bindings and guards come back as they went in, and what is gone is pointed at in vain.

use std::sync::Arc;

use super::{Folder, add, at, begun, ended, finish};
use crate::{
    domain::{
        AccountId, BindingId, Budget, Caps, Day, Ending, Exchange, ExchangeStart, Guards, KeyId, Micros,
        MinuteOfDay, Peak, Percent, Period, Policy, Pool, PoolId, PoolName, Reserve, Role, RouteId,
        RouteIdle, RouteModels, RouteName, Slot, Spare, Spent, Subject, Target, WindowName, ZoneName,
    },
    store::{NewBindingRow, NewPoolRow, NewRouteRow, StoreError},
};

fn pool(name: &str) -> NewPoolRow {
    let name = PoolName::new(name).unwrap();
    NewPoolRow { id: None, name, policy: Policy::Headroom, accounts: Vec::new(), created_at: at(100) }
}

fn route(name: &str) -> NewRouteRow {
    NewRouteRow {
        id: None,
        name: RouteName::new(name).unwrap(),
        enabled: true,
        models: RouteModels::new("opus").unwrap(),
        slots: vec![
            Slot { target: Target::Account(AccountId(99)), model: None },
            Slot { target: Target::Pool(PoolId(2)), model: Some("claude-haiku-4-5".into()) },
        ],
        falls_through: false,
        idle: RouteIdle::new(45),
        created_at: at(100),
    }
}

fn guards() -> Guards {
    Guards {
        reserves: vec![
            Reserve { window: None, stop_at: Percent::new(90).unwrap() },
            Reserve { window: Some(WindowName("5h".into())), stop_at: Percent::new(80).unwrap() },
        ],
        caps: Caps {
            day: Budget { tokens: Some(2_000_000), money: None },
            month: Budget { tokens: None, money: Some(Micros(50_000_000)) },
            ..Caps::default()
        },
        peaks: vec![Peak {
            days: [Day::Monday, Day::Friday].into_iter().collect(),
            from: MinuteOfDay::new("09:00").unwrap(),
            to: MinuteOfDay::new("17:00").unwrap(),
            zone: Some(ZoneName::new("Europe/Berlin").unwrap()),
            then: Spare::Last,
        }],
    }
}

#[test]
fn the_pool_main_is_always_there_and_others_come_and_go() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.pools().unwrap(), [Pool::main()]);
    let mut spare = store.add_pool(&pool("Spare")).unwrap();
    assert_eq!((spare.id, spare.policy), (PoolId(2), Policy::Headroom));
    assert!(matches!(store.add_pool(&pool("sPARE")), Err(StoreError::NameTaken)));
    spare.name = PoolName::new("Reserve").unwrap();
    spare.policy = Policy::RoundRobin;
    store.save_pool(&spare).unwrap();
    assert_eq!(store.pools().unwrap(), [Pool::main(), spare.clone()]);
    store.remove_pool(spare.id).unwrap();
    for gone in [store.remove_pool(spare.id), store.save_pool(&spare)] {
        assert!(matches!(gone, Err(StoreError::NotThere("pool"))), "{gone:?}");
    }
    assert_eq!(store.add_pool(&pool("next")).unwrap().id, PoolId(3), "an id is never given again");
}

#[test]
fn what_is_removed_is_put_back_under_the_id_that_it_had_and_under_no_other() {
    let folder = Folder::new();
    let store = folder.open();
    let account = add(&store, "work").id;
    let new = NewPoolRow { accounts: vec![account], ..pool("spare") };
    let spare = store.add_pool(&new).unwrap();
    assert_eq!(store.accounts().unwrap()[0].pool, spare.id);
    store.remove_pool(spare.id).unwrap();
    assert_eq!(store.accounts().unwrap()[0].pool, PoolId::MAIN, "its accounts go back");
    let back = NewPoolRow { id: Some(spare.id), ..new };
    assert_eq!(store.add_pool(&back).unwrap(), spare);
    assert_eq!(store.accounts().unwrap()[0].pool, spare.id);

    for never in [0, -1, 77] {
        let claimed = store.add_pool(&NewPoolRow { id: Some(PoolId(never)), ..pool("x") });
        assert!(matches!(claimed, Err(StoreError::NotThere(_))), "{never}: {claimed:?}");
        let claimed = store.add_route(&NewRouteRow { id: Some(RouteId(never)), ..route("x") });
        assert!(matches!(claimed, Err(StoreError::NotThere(_))), "{never}: {claimed:?}");
    }
}

#[test]
fn a_route_comes_back_as_it_went_in_whatever_its_slots_point_at() {
    let folder = Folder::new();
    let store = folder.open();
    let mut cheap = store.add_route(&route("cheap")).unwrap();
    assert_eq!((&cheap.slots, &cheap.models), (&route("cheap").slots, &route("cheap").models));
    assert_eq!(cheap.idle, RouteIdle::new(45));
    assert!(matches!(store.add_route(&route("CHEAP")), Err(StoreError::NameTaken)));
    cheap.models = RouteModels::new("claude-opus-*").unwrap();
    cheap.enabled = false;
    cheap.falls_through = true;
    cheap.idle = None;
    cheap.slots.pop();
    store.save_route(&cheap).unwrap();
    assert_eq!(store.routes().unwrap(), [cheap.clone()]);
    store.remove_route(cheap.id).unwrap();
    let back = NewRouteRow {
        id: Some(cheap.id),
        name: cheap.name.clone(),
        enabled: cheap.enabled,
        models: cheap.models.clone(),
        slots: cheap.slots.clone(),
        falls_through: cheap.falls_through,
        idle: cheap.idle,
        created_at: cheap.created_at,
    };
    assert_eq!(store.add_route(&back).unwrap(), cheap);
}

#[test]
fn each_thing_is_bound_once_and_a_binding_outlives_its_pool() {
    let folder = Folder::new();
    let store = folder.open();
    let spare = store.add_pool(&pool("spare")).unwrap();
    let subjects = [
        Subject::Key(KeyId(7)),
        Subject::Directory("/work/a".into()),
        Subject::Project("a".into()),
        Subject::AgentType("reviewer".into()),
        Subject::Role(Role::Subagent),
    ];
    let row = |subject: &Subject| NewBindingRow {
        id: None,
        subject: subject.clone(),
        pool: spare.id,
        strict: true,
        created_at: at(100),
    };
    for subject in &subjects {
        store.add_binding(&row(subject)).unwrap();
        assert!(matches!(store.add_binding(&row(subject)), Err(StoreError::NameTaken)), "{subject}");
    }
    store.remove_pool(spare.id).unwrap();
    let mut kept = store.bindings().unwrap();
    assert_eq!(kept.iter().map(|one| one.subject.clone()).collect::<Vec<_>>(), subjects);
    assert!(kept.iter().all(|one| one.pool == spare.id && one.strict), "it points at what is gone");
    kept[0].pool = PoolId::MAIN;
    kept[0].strict = false;
    store.save_binding(&kept[0]).unwrap();
    store.remove_binding(kept[1].id).unwrap();
    kept.remove(1);
    assert_eq!(store.bindings().unwrap(), kept);
    assert!(matches!(store.remove_binding(BindingId(2)), Err(StoreError::NotThere("binding"))));
}

#[test]
fn guards_come_back_as_they_went_in() {
    let folder = Folder::new();
    let store = folder.open();
    let mut account = add(&store, "work");
    assert_eq!((account.pool, &account.guards), (PoolId::MAIN, &None));
    account.guards = Some(Arc::new(guards()));
    store.save_account(&account).unwrap();
    assert_eq!(store.accounts().unwrap(), [account.clone()]);
    account.guards = None;
    store.save_account(&account).unwrap();
    assert_eq!(store.accounts().unwrap(), [account]);
}

#[test]
fn what_an_account_served_is_summed_by_when_it_began() {
    let folder = Folder::new();
    let store = folder.open();
    let hour = |hour: i64| at(hour * 3_600);
    let serve = |id: i64, began: i64, account: i64, cost: Option<u64>| {
        let start = ExchangeStart { started_at: hour(began), ..begun(id) };
        let cost = cost.map(Micros);
        finish(&store, Exchange { start: start.into(), cost, ..ended(id, Ending::Complete, account) });
    };
    serve(1, 50, 1, Some(1_000));
    serve(2, 51, 1, None);
    serve(3, 52, 2, Some(7));
    store.flush().unwrap();
    // The clock was ahead, and is right again: ids go on from where they were.
    serve(4, 90, 1, Some(30));
    serve(5, 53, 1, Some(5));
    serve(6, 50, 1, Some(1));
    store.flush().unwrap();
    let spent = |account, since, until| {
        store.spent_by(AccountId(account), Period { since: hour(since), until: hour(until) }).unwrap()
    };
    assert_eq!(spent(1, 50, 60), Spent { tokens: 60, money: Micros(1_006), unpriced: 1, ..Spent::default() });
    assert_eq!(
        spent(1, 50, 51),
        Spent { tokens: 30, money: Micros(1_001), unpriced: 0, ..Spent::default() },
        "of two commits"
    );
    assert_eq!(spent(1, 52, 60), Spent { tokens: 15, money: Micros(5), unpriced: 0, ..Spent::default() });
    assert_eq!(spent(1, 60, 100), Spent { tokens: 15, money: Micros(30), unpriced: 0, ..Spent::default() });
    assert_eq!(spent(3, 0, 100), Spent::default());
}

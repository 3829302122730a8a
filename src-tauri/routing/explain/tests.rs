//! What is explained, and that it is what was decided.

use super::super::{
    Decision, Plan, pick,
    pick::tests::{account, in_minutes, login_account, now, window},
};
use super::*;
use crate::domain::{
    Binding, BindingId, Family, Guards, Percent, PoolId, Reserve, Route, RouteId, RouteModels, RouteName,
    Slot, Subject,
};

fn opus() -> Ask {
    Ask { model: Some("claude-opus-5-5".into()), ..Ask::default() }
}

fn whys(record: &DecisionRecord) -> Vec<(i64, Outcome, &str)> {
    record.candidates.iter().map(|one| (one.account.0, one.outcome, one.why.as_ref())).collect()
}

#[test]
fn everybody_is_named_in_order_with_a_reason() {
    let reserves = vec![Reserve { window: None, stop_at: Percent::new(80).unwrap() }];
    let mut kept = account(4).with(window("7d", 0.85, false, 600));
    kept.account.guards = Some(Arc::new(Guards { reserves, ..Guards::default() }));
    let snapshot = Snapshot::of([
        account(1).with(window("5h", 1.0, true, 38)),
        account(2).with(window("5h", 0.62, false, 60)),
        account(3).with(window("5h", 0.1, false, 60)),
        kept,
        account(5).with_priority(3),
    ]);
    let record = explain(&opus(), &snapshot, None, &[], now());
    assert_eq!(
        whys(&record),
        [
            (3, Outcome::Chosen, "it has the lowest priority number, and of those the most left"),
            (2, Outcome::Next, "62 % of its fullest window is used"),
            (5, Outcome::Next, "priority 3 comes after 0"),
            (1, Outcome::PassedOver, "its 5h window is spent"),
            (4, Outcome::PassedOver, "its 7d window is to stop at 80 %"),
        ]
    );
    assert_eq!(record.candidates[3].until, Some(in_minutes(38)));
    assert_eq!(record.candidates[4].until, Some(in_minutes(600)));
    assert_eq!((record.pool.as_deref(), record.policy), (Some("main"), Some(Policy::Priority)));
    assert_eq!(why_not(&opus(), &snapshot, AccountId(4), now()).unwrap().until, Some(in_minutes(600)));
    assert_eq!(why_not(&opus(), &snapshot, AccountId(2), now()), None);
    assert_eq!(why_not(&opus(), &snapshot, AccountId(9), now()), None, "who is not there has no reason");
}

#[test]
fn a_record_stays_small_however_many_accounts_there_are() {
    let snapshot = Snapshot::of((1..=200).map(account));
    let record = explain(&opus(), &snapshot, None, &[], now());
    assert_eq!((record.candidates.len(), record.left_out), (MOST_CANDIDATES, 168));
    assert_eq!(record.candidates[0].outcome, Outcome::Chosen);
    assert!(serde_json::to_string(&record).unwrap().len() < 8_000);
}

#[test]
fn a_slot_that_points_at_nothing_is_skipped_and_said() {
    let to = |id| Slot { target: Target::Account(AccountId(id)), model: None };
    let gone = Slot { target: Target::Pool(PoolId(9)), model: None };
    let route = |slots| Route {
        id: RouteId(1),
        name: RouteName::new("work").unwrap(),
        enabled: true,
        models: RouteModels::Family(Family::Opus),
        slots,
        falls_through: false,
        idle: None,
        created_at: now(),
    };
    let mut snapshot = Snapshot::of([account(1), account(2)]);
    snapshot.plan =
        Arc::new(Plan { routes: vec![route(vec![to(8), gone.clone(), to(2)])], ..Plan::default() });
    let record = explain(&opus(), &snapshot, None, &[], now());
    assert_eq!(record.account, Some(AccountId(2)));
    assert_eq!(record.route.as_deref(), Some("work"));
    assert_eq!(
        record.notes.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
        [
            "Slot 1 of the route work points at an account that is gone.",
            "Slot 2 of the route work points at a pool that is gone.",
        ]
    );
    assert!(whys(&record).contains(&(1, Outcome::PassedOver, "the route work does not lead to it")));
    snapshot.plan = Arc::new(Plan { routes: vec![route(vec![to(8), gone])], ..Plan::default() });
    let record = explain(&opus(), &snapshot, None, &[], now());
    assert_eq!((record.account, record.notes.len()), (None, 2), "it says where it goes, and nobody is there");
}

#[test]
fn settings_that_contradict_are_named() {
    let binding = |id, subject, pool| Binding {
        id: BindingId(id),
        subject,
        pool: PoolId(pool),
        strict: true,
        created_at: now(),
    };
    let mut snapshot = Snapshot::of([account(1)]);
    let pools = [1, 2].map(|id| crate::domain::Pool { id: PoolId(id), ..crate::domain::Pool::main() }).into();
    let bindings =
        vec![binding(1, Subject::Project("a".into()), 1), binding(2, Subject::Directory("/w".into()), 2)];
    snapshot.plan = Arc::new(Plan { pools, bindings, ..Plan::default() });
    let ask = Ask { project: Some("a".into()), directory: Some("/w".into()), ..opus() };
    let record = explain(&ask, &snapshot, None, &[], now());
    assert_eq!(record.account, None);
    assert_eq!(
        record.notes[0].as_ref(),
        "It is bound to two pools, and may leave neither (project a; folder /w)."
    );
}

#[test]
fn what_was_kept_from_costing_money_is_said_and_counted_once() {
    let ask = Ask { login: true, ..opus() };
    let spent = login_account(1).with(window("5h", 1.0, true, 38));
    let record = explain(&ask, &Snapshot::of([spent, account(2)]), None, &[], now());
    assert_eq!(record.prevented, Some(Prevented { from: AccountId(1), to: AccountId(2) }));
    assert_eq!(record.choice, Some(Choice::LastResort));
    assert!(record.candidates[1].why.contains("which may cost money"), "{}", record.candidates[1].why);
    let idle = explain(&ask, &Snapshot::of([login_account(1), account(2)]), None, &[], now());
    assert_eq!((idle.account, idle.prevented), (Some(AccountId(1)), None), "it would not have gone there");
    let first =
        explain(&ask, &Snapshot::of([login_account(1).with_priority(1), account(2)]), None, &[], now());
    assert_eq!(
        (first.account, first.prevented.map(|kept| kept.to)),
        (Some(AccountId(1)), Some(AccountId(2)))
    );
}

fn taken(snapshot: &Snapshot, set_aside: &[Aside]) -> Option<(AccountId, Why)> {
    match pick(&opus(), snapshot, None, set_aside, now()) {
        Decision::Take(pick) => Some((pick.contender.account.id, pick.why)),
        Decision::Wait(_) => None,
    }
}

#[test]
fn what_is_recalled_at_once_is_what_would_be_explained() {
    let full = account(3).with(window("5h", 1.0, true, 60));
    let snapshot = Snapshot::of([account(1), account(2), full]);
    let gone: [Aside; 3] = [1, 2, 3].map(|id| Aside::wholly(AccountId(id)));
    for set_aside in [&gone[..0], &gone[..1], &gone[..2], &gone[..]] {
        let taken = taken(&snapshot, set_aside);
        let recalled = recall(&opus(), &snapshot, None, set_aside, taken, now());
        assert_eq!(recalled, explain(&opus(), &snapshot, None, set_aside, now()));
        assert_eq!(recalled.account, taken.map(|(id, _)| id));
        let is_first = recalled.candidates[0].outcome == Outcome::Chosen;
        assert_eq!(is_first, taken.is_some(), "the chosen one stands first");
    }
}

#[test]
fn what_was_decided_stands_although_it_has_become_busy_since() {
    let snapshot = Snapshot::of([account(1), account(2)]);
    let taken = taken(&snapshot, &[]);
    let leases: Vec<_> = (0..9).map(|_| snapshot.contenders[0].load.lease()).collect();
    assert_eq!(explain(&opus(), &snapshot, None, &[], now()).account, Some(AccountId(2)), "by now");
    let recalled = recall(&opus(), &snapshot, None, &[], taken, now());
    let told: Vec<_> = recalled.candidates.iter().map(|one| (one.account.0, one.outcome)).collect();
    assert_eq!(told, [(1, Outcome::Chosen), (2, Outcome::Next)]);
    assert_eq!(&*recalled.candidates[1].why, "it was as good but for the requests that it served");
    drop(leases);
}

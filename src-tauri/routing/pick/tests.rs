//! What `pick` promises, and the accounts that the other tests of this room are made of.

use super::*;
use crate::domain::{
    Account, AccountName, Credential, Endpoint, Lacks, Need, Provider, ProviderId, Window, WindowName,
    WindowSource,
};
use crate::routing::{Load, Ration};
use jiff::SignedDuration;
use proptest::prelude::*;

pub(in crate::routing) fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub(in crate::routing) fn in_minutes(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

pub(in crate::routing) fn window(name: &str, used: f64, spent: bool, reset_minutes: i64) -> Window {
    let name = WindowName(name.into());
    Window {
        family: name.family(),
        name,
        limits: Some(Endpoint::Messages),
        utilization: Some(used),
        resets_at: Some(in_minutes(reset_minutes)),
        refills: false,
        spent,
        again: None,
        source: WindowSource::Header,
        learned_at: now(),
    }
}

pub(in crate::routing) fn account(id: i64) -> Contender {
    let provider = Provider {
        id: ProviderId("test".into()),
        title: String::new(),
        about: String::new(),
        base_url: None,
        credential: Credential::Key(Vec::new()),
        counts_tokens: true,
        models: [].into(),
        lacks: Lacks::default(),
        verdicts: "anthropic".into(),
    };
    let account = Account {
        id: AccountId(id),
        name: AccountName::new(&format!("account {id}")).unwrap(),
        provider: provider.id.clone(),
        base_url: None,
        priority: 0,
        pool: crate::domain::PoolId::MAIN,
        guards: None,
        pause: None,
        bench: None,
        refused: None,
        models: crate::domain::ModelMap::default(),
        spill: None,
        created_at: now(),
    };
    Contender::new(account, Arc::new(provider), Load::default())
}

pub(in crate::routing) fn login_account(id: i64) -> Contender {
    let contender = account(id);
    let provider = Provider { credential: Credential::Client, ..Provider::clone(&contender.provider) };
    Contender { provider: Arc::new(provider), ..contender }
}

impl Contender {
    pub(in crate::routing) fn with(mut self, window: Window) -> Self {
        self.windows.push(window);
        self
    }

    fn priority(mut self, priority: i32) -> Self {
        self.account.priority = priority;
        self
    }
}

fn picked(contenders: Vec<Contender>, set_aside: &[i64]) -> Option<i64> {
    let set_aside: Vec<Aside> = set_aside.iter().copied().map(AccountId).map(Aside::wholly).collect();
    match pick(&Ask::default(), &Snapshot::of(contenders), None, &set_aside, now()) {
        Decision::Take(pick) => Some(pick.contender.account.id.0),
        Decision::Wait(_) => None,
    }
}

#[test]
fn priority_comes_before_utilisation() {
    let full = account(1).with(window("5h", 0.9, false, 60));
    let empty = account(2).with(window("5h", 0.1, false, 60)).priority(1);
    assert_eq!(picked(vec![full, empty], &[]), Some(1));
}

#[test]
fn among_equals_the_fullest_window_decides() {
    let a = account(1).with(window("5h", 0.1, false, 60)).with(window("7d", 0.8, false, 600));
    let b = account(2).with(window("5h", 0.6, false, 60)).with(window("7d", 0.2, false, 600));
    assert_eq!(picked(vec![a, b], &[]), Some(2));
}

#[test]
fn unknown_is_neither_empty_nor_full() {
    let known = |used| account(2).with(window("5h", used, false, 60));
    assert_eq!(picked(vec![account(1), known(0.2)], &[]), Some(2), "unknown is not empty");
    assert_eq!(picked(vec![account(1), known(0.9)], &[]), Some(1), "unknown is not full");
    let past = account(2).with(window("5h", 0.9, false, -1));
    assert_eq!(
        picked(vec![account(1).with(window("5h", 0.6, false, 9)), past], &[]),
        Some(2),
        "a past window says nothing"
    );
}

#[test]
fn of_two_that_are_alike_the_idle_one_goes() {
    let busy = account(1);
    let _lease = busy.load.lease().unwrap();
    assert_eq!(picked(vec![busy, account(2)], &[]), Some(2));
}

#[test]
fn an_account_with_its_hands_full_is_passed_over_and_when_all_have_that_is_said() {
    let ration = Ration::of(std::num::NonZeroU32::new(1));
    let within = |id| Contender { load: Load::within(ration.clone()), ..account(id) };
    let snapshot = Snapshot::of([within(1), within(2).priority(1)]);
    let decide = || pick(&Ask::default(), &snapshot, None, &[], now());
    let first = snapshot.contenders[0].load.lease();
    assert!(matches!(decide(), Decision::Take(taken) if taken.contender.account.id == AccountId(2)));
    let second = snapshot.contenders[1].load.lease();
    assert!(matches!(decide(), Decision::Wait(wait) if wait.is_busy));
    assert!(snapshot.contenders[1].load.lease().is_none(), "nobody gets a place that is not there");
    drop((first, second));
    assert!(matches!(decide(), Decision::Take(taken) if taken.contender.account.id == AccountId(1)));
}

#[test]
fn nobody_is_asked_twice_and_the_wait_names_everyone() {
    let spent = account(1).with(window("5h", 1.0, true, 38));
    let snapshot = Snapshot::of([spent, account(2)]);
    let aside = [Aside::wholly(AccountId(2))];
    let Decision::Wait(wait) = pick(&Ask::default(), &snapshot, None, &aside, now()) else {
        panic!("both are out")
    };
    assert_eq!(wait.until, Some(in_minutes(38)));
    assert_eq!(wait.why.len(), 2);
}

#[test]
fn only_the_accounts_that_the_key_allows_are_asked_and_the_others_are_passed_over_with_a_reason() {
    let resting = account(2).with(window("5h", 1.0, true, 38));
    let snapshot = Snapshot::of([account(1), resting, account(3)]);
    let decide = |only: &[i64]| {
        let only = only.iter().copied().map(AccountId).collect();
        pick(&Ask { only: Some(only), ..Ask::default() }, &snapshot, None, &[], now())
    };
    assert!(matches!(decide(&[2, 3]), Decision::Take(taken) if taken.contender.account.id == AccountId(3)));
    let Decision::Wait(wait) = decide(&[2]) else { panic!("the only one rests") };
    assert_eq!(wait.until, Some(in_minutes(38)));
    let reasons: Vec<_> = wait.why.iter().map(|passed| passed.standing.reason.as_deref().unwrap()).collect();
    assert!(reasons[0].contains("key") && reasons[1].contains("5h") && reasons[2].contains("key"));
    let Decision::Wait(wait) = decide(&[]) else { panic!("nobody is allowed") };
    assert_eq!((wait.until, wait.why.len()), (None, 3));
}

#[test]
fn a_sign_in_whose_window_is_spent_is_asked_only_where_nobody_else_may_serve() {
    let ask = Ask { login: true, ..Ask::default() };
    let decide = |mine: Contender| {
        let snapshot = Snapshot::of([mine, account(2)]);
        assert!(
            !matches!(pick(&ask, &snapshot, None, &[], now()), Decision::Take(taken) if taken.contender.account.id.0 == 1)
        );
        last_resort(&ask, &snapshot, &[], now()).is_some()
    };
    let spent = || login_account(1).with(window("5h", 1.0, true, 38));
    assert!(decide(spent()));
    let mut open = spent();
    open.account.spill = Some(crate::domain::Spill { to: crate::domain::SpillTo::All, allowed_at: now() });
    assert!(!decide(open), "account 2 may serve");
    let mut benched = spent();
    benched.account.bench =
        Some(crate::domain::Bench { since: now(), until: in_minutes(1), reason: "asked".into(), streak: 1 });
    assert!(!decide(benched), "a pause that was asked for is believed");
    let mut paused = spent();
    let by = crate::domain::PausedBy::User;
    paused.account.pause = Some(crate::domain::Pause { reason: "".into(), by, at: now() });
    assert!(!decide(paused));
}

#[test]
fn whoever_stands_back_is_the_second_choice_and_the_only_one_is_chosen_all_the_same() {
    let sky = crate::routing::Weather::default();
    let under = |contender: Contender| Contender { weather: sky.clone(), ..contender };
    let build = || vec![under(account(1)), under(account(2)), account(3).priority(9)];
    assert_eq!(picked(build(), &[]), Some(1));
    sky.learn(Need::default(), crate::routing::Sign::Overloaded, now());
    assert_eq!(picked(build(), &[]), Some(3), "their upstream is in trouble");
    assert_eq!(picked(build(), &[3]), Some(1), "nobody else could serve it");
    sky.learn(Need::default(), crate::routing::Sign::Fair, now());
    let mut back = build();
    let (since, until, reason) = (in_minutes(-10), now(), "throttled".into());
    back[0].account.bench = Some(crate::domain::Bench { since, until, reason, streak: 1 });
    let first = back[0].load.lease();
    assert_eq!(picked(back.clone(), &[]), Some(2), "one is on its way to see whether it works");
    assert_eq!(picked(back.clone(), &[2, 3]), Some(1));
    drop(first);
    assert_eq!(picked(back, &[]), Some(1));
}

#[test]
fn a_conversation_whose_account_stands_back_goes_elsewhere_and_stays_bound() {
    let sky = crate::routing::Weather::default();
    let home = Contender { weather: sky.clone(), ..account(1) };
    let (snapshot, ask) =
        (Snapshot::of([home, account(2)]), Ask { session: Some("s".into()), ..Ask::default() });
    let bound = Bound { prefix: Some(100_000), ..Bound::new(AccountId(1), None, now()) };
    let taken = || match pick(&ask, &snapshot, Some(&bound), &[], now()) {
        Decision::Take(pick) => (pick.contender.account.id.0, pick.why.choice, pick.why.binds),
        Decision::Wait(wait) => panic!("{wait:?}"),
    };
    assert_eq!(taken(), (1, Choice::Bound, false));
    sky.learn(Need::default(), crate::routing::Sign::Overloaded, now());
    assert_eq!(taken(), (2, Choice::Spilled, false), "its cache is worth waiting for");
}

#[test]
fn what_goes_up_under_another_name_is_limited_as_that() {
    let mut mapped = account(1);
    let pairs = [("claude-opus-5-5".to_owned(), "claude-sonnet-5-5".to_owned())];
    mapped.account.models = crate::domain::ModelMap::new(pairs).unwrap();
    let mapped = mapped.with(window("7d_opus", 1.0, true, 60));
    let ask = Ask { model: Some("claude-opus-5-5".into()), ..Ask::default() };
    let Decision::Take(pick) = pick(&ask, &Snapshot::of([mapped]), None, &[], now()) else {
        panic!("sonnet has room")
    };
    assert_eq!(pick.need(&ask).family, Some(crate::domain::Family::Sonnet));
}

proptest! {
    #[test]
    fn the_order_in_which_accounts_are_listed_does_not_matter(
        accounts in proptest::collection::vec((-2i32..3, 0.0f64..1.2, any::<bool>(), -60i64..60), 1..6), turn in 0usize..6,
    ) {
        let build = || accounts.iter().enumerate().map(|(index, (priority, used, spent, reset))| {
            account(i64::try_from(index).unwrap()).priority(*priority).with(window("5h", *used, *spent, *reset))
        }).collect::<Vec<_>>();
        let mut turned = build();
        turned.rotate_left(turn % accounts.len());
        turned.reverse();
        prop_assert_eq!(picked(build(), &[]), picked(turned, &[]));
    }

    #[test]
    fn an_account_that_cannot_serve_is_never_picked(
        accounts in proptest::collection::vec((any::<bool>(), any::<bool>(), 1i64..60), 1..6),
    ) {
        let build = accounts.iter().enumerate().map(|(index, (spent, refused, reset))| {
            let mut contender = account(i64::try_from(index).unwrap()).with(window("5h", 0.5, *spent, *reset));
            contender.account.refused = refused.then(|| "refused".into());
            contender
        }).collect::<Vec<_>>();
        let can_serve = accounts.iter().any(|(spent, refused, _)| !spent && !refused);
        match picked(build, &[]) {
            Some(id) => {
                let (spent, refused, _) = accounts[usize::try_from(id).unwrap()];
                prop_assert!(!spent && !refused);
            }
            None => prop_assert!(!can_serve, "nobody starves while an account could serve"),
        }
    }
}

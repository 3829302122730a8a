//! What `pick` promises, and the accounts that the other tests of this room are made of.

mod money;

use super::*;
use crate::domain::{
    Account, AccountName, Binding, BindingId, Budget, Caps, Credential, Day, Endpoint, Family, Guards, Lacks,
    MinuteOfDay, Model, ModelMap, Need, Needs, Outlay, Paid, Peak, Policy, Pool, PoolId, Provider,
    ProviderId, Role, Route, RouteId, RouteModels, RouteName, Slot, Spare, Spent, Subject, Target, Window,
    WindowName, WindowSource,
};
use crate::routing::{Load, Offers, Plan, Ration};
use jiff::SignedDuration;
use proptest::prelude::*;

pub(in crate::routing) fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub(in crate::routing) fn in_minutes(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

pub(in crate::routing) fn window(name: &str, used: f64, spent: bool, reset_minutes: i64) -> Window {
    let known = Window::new(WindowName(name.into()), WindowSource::Header, now());
    Window { utilization: Some(used), resets_at: Some(in_minutes(reset_minutes)), spent, ..known }
}

pub(in crate::routing) fn account(id: i64) -> Contender {
    let provider = Provider {
        id: ProviderId("test".into()),
        title: String::new(),
        about: String::new(),
        base_url: None,
        credential: Credential::Key(Vec::new()),
        says: [].into(),
        counts_tokens: true,
        models: [].into(),
        paid: None,
        lacks: Lacks::default(),
        verdicts: "anthropic".into(),
    };
    let name = AccountName::new(&format!("account {id}")).unwrap();
    let account = Account::new(AccountId(id), name, provider.id.clone(), now());
    Contender::new(account, Arc::new(provider), Load::default())
}

pub(in crate::routing) fn login_account(id: i64) -> Contender {
    let contender = account(id);
    let (credential, paid) = (Credential::Client, Some(Paid::Plan));
    let provider = Provider { credential, paid, ..Provider::clone(&contender.provider) };
    Contender { provider: Arc::new(provider), ..contender }
}

impl Contender {
    pub(in crate::routing) fn with(mut self, window: Window) -> Self {
        self.windows.push(window);
        self
    }

    pub(in crate::routing) fn with_priority(mut self, priority: i32) -> Self {
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
    let empty = account(2).with(window("5h", 0.1, false, 60)).with_priority(1);
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
fn conversations_that_are_idle_outweigh_no_account_that_is_nearly_spent() {
    let crowded = account(1).with(window("5h", 0.1, false, 60));
    let seats: Vec<_> = (0..1_000).map(|_| crowded.load.seat()).collect();
    assert_eq!(picked(vec![crowded.clone(), account(2).with(window("5h", 0.95, false, 60))], &[]), Some(1));
    assert_eq!(picked(vec![crowded, account(2).with(window("5h", 0.3, false, 60))], &[]), Some(2));
    drop(seats);
}

#[test]
fn an_account_with_its_hands_full_is_passed_over_and_when_all_have_that_is_said() {
    let ration = Ration::of(std::num::NonZeroU32::new(1));
    let within = |id| Contender { load: Load::within(ration.clone()), ..account(id) };
    let snapshot = Snapshot::of([within(1), within(2).with_priority(1)]);
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
    open.account.spill = Some(crate::domain::Spill { all: Some(now()), only: [].into() });
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
    let build = || vec![under(account(1)), under(account(2)), account(3).with_priority(9)];
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
    mapped.account.models = ModelMap::new(pairs).unwrap();
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
            account(i64::try_from(index).unwrap()).with_priority(*priority).with(window("5h", *used, *spent, *reset))
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

/// Who takes an ask under this plan, and the model that goes up.
fn taken(
    ask: &Ask,
    contenders: Vec<Contender>,
    plan: Plan,
    set_aside: &[Aside],
) -> Option<(i64, Option<Arc<str>>)> {
    let snapshot = Snapshot { plan: Arc::new(plan), ..Snapshot::of(contenders) };
    match pick(ask, &snapshot, None, set_aside, now()) {
        Decision::Take(pick) => Some((pick.contender.account.id.0, pick.sent(ask).cloned())),
        Decision::Wait(_) => None,
    }
}

fn with_policy(policy: Policy) -> Plan {
    Plan { pools: vec![Pool { policy, ..Pool::main() }], ..Plan::default() }
}

fn opus() -> Ask {
    Ask { model: Some("claude-opus-5-5".into()), ..Ask::default() }
}

#[test]
fn each_policy_puts_another_one_first() {
    let day = 24 * 60;
    let build = || {
        let first = account(1).with(window("5h", 0.5, false, 200)).with(window("7d", 0.5, false, 6 * day));
        let emptiest = account(2).with(window("5h", 0.1, false, 200)).with(window("7d", 0.1, false, 6 * day));
        let ending = account(3).with(window("5h", 0.4, false, 200)).with(window("7d", 0.4, false, day));
        let unused = account(4).with(window("5h", 0.6, false, 200)).with(window("7d", 0.6, false, 6 * day));
        let ration = Ration::default();
        let all = [first, emptiest.with_priority(1), ending.with_priority(1), unused.with_priority(1)];
        let all = all.map(|one| Contender { load: Load::within(ration.clone()), ..one });
        for one in &all[..3] {
            drop(one.load.lease());
        }
        all.to_vec()
    };
    for (policy, id) in
        [(Policy::Priority, 1), (Policy::Headroom, 2), (Policy::SoonestReset, 3), (Policy::RoundRobin, 4)]
    {
        assert_eq!(taken(&opus(), build(), with_policy(policy), &[]), Some((id, None)), "{policy}");
    }
}

#[test]
fn a_better_account_is_used_again_as_soon_as_it_is_back() {
    let spent = |reset| account(1).with(window("5h", 1.0, true, reset));
    assert_eq!(picked(vec![spent(1), account(2).with_priority(1)], &[]), Some(2));
    assert_eq!(picked(vec![spent(0), account(2).with_priority(1)], &[]), Some(1));
}

#[test]
fn everybody_has_his_turn() {
    let ration = Ration::default();
    let all: Vec<_> =
        (1..=3).map(|id| Contender { load: Load::within(ration.clone()), ..account(id) }).collect();
    let snapshot = Snapshot { plan: Arc::new(with_policy(Policy::RoundRobin)), ..Snapshot::of(all) };
    let turns: Vec<_> = (0..7)
        .map(|_| match pick(&opus(), &snapshot, None, &[], now()) {
            Decision::Take(pick) => {
                drop(pick.contender.load.lease());
                pick.contender.account.id.0
            }
            Decision::Wait(wait) => panic!("{wait:?}"),
        })
        .collect();
    assert_eq!(turns, [1, 2, 3, 1, 2, 3, 1]);
}

#[test]
fn what_is_scarce_in_each_balances_plans_and_accounts_that_are_paid_by_use() {
    let plan = |used| {
        let mut plan = account(1).with(window("5h", used, false, 60)).with(window("7d", 0.2, false, 9_000));
        plan.account.spill = Some(crate::domain::Spill { all: Some(now()), only: [].into() });
        plan
    };
    let by_use = |used, spent: u64| {
        let caps = Caps { day: Budget { tokens: Some(1_000), money: None }, ..Caps::default() };
        let mut one = account(2).with(window("tokens", used, false, 1));
        one.account.guards = Some(Arc::new(Guards { caps, ..Guards::default() }));
        one.outlay =
            Outlay { at: now(), day: Spent { tokens: spent, ..Spent::default() }, ..Outlay::default() };
        one
    };
    let choose =
        |plan, by_use| taken(&opus(), vec![plan, by_use], with_policy(Policy::Headroom), &[]).unwrap().0;
    assert_eq!(choose(plan(0.6), by_use(0.1, 300)), 2, "60 % of the hours, 30 % of the cap");
    assert_eq!(choose(plan(0.6), by_use(0.1, 700)), 1, "60 % of the hours, 70 % of the cap");
    assert_eq!(choose(plan(0.6), by_use(0.9, 300)), 1, "60 % of the hours, 90 % of this minute");
}

#[test]
fn a_route_asks_the_same_account_for_another_model_before_it_gives_up() {
    let slot =
        |model: Option<&str>| Slot { target: Target::Account(AccountId(1)), model: model.map(Into::into) };
    let route = Route {
        id: RouteId(1),
        name: RouteName::new("down").unwrap(),
        enabled: true,
        models: RouteModels::Family(Family::Opus),
        slots: vec![slot(Some("claude-opus-5-5")), slot(Some("claude-haiku-5-5"))],
        falls_through: false,
        idle: None,
        created_at: now(),
    };
    let plan = || Plan { routes: vec![route.clone()], ..Plan::default() };
    assert_eq!(
        taken(&opus(), vec![account(1)], plan(), &[]),
        Some((1, None)),
        "the model that was asked for"
    );
    let haiku = Some((1, Some("claude-haiku-5-5".into())));
    let spent = account(1).with(window("7d_opus", 1.0, true, 60));
    assert_eq!(taken(&opus(), vec![spent], plan(), &[]), haiku);
    let failed = [Aside::asked_for(AccountId(1), None)];
    assert_eq!(taken(&opus(), vec![account(1)], plan(), &failed), haiku);
    assert_eq!(taken(&opus(), vec![account(1)], plan(), &[Aside::wholly(AccountId(1))]), None);
    let only = Plan { asked_model_only: true, ..plan() };
    assert_eq!(
        taken(&opus(), vec![account(1)], only, &failed),
        None,
        "refused rather than served another model"
    );
}

#[test]
fn an_account_that_translates_the_model_serves_it_unless_only_the_asked_one_may_be_served() {
    let mut translating = account(1);
    translating.account.models = ModelMap::new([("claude-opus-5-5".into(), "glm-5.2".into())]).unwrap();
    let glm = Some((1, Some("glm-5.2".into())));
    assert_eq!(taken(&opus(), vec![translating.clone()], Plan::default(), &[]), glm);
    let only = || Plan { asked_model_only: true, ..Plan::default() };
    let behind = account(2).with_priority(5);
    assert_eq!(taken(&opus(), vec![translating.clone(), behind], only(), &[]), Some((2, None)));
    assert_eq!(taken(&opus(), vec![translating], only(), &[]), None);
}

#[test]
fn who_is_known_not_to_take_it_is_never_asked_and_who_may_not_have_it_only_last() {
    let lacking = |id, lacks: Lacks| {
        let one = account(id);
        Contender { provider: Arc::new(Provider { lacks, ..Provider::clone(&one.provider) }), ..one }
    };
    let betas = Some(http::HeaderValue::from_static("context-1m-2025-08-07,effort-2025-11-24"));
    let ask = Ask { needs: Needs { images: true, tools: true, betas, ..Needs::default() }, ..opus() };
    for lacks in [
        Lacks { images: true, ..Lacks::default() },
        Lacks { tools: true, ..Lacks::default() },
        Lacks { betas: ["effort-".into()].into(), ..Lacks::default() },
    ] {
        assert_eq!(taken(&ask, vec![lacking(1, lacks.clone())], Plan::default(), &[]), None, "{lacks:?}");
        assert_eq!(taken(&opus(), vec![lacking(1, lacks)], Plan::default(), &[]), Some((1, None)));
    }
    let offering = |id, model: &str, context| {
        let told = Model::told(model, None, Some(context)).unwrap();
        Contender { offers: Some(Arc::new(Offers::new(&[], Some(&[told])))), ..account(id) }
    };
    let unlisted = offering(1, "claude-sonnet-5", 1_000_000);
    let listed = offering(2, "claude-opus-5-5", 1_000_000).with_priority(5);
    assert_eq!(taken(&opus(), vec![unlisted.clone(), listed.clone()], Plan::default(), &[]), Some((2, None)));
    assert_eq!(
        taken(&opus(), vec![unlisted, account(3).with_priority(9)], Plan::default(), &[]),
        Some((3, None))
    );
    let short = offering(1, "claude-opus-5-5", 200_000);
    let long = Ask { bytes: 2_000_000, ..opus() };
    assert_eq!(taken(&long, vec![short.clone(), listed], Plan::default(), &[]), Some((2, None)));
    assert_eq!(taken(&long, vec![short], Plan::default(), &[]), Some((1, None)), "its upstream says so best");
}

#[test]
fn an_account_that_is_spared_comes_last_and_one_that_is_kept_back_not_at_all() {
    let sparing = |then| {
        let days = Day::ALL.into_iter().collect();
        let time = |text| MinuteOfDay::new(text).unwrap();
        let peak = Peak { days, from: time("11:00"), to: time("13:00"), zone: None, then };
        let mut one = account(1);
        one.account.guards = Some(Arc::new(Guards { peaks: vec![peak], ..Guards::default() }));
        one
    };
    assert_eq!(picked(vec![sparing(Spare::Last), account(2).with_priority(9)], &[]), Some(2));
    assert_eq!(picked(vec![sparing(Spare::Last)], &[]), Some(1));
    assert_eq!(picked(vec![sparing(Spare::Unused)], &[]), None);
    let snapshot = Snapshot::of([sparing(Spare::Unused)]);
    let Decision::Wait(wait) = pick(&opus(), &snapshot, None, &[], now()) else { panic!("it is kept back") };
    assert_eq!(wait.until, Some(in_minutes(60)), "and who asks hears until when");
}

#[test]
fn another_pool_serves_only_what_is_bound_to_it() {
    let in_pool = |id, pool| {
        let mut one = account(id);
        one.account.pool = PoolId(pool);
        one
    };
    let plan = |strict| Plan {
        pools: vec![Pool::main(), Pool { id: PoolId(2), ..Pool::main() }],
        bindings: vec![Binding {
            id: BindingId(1),
            subject: Subject::Role(Role::Subagent),
            pool: PoolId(2),
            strict,
            created_at: now(),
        }],
        ..Plan::default()
    };
    let subagent = Ask { role: Some(Role::Subagent), ..opus() };
    let both = || vec![in_pool(1, 1), in_pool(2, 2)];
    assert_eq!(taken(&opus(), both(), plan(true), &[]), Some((1, None)));
    assert_eq!(taken(&subagent, both(), plan(true), &[]), Some((2, None)));
    assert_eq!(taken(&opus(), vec![in_pool(2, 2)], plan(true), &[]), None);
    assert_eq!(
        taken(&subagent, vec![in_pool(1, 1)], plan(false), &[]),
        Some((1, None)),
        "it may leave its pool"
    );
    assert_eq!(taken(&subagent, vec![in_pool(1, 1)], plan(true), &[]), None);
}

//! Chooses which account takes a request: lowest priority number first, then the one with most left in
//! its fullest window, then the least busy. Knows nothing of HTTP or disks, and is told the time.

use std::{cmp::Ordering, sync::Arc};

use jiff::Timestamp;

use super::{Allowed, Contender, Snapshot, standing_for};
use crate::domain::{AccountId, AccountName, Ask, Family, Standing, StandingState};

/// The outcome.
#[derive(Debug, Clone)]
pub enum Decision {
    /// This account takes it.
    Take(Arc<Contender>),
    /// None can.
    Wait(Wait),
}

/// Why no account can take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// When the first one is expected back; `None` if none comes back by itself.
    pub until: Option<Timestamp>,
    /// One could take it but for the requests that it serves already.
    pub is_busy: bool,
    /// Every account with its reason.
    pub why: Vec<PassedOver>,
}

/// An account that could not take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Who.
    pub account: AccountName,
    /// What stood in the way; ready means that it had already failed this very request, or has a reason
    /// that lies in the request and not in the account.
    pub standing: Standing,
}

/// A window that nobody has told us about counts as half used: neither empty nor full.
const UNKNOWN: f64 = 0.5;

/// Decides for one ask. `set_aside` are the accounts that have already failed it.
pub fn pick(ask: &Ask, snapshot: &Snapshot, set_aside: &[AccountId], now: Timestamp) -> Decision {
    let (family, allowed) = (ask.family(), Allowed::to(ask, snapshot));
    let ready = || {
        snapshot
            .0
            .iter()
            .filter(|contender| !set_aside.contains(&contender.account.id) && allowed.lets(contender))
            .filter(|contender| standing_for(contender, family, now).state == StandingState::Ready)
    };
    let best =
        ready().filter(|contender| contender.load.has_room()).min_by(|a, b| compare(a, b, family, now));
    match best {
        Some(contender) => Decision::Take(Arc::clone(contender)),
        None => Decision::Wait(wait(ask, snapshot, allowed, ready().next().is_some(), now)),
    }
}

/// Whom to ask although its window is spent, rather than to refuse a request whose sign-in nobody else may
/// serve: the upstream's own answer costs nothing, has the true limits in it, and knows of extra usage that was
/// allowed meanwhile. Not who was paused, nor who asked for a pause: that is believed.
pub fn last_resort(
    ask: &Ask,
    snapshot: &Snapshot,
    set_aside: &[AccountId],
    now: Timestamp,
) -> Option<Arc<Contender>> {
    let allowed = Allowed::to(ask, snapshot);
    if !allowed.is_for_logins_alone() {
        return None;
    }
    let is_benched = |one: &Contender| one.account.bench.as_ref().is_some_and(|bench| bench.until > now);
    let could = |one: &&Arc<Contender>| {
        !set_aside.contains(&one.account.id)
            && allowed.lets(one)
            && one.account.pause.is_none()
            && !is_benched(one)
            && one.load.has_room()
    };
    snapshot.0.iter().filter(could).min_by(|a, b| compare(a, b, ask.family(), now)).cloned()
}

fn compare(a: &Contender, b: &Contender, family: Option<Family>, now: Timestamp) -> Ordering {
    let used = |contender: &Contender| binding_utilization(contender, family, now).unwrap_or(UNKNOWN);
    a.account
        .priority
        .cmp(&b.account.priority)
        .then_with(|| used(a).total_cmp(&used(b)))
        .then_with(|| a.load.count().cmp(&b.load.count()))
        .then_with(|| a.account.id.cmp(&b.account.id))
}

/// The fullest of the windows that apply; `None` if none is known.
fn binding_utilization(contender: &Contender, family: Option<Family>, now: Timestamp) -> Option<f64> {
    contender
        .windows
        .iter()
        .filter(|window| window.applies_to(family))
        .filter_map(|window| window.utilization_at(now))
        .max_by(f64::total_cmp)
}

fn wait(ask: &Ask, snapshot: &Snapshot, allowed: Allowed<'_>, is_busy: bool, now: Timestamp) -> Wait {
    let why: Vec<PassedOver> = snapshot
        .0
        .iter()
        .map(|contender| PassedOver {
            account: contender.account.name.clone(),
            standing: match allowed.why_not(contender) {
                None => standing_for(contender, ask.family(), now),
                reason => Standing { reason, ..Standing::READY },
            },
        })
        .collect();
    Wait { until: why.iter().filter_map(|passed| passed.standing.until).min(), is_busy, why }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Account, Credential, Provider, ProviderId, Window, WindowName, WindowSource};
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
            utilization: Some(used),
            resets_at: Some(in_minutes(reset_minutes)),
            spent,
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
            verdicts: "anthropic".into(),
        };
        let account = Account {
            id: AccountId(id),
            name: AccountName::new(&format!("account {id}")).unwrap(),
            provider: provider.id.clone(),
            base_url: None,
            priority: 0,
            pause: None,
            bench: None,
            refused: None,
            models: crate::domain::ModelMap::default(),
            spill: None,
            created_at: now(),
        };
        Contender {
            account,
            provider: Arc::new(provider),
            windows: Vec::new(),
            load: super::super::Load::default(),
        }
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
        let snapshot = Snapshot(contenders.into_iter().map(Arc::new).collect());
        let set_aside: Vec<AccountId> = set_aside.iter().copied().map(AccountId).collect();
        match pick(&Ask::default(), &snapshot, &set_aside, now()) {
            Decision::Take(contender) => Some(contender.account.id.0),
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
        let ration = crate::routing::Ration { most: std::num::NonZeroU32::new(1), ..Default::default() };
        let within = |id| Contender { load: crate::routing::Load::within(ration.clone()), ..account(id) };
        let snapshot = Snapshot(vec![Arc::new(within(1)), Arc::new(within(2).priority(1))]);
        let decide = || pick(&Ask::default(), &snapshot, &[], now());
        let first = snapshot.0[0].load.lease();
        assert!(matches!(decide(), Decision::Take(taken) if taken.account.id == AccountId(2)));
        let second = snapshot.0[1].load.lease();
        assert!(matches!(decide(), Decision::Wait(wait) if wait.is_busy));
        assert!(snapshot.0[1].load.lease().is_none(), "nobody gets a place that is not there");
        drop((first, second));
        assert!(matches!(decide(), Decision::Take(taken) if taken.account.id == AccountId(1)));
    }

    #[test]
    fn nobody_is_asked_twice_and_the_wait_names_everyone() {
        let spent = account(1).with(window("5h", 1.0, true, 38));
        let snapshot = Snapshot(vec![Arc::new(spent), Arc::new(account(2))]);
        let Decision::Wait(wait) = pick(&Ask::default(), &snapshot, &[AccountId(2)], now()) else {
            panic!("both are out")
        };
        assert_eq!(wait.until, Some(in_minutes(38)));
        assert_eq!(wait.why.len(), 2);
    }

    #[test]
    fn only_the_accounts_that_the_key_allows_are_asked_and_the_others_are_passed_over_with_a_reason() {
        let resting = account(2).with(window("5h", 1.0, true, 38));
        let snapshot = Snapshot(vec![Arc::new(account(1)), Arc::new(resting), Arc::new(account(3))]);
        let decide = |only: &[i64]| {
            let only = only.iter().copied().map(AccountId).collect();
            pick(&Ask { only: Some(only), ..Ask::default() }, &snapshot, &[], now())
        };
        assert!(matches!(decide(&[2, 3]), Decision::Take(taken) if taken.account.id == AccountId(3)));
        let Decision::Wait(wait) = decide(&[2]) else { panic!("the only one rests") };
        assert_eq!(wait.until, Some(in_minutes(38)));
        let reasons: Vec<_> =
            wait.why.iter().map(|passed| passed.standing.reason.as_deref().unwrap()).collect();
        assert!(reasons[0].contains("key") && reasons[1].contains("5h") && reasons[2].contains("key"));
        let Decision::Wait(wait) = decide(&[]) else { panic!("nobody is allowed") };
        assert_eq!((wait.until, wait.why.len()), (None, 3));
    }

    #[test]
    fn a_sign_in_whose_window_is_spent_is_asked_only_where_nobody_else_may_serve() {
        let ask = Ask { login: true, ..Ask::default() };
        let decide = |mine: Contender| {
            let snapshot = Snapshot(vec![Arc::new(mine), Arc::new(account(2))]);
            assert!(
                !matches!(pick(&ask, &snapshot, &[], now()), Decision::Take(taken) if taken.account.id.0 == 1)
            );
            last_resort(&ask, &snapshot, &[], now()).is_some()
        };
        let spent = || login_account(1).with(window("5h", 1.0, true, 38));
        assert!(decide(spent()));
        let mut open = spent();
        open.account.spill =
            Some(crate::domain::Spill { to: crate::domain::SpillTo::All, allowed_at: now() });
        assert!(!decide(open), "account 2 may serve");
        let mut benched = spent();
        benched.account.bench =
            Some(crate::domain::Bench { until: in_minutes(1), reason: "asked".into(), streak: 1 });
        assert!(!decide(benched), "a pause that was asked for is believed");
        let mut paused = spent();
        let by = crate::domain::PausedBy::User;
        paused.account.pause = Some(crate::domain::Pause { reason: "".into(), by, at: now() });
        assert!(!decide(paused));
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
}

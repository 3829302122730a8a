//! Which profile to start: the one whose sign-in `pick` would choose, were each of them an account. So what is spent
//! comes last, what is unknown counts as half used, and what would expire goes first where the pool says so.

use std::sync::Arc;

use jiff::Timestamp;

use super::Known;
use crate::{
    domain::{AccountId, Ask, Policy, Pool, ProfileId},
    routing::{Contender, Decision, Load, Plan, Snapshot, pick},
};

/// The choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// This one can be asked now.
    Ready(ProfileId),
    /// All are spent or rest; this one is back first, then if that is known.
    Back(ProfileId, Option<Timestamp>),
    /// There is no profile.
    Nobody,
}

/// Chooses among the profiles. `account` is the one that passes their sign-ins on, `plan`
/// the one that it is in.
pub fn best(profiles: &[Known], account: &Contender, plan: &Plan, now: Timestamp) -> Best {
    // What is kept in order by a person is the accounts; of profiles nobody has said which comes first.
    let policy = match plan.pool(plan.pool_of(account)).map(|pool| pool.policy) {
        Some(Policy::SoonestReset) => Policy::SoonestReset,
        _ => Policy::Headroom,
    };
    let as_account = |known: &Known| {
        let mut contender = account.clone();
        contender.account.id = AccountId(known.profile.id.0);
        contender.account.pool = crate::domain::PoolId::MAIN;
        contender.account.pause = None;
        contender.account.bench.clone_from(&known.bench);
        contender.windows.clone_from(&known.windows);
        contender.load = Load::default();
        contender
    };
    let plan =
        Plan { pools: vec![Pool { policy, ..Pool::main() }], zones: plan.zones.clone(), ..Plan::default() };
    let snapshot = Snapshot { plan: Arc::new(plan), ..Snapshot::of(profiles.iter().map(as_account)) };
    let ask = Ask { login: true, ..Ask::default() };
    let wait = match pick(&ask, &snapshot, None, &[], now) {
        Decision::Take(pick) => return Best::Ready(ProfileId(pick.contender.account.id.0)),
        Decision::Wait(wait) => wait,
    };
    let until = |contender: &Arc<Contender>| {
        crate::routing::standing_for(contender, ask.need(), now).until.unwrap_or(Timestamp::MAX)
    };
    let first = snapshot.contenders.iter().min_by_key(|one| until(one));
    first.map_or(Best::Nobody, |one| Best::Back(ProfileId(one.account.id.0), wait.until))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::{
        domain::{
            Account, AccountName, Credential, Day, Guards, Lacks, MinuteOfDay, Peak, Profile, ProfileName,
            Provider, ProviderId, Spare, ZoneName,
        },
        routing::Zones,
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// An account that passes sign-ins on, and takes none at these hours of Tokyo.
    fn account(from: &str, to: &str) -> Contender {
        let provider = Provider {
            id: ProviderId("test".into()),
            title: String::new(),
            about: String::new(),
            base_url: None,
            credential: Credential::Client,
            says: [].into(),
            counts_tokens: true,
            models: [].into(),
            paid: None,
            lacks: Lacks::default(),
            verdicts: "anthropic".into(),
        };
        let peak = Peak {
            days: Day::ALL.into_iter().collect(),
            from: MinuteOfDay::new(from).unwrap(),
            to: MinuteOfDay::new(to).unwrap(),
            zone: Some(ZoneName::new("Asia/Tokyo").unwrap()),
            then: Spare::Unused,
        };
        let (name, added) = (AccountName::new("mine").unwrap(), at("2026-11-23T00:00:00Z"));
        let account = Account {
            guards: Some(Arc::new(Guards { peaks: vec![peak], ..Guards::default() })),
            ..Account::new(AccountId(1), name, provider.id.clone(), added)
        };
        Contender::new(account, Arc::new(provider), Load::default())
    }

    #[test]
    fn the_hours_in_which_a_sign_in_is_not_used_were_read_on_another_clock() {
        let profile = Profile {
            id: ProfileId(1),
            name: ProfileName::new("work").unwrap(),
            folder: "/work".into(),
            is_ours: true,
            created_at: at("2026-11-23T00:00:00Z"),
        };
        let profiles = [Known { profile, windows: Vec::new(), bench: None, seen_at: None }];
        let tokyo = (ZoneName::new("Asia/Tokyo").unwrap(), TimeZone::fixed(jiff::tz::offset(9)));
        let plan = Plan { zones: Zones { named: vec![tokyo], ..Zones::default() }, ..Plan::default() };
        let account = account("09:00", "12:00");
        let best_at = |moment| best(&profiles, &account, &plan, at(moment));
        let back = Best::Back(ProfileId(1), Some(at("2026-11-23T03:00:00Z")));
        assert_eq!(best_at("2026-11-23T01:00:00Z"), back, "it is ten o'clock there");
        assert_eq!(best_at("2026-11-23T10:00:00Z"), Best::Ready(ProfileId(1)), "and now it is evening");
    }
}

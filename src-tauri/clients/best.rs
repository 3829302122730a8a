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

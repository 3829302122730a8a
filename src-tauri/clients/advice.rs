//! Which profile to start now, and why, in words. [`best`] judges; what is said of its judgement, and whose sign-ins
//! count at all, is said here. Knows no door.

use jiff::Timestamp;

use super::{Best, Known, best};
use crate::routing::Snapshot;

/// The profile to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    pub profile: Known,
    /// Why this one, as a sentence.
    pub why: String,
    /// Its sign-in can be asked now; otherwise every one is spent, and this one is back first.
    pub is_ready: bool,
}

/// Why none is named; each is a sentence with a next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAdvice {
    #[error("there is no profile; make one with `headgate profiles add NAME`")]
    NoProfile,
    #[error(
        "no account passes Claude Code's own sign-ins on, so no profile's limits are known; add one with \
         `headgate accounts add NAME --provider claude-login`"
    )]
    NobodyPasses,
}

/// Those that can be started at all. Where the folders of all are gone, all of them: then whoever is told one hears
/// what is wrong with it.
pub fn startable(profiles: Vec<Known>) -> Vec<Known> {
    let (there, gone): (Vec<_>, Vec<_>) =
        profiles.into_iter().partition(|known| known.profile.folder.is_dir());
    if there.is_empty() { gone } else { there }
}

/// Names the profile to start, by the judgement that chooses accounts.
///
/// # Errors
/// [`NoAdvice`]
pub fn advise(profiles: &[Known], snapshot: &Snapshot, now: Timestamp) -> Result<Advice, NoAdvice> {
    let first = profiles.first().ok_or(NoAdvice::NoProfile)?;
    let passing = snapshot.contenders.iter().filter(|one| one.provider.passes_logins());
    let account = passing.min_by_key(|one| (one.account.priority, one.account.id));
    let account = account.ok_or(NoAdvice::NobodyPasses)?;
    let (id, is_ready, until) = match best(profiles, account, &snapshot.plan, now) {
        Best::Ready(id) => (id, true, None),
        Best::Back(id, until) => (id, false, until),
        Best::Nobody => (first.profile.id, false, None),
    };
    let profile = profiles.iter().find(|known| known.profile.id == id).unwrap_or(first);
    let why = if is_ready { room(profile, profiles.len(), now) } else { spent(until) };
    Ok(Advice { profile: profile.clone(), why, is_ready })
}

fn room(known: &Known, of: usize, now: Timestamp) -> String {
    let told = known.windows.iter().filter(|window| window.limits.is_some());
    let shares = told.filter_map(|window| Some((window.utilization_at(now)?, &window.name.0)));
    match shares.max_by(|a, b| a.0.total_cmp(&b.0)) {
        _ if of == 1 => "it is the only one".into(),
        Some((share, name)) => format!("{:.0} % of its {name} window is used", share * 100.0),
        None => "nothing is known of its limits yet, which counts as half used".into(),
    }
}

fn spent(until: Option<Timestamp>) -> String {
    match until {
        Some(until) => format!("no profile can be asked now, and this one is back first, at {until:.0}"),
        None => "no profile can be asked now, and nobody has said until when".into(),
    }
}

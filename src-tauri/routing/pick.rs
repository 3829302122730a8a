//! Chooses which account takes a request: the first that can by the order of its course and the policy there,
//! unless its conversation is better off where it is. Knows nothing of HTTP or disks, and is told the time.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Aside, Bound, Contender, Snapshot,
    case::{Case, Obstacle, sent},
    contenders::Glance,
    explain::wait,
    plan::course::Place,
    rank::weigh::{self, Tie},
    rank::{Doubt, Rank},
};
use crate::domain::{AccountId, AccountName, Ask, Choice, Family, Need, Prevented, Standing, Weighed};

/// The outcome.
#[derive(Debug, Clone)]
pub enum Decision {
    /// This account takes it.
    Take(Pick),
    /// None can.
    Wait(Wait),
}

/// An account that takes a request.
#[derive(Debug, Clone)]
pub struct Pick {
    /// Who.
    pub contender: Arc<Contender>,
    /// The model that it is to be asked for instead of the one that the client named.
    pub model: Option<Arc<str>>,
    /// In a few words; `explain` has the others.
    pub why: Why,
}

impl Pick {
    /// The model that goes up in place of the one that was asked for; `None` where that one does.
    pub fn sent<'a>(&'a self, ask: &'a Ask) -> Option<&'a Arc<str>> {
        sent(ask, &self.contender, self.model.as_ref())
    }

    /// What the limits of what goes up are stated for.
    pub fn need(&self, ask: &Ask) -> Need {
        let family = self.sent(ask).map_or_else(|| ask.family(), |model| Family::of(model));
        Need { family, endpoint: ask.endpoint }
    }

    /// For the list of those that are not asked again, once it has failed.
    pub fn aside(&self) -> Aside {
        Aside::asked_for(self.contender.account.id, self.model.clone())
    }
}

/// Why an account was chosen: as much as costs nothing to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Why {
    /// What made the difference.
    pub choice: Choice,
    /// The slot of the route that led to it.
    pub slot: Option<u8>,
    /// Its conversation is bound to it from now on, if it serves.
    pub binds: bool,
    /// The move that was weighed, if there was one.
    pub weighed: Option<Weighed>,
    /// What was kept from costing money.
    pub prevented: Option<Prevented>,
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
    /// What else stands in the way: settings that contradict or point at nothing. Sentences.
    pub notes: Vec<Arc<str>>,
    /// What was kept from costing money.
    pub prevented: Option<Prevented>,
}

/// An account that could not take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Who.
    pub account: AccountName,
    /// What stood in the way; ready means that it had already failed this very request, or has a reason
    /// that lies in the request and not in the account.
    pub standing: Standing,
    /// Whether it was signed in to, rather than given a key.
    pub is_signed_in: bool,
}

/// Decides for one ask. `bound` is where its conversation is bound to, and `set_aside` are the accounts that have
/// already failed it.
pub fn pick(
    ask: &Ask,
    snapshot: &Snapshot,
    bound: Option<&Bound>,
    set_aside: &[Aside],
    now: Timestamp,
) -> Decision {
    let case = Case::of(ask, snapshot, set_aside, now);
    let survey = Survey::of(&case, bound);
    match survey.choose(&case) {
        Some((stand, why)) => Decision::Take(stand.pick(why)),
        None => Decision::Wait(wait(&case, survey.prevented(&case, None))),
    }
}

/// Whom to ask although its window is spent, rather than to refuse a request whose sign-in nobody else may
/// serve: the upstream's own answer costs nothing, has the true limits in it, and knows of extra usage that was
/// allowed meanwhile. Not who was paused or is kept back by a guard, nor who asked for a pause: that is believed.
pub fn last_resort(ask: &Ask, snapshot: &Snapshot, set_aside: &[Aside], now: Timestamp) -> Option<Pick> {
    let case = Case::of(ask, snapshot, set_aside, now);
    if !case.allowed.is_for_logins_alone() {
        return None;
    }
    let mut best: Option<Stand<'_>> = None;
    for_each_place(&case, |contender, glance, place| {
        if case.obstacle_but_windows(contender, place).is_none() {
            let rank = case.rank(contender, glance, place);
            best = Some(Stand { contender, glance, place: *place, rank }.or_better(best));
        }
    });
    let best = best?;
    let why = Why {
        choice: Choice::LastResort,
        slot: best.place.slot,
        binds: false,
        weighed: None,
        prevented: Survey::of(&case, None).prevented(&case, None),
    };
    Some(best.pick(why))
}

/// Visits every account at every place of the course at which it stands.
#[inline]
pub(super) fn for_each_place<'a>(
    case: &Case<'a>,
    mut visit: impl FnMut(&'a Arc<Contender>, &'a Glance, &Place<'a>),
) {
    for (contender, glance) in case.snapshot.contenders.each() {
        case.course.visit(glance.id, glance.pool, |place| visit(contender, glance, place));
    }
}

/// An account at a place where it could take the request.
#[derive(Clone, Copy)]
pub(super) struct Stand<'a> {
    pub contender: &'a Arc<Contender>,
    pub glance: &'a Glance,
    pub place: Place<'a>,
    pub rank: Rank,
}

impl Stand<'_> {
    pub fn id(&self) -> AccountId {
        self.contender.account.id
    }

    fn pick(&self, why: Why) -> Pick {
        Pick { contender: Arc::clone(self.contender), model: self.place.model.cloned(), why }
    }

    fn or_better(self, other: Option<Self>) -> Self {
        other.filter(|other| other.rank < self.rank).unwrap_or(self)
    }
}

/// What one look at all accounts finds.
pub(super) struct Survey<'a> {
    bound: Option<Bound>,
    /// First by the policy.
    best: Option<Stand<'a>>,
    /// The account that the conversation is bound to.
    home: Option<Stand<'a>>,
    /// The one that it went to while that one could not take it.
    refuge: Option<Stand<'a>>,
    /// First by the policy among those that are kept from it as they might cost money.
    kept_out: Option<Stand<'a>>,
}

impl<'a> Survey<'a> {
    pub fn of(case: &Case<'a>, bound: Option<&Bound>) -> Self {
        // An account that is gone binds nobody.
        let bound = bound.copied().filter(|bound| case.snapshot.get(bound.account).is_some());
        let refuge = bound.and_then(|bound| bound.refuge).map(|refuge| refuge.account);
        let mut survey = Self { bound, best: None, home: None, refuge: None, kept_out: None };
        for_each_place(case, |contender, glance, place| {
            let id = glance.id;
            let is_home = bound.is_some_and(|bound| bound.account == id);
            let is_refuge = refuge == Some(id);
            // Whoever comes after the best is not looked at any closer, but for those that know the conversation.
            let best = survey.best.as_ref().map(|best| &best.rank).filter(|_| !is_home && !is_refuge);
            let Some(rank) = case.rank_unless_after(best, contender, glance, place) else { return };
            let stand = Stand { contender, glance, place: *place, rank };
            match case.obstacle(contender, place) {
                None => {
                    survey.best = Some(stand.or_better(survey.best));
                    if is_home {
                        survey.home = Some(stand.or_better(survey.home));
                    } else if is_refuge {
                        survey.refuge = Some(stand.or_better(survey.refuge));
                    }
                }
                Some(Obstacle::Costs) => {
                    if case.obstacle_beyond_terms(contender, place).is_none() {
                        survey.kept_out = Some(stand.or_better(survey.kept_out));
                    }
                }
                Some(_) => {}
            }
        });
        survey
    }

    /// Who takes it; `None` if nobody can.
    pub fn choose(&self, case: &Case<'a>) -> Option<(Stand<'a>, Why)> {
        let best = self.best?;
        let (stand, choice, binds, weighed) = match self.bound {
            None => (best, Choice::Policy, case.ask.session.is_some(), None),
            Some(bound) => {
                // Whoever stands back for a moment can't take it now, and keeps the conversation.
                let is_here = |stand: &Stand<'_>| {
                    stand.rank.doubt != Doubt::Hindered || best.rank.doubt == Doubt::Hindered
                };
                let (home, refuge) = (self.home.filter(is_here), self.refuge.filter(is_here));
                let tie = Tie { bound, home, refuge };
                weigh::settle(case, &tie, best)
            }
        };
        // What stays where it is would not have gone there either.
        let stays = matches!(choice, Choice::Bound | Choice::Kept);
        let prevented = if stays { None } else { self.prevented(case, Some(best.rank)) };
        let why = Why { choice, slot: stand.place.slot, binds, weighed, prevented };
        Some((stand, why))
    }

    /// What would have cost money, had it not been kept out: it goes before the best of the others.
    pub fn prevented(&self, case: &Case<'_>, best: Option<Rank>) -> Option<Prevented> {
        let kept_out = self.kept_out.filter(|kept_out| best.is_none_or(|best| kept_out.rank < best))?;
        let plan = || Some(case.left_plan(kept_out.contender, &kept_out.place)?.account.id);
        Some(Prevented { from: case.allowed.home().or_else(plan)?, to: kept_out.id() })
    }
}

#[cfg(test)]
pub(super) mod tests;

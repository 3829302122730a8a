//! One request before one snapshot: whatever is the same for all accounts is found once, and then each is
//! judged by itself. `pick` and `explain` both ask here, so that they can't disagree.

use std::{cell::OnceCell, sync::Arc};

use jiff::Timestamp;

use super::{
    Allowed, Aside, Contender, Snapshot,
    contenders::Glance,
    plan::course::{Course, Place},
    plan::offers::{Offer, Sought},
    rank::{Doubt, Rank, dial::nanos},
    standing::guarded,
    standing::health,
    standing_for,
};
use crate::domain::{Ask, Endpoint, Family, Need, Paid, Policy, StandingState, Target};

/// See the file.
pub(super) struct Case<'a> {
    pub ask: &'a Ask,
    pub snapshot: &'a Snapshot,
    pub allowed: Allowed<'a>,
    pub course: Course<'a>,
    pub set_aside: &'a [Aside],
    pub now: Timestamp,
    /// The same, as dials know it.
    pub moment: i64,
    family: Option<Family>,
    sought: Option<Sought>,
    /// It needs something that an upstream might be known to lack.
    is_needy: bool,
    /// Found when somebody asks.
    plans: OnceCell<Vec<Plan<'a>>>,
}

/// An account whose use a plan includes and that might serve it, with its first place. The one that stands first by what
/// a person has set comes first. Also one that rests or is paused: neither is a leave to pay.
type Plan<'a> = (u8, &'a Contender);

/// What keeps an account from taking a request at one place, in a word. `explain` has the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It has already failed it, or can't be asked for this.
    Aside,
    /// Its terms do not allow it: its key, or its sign-in.
    Terms,
    /// It would cost money, and nobody has allowed that path.
    Costs,
    /// It would be served another model than was asked for.
    AnotherModel,
    /// Its upstream does not take it.
    Lack(Lack),
    /// It is not ready.
    Standing,
    /// A guard keeps it back.
    KeptBack,
    /// It serves as many requests as it may.
    Full,
}

/// What an upstream does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    Images,
    Tools,
    Beta,
}

/// The model that goes up in place of the one that was asked for, because of a slot or of the account's own map;
/// `None` where that one does.
#[inline]
pub(super) fn sent<'c>(
    ask: &Ask,
    contender: &'c Contender,
    instead: Option<&'c Arc<str>>,
) -> Option<&'c Arc<str>> {
    let model = instead.map(AsRef::as_ref).or(ask.model.as_deref())?;
    let models = &contender.account.models;
    let mapped = if models.is_empty() { None } else { models.sent(model) };
    // A map may undo what a slot did.
    mapped.or(instead).filter(|sent| Some(sent.as_ref()) != ask.model.as_deref())
}

impl<'a> Case<'a> {
    pub fn of(ask: &'a Ask, snapshot: &'a Snapshot, set_aside: &'a [Aside], now: Timestamp) -> Self {
        let needs = &ask.needs;
        Self {
            ask,
            snapshot,
            allowed: Allowed::to(ask, snapshot),
            course: Course::of(ask, &snapshot.plan),
            set_aside,
            now,
            moment: nanos(now),
            family: ask.family(),
            sought: ask.model.as_deref().map(Sought::of),
            is_needy: needs.images || needs.tools || needs.betas.is_some(),
            plans: OnceCell::new(),
        }
    }

    /// What keeps this account from taking it at this place; `None` if it could.
    pub fn obstacle(&self, contender: &Contender, place: &Place<'_>) -> Option<Obstacle> {
        self.obstacle_at_hand(contender, place).or_else(|| self.obstacle_beyond_terms(contender, place))
    }

    /// What keeps it from that, whatever its key, its sign-in and the paths to money are.
    pub fn obstacle_beyond_terms(&self, contender: &Contender, place: &Place<'_>) -> Option<Obstacle> {
        let is_ready =
            |family| standing_for(contender, self.need(family), self.now).state == StandingState::Ready;
        self.obstacle_where(contender, place, is_ready)
    }

    /// What keeps it from that, although its windows may be spent: not who was paused, nor who asked for a pause.
    pub fn obstacle_but_windows(&self, contender: &Contender, place: &Place<'_>) -> Option<Obstacle> {
        let is_benched = || contender.account.bench.as_ref().is_some_and(|bench| bench.holds(self.now));
        let is_ready = |_| contender.account.pause.is_none() && !is_benched();
        self.obstacle_at_hand(contender, place).or_else(|| self.obstacle_where(contender, place, is_ready))
    }

    fn obstacle_at_hand(&self, contender: &Contender, place: &Place<'_>) -> Option<Obstacle> {
        if self.allowed.is_path_closed(contender) || self.left_plan(contender, place).is_some() {
            return Some(Obstacle::Costs);
        }
        if !self.allowed.lets(contender) {
            return Some(Obstacle::Terms);
        }
        let is_aside = self.set_aside.iter().any(|aside| aside.is(contender, place.model));
        is_aside.then_some(Obstacle::Aside)
    }

    /// The account of a plan that it would leave for this one, which is paid by use, although nobody has allowed that:
    /// neither by a path out of each plan that might serve it, nor by an order that puts this one before all of them,
    /// nor by a slot that names it.
    pub fn left_plan(&self, contender: &Contender, place: &Place<'_>) -> Option<&'a Contender> {
        // Nobody pays for a count.
        if self.ask.endpoint == Endpoint::Counts || contender.paid() != Some(Paid::Use) {
            return None;
        }
        let id = contender.account.id;
        let slot = place.slot.and_then(|slot| self.course.slots.get(usize::from(slot)));
        if slot.is_some_and(|slot| slot.target == Target::Account(id)) {
            return None;
        }
        let (stage, first) = *self.plans().first()?;
        let goes_first = place.stage < stage
            || place.stage == stage
                && place.policy == Policy::Priority
                && contender.account.priority < first.account.priority;
        if goes_first || !self.allowed.lets(contender) {
            return None;
        }
        let is_open = |plan: &Contender| plan.account.spill.as_ref().is_some_and(|spill| spill.reaches(id));
        self.plans().iter().map(|(_, plan)| *plan).find(|plan| !is_open(plan))
    }

    fn plans(&self) -> &[Plan<'a>] {
        let stage = |contender: &Contender| {
            let might =
                |place: &Place<'_>| self.unfit(contender, self.sent(contender, place.model)).is_none();
            self.course.places(contender).iter().filter(|place| might(place)).map(|place| place.stage).min()
        };
        self.plans.get_or_init(|| {
            let all = self.snapshot.contenders.each();
            let plans = all.filter(|(contender, glance)| {
                glance.paid == Some(Paid::Plan) && self.allowed.lets(contender)
            });
            let mut plans: Vec<Plan<'a>> =
                plans.filter_map(|(contender, _)| Some((stage(contender)?, &**contender))).collect();
            plans.sort_by_key(|(stage, plan)| (*stage, plan.account.priority, plan.account.id));
            plans
        })
    }

    /// What keeps it from being asked for this model, or for this request, at any time.
    fn unfit(&self, contender: &Contender, sent: Option<&Arc<str>>) -> Option<Obstacle> {
        if sent.is_some() && self.snapshot.plan.asked_model_only {
            return Some(Obstacle::AnotherModel);
        }
        self.is_needy.then(|| self.lack(contender)).flatten().map(Obstacle::Lack)
    }

    fn obstacle_where(
        &self,
        contender: &Contender,
        place: &Place<'_>,
        is_ready: impl Fn(Option<Family>) -> bool,
    ) -> Option<Obstacle> {
        let sent = self.sent(contender, place.model);
        if let Some(unfit) = self.unfit(contender, sent) {
            return Some(unfit);
        }
        let family = self.family(sent);
        match () {
            () if !is_ready(family) => Some(Obstacle::Standing),
            () if guarded::kept_back(contender, family, &self.snapshot.plan.zones, self.now).is_some() => {
                Some(Obstacle::KeptBack)
            }
            () if !contender.load.has_room() => Some(Obstacle::Full),
            () => None,
        }
    }

    /// Where it stands in the order, if it can.
    pub fn rank(&self, contender: &Contender, glance: &Glance, place: &Place<'_>) -> Rank {
        self.rank_unless_after(None, contender, glance, place).expect("it comes after nobody")
    }

    /// The same; `None` if that is found to be after the best one, which costs less.
    #[inline]
    pub fn rank_unless_after(
        &self,
        best: Option<&Rank>,
        contender: &Contender,
        glance: &Glance,
        place: &Place<'_>,
    ) -> Option<Rank> {
        let is_plain = glance.is_plain && place.model.is_none();
        let (family, doubt) = if is_plain { (self.family, Doubt::None) } else { self.look(contender, place) };
        let is_before = |rank: &Rank| best.is_none_or(|best| rank < best);
        let rank =
            Rank::unless_after(best, self, contender, glance, place, family, doubt).filter(is_before)?;
        // What hinders it makes it come later, and never earlier: most need not be asked.
        Some(self.hinder(contender, family, rank)).filter(is_before)
    }

    #[inline]
    fn look(&self, contender: &Contender, place: &Place<'_>) -> (Option<Family>, Doubt) {
        let sent = self.sent(contender, place.model);
        (self.family(sent), self.doubt(contender, sent))
    }

    fn hinder(&self, contender: &Contender, family: Option<Family>, rank: Rank) -> Rank {
        let is_hindered = || health::hindrance(contender, self.need(family), self.now).is_some();
        if rank.doubt < Doubt::Hindered && is_hindered() { rank.with(Doubt::Hindered) } else { rank }
    }

    /// See [`sent`].
    pub fn sent<'c>(&self, contender: &'c Contender, instead: Option<&'c Arc<str>>) -> Option<&'c Arc<str>> {
        sent(self.ask, contender, instead)
    }

    /// The family whose limits apply to what is sent.
    pub fn family(&self, sent: Option<&Arc<str>>) -> Option<Family> {
        sent.map_or(self.family, |model| Family::of(model))
    }

    /// The family whose limits apply to what this account would be sent at this place.
    pub fn family_at(&self, contender: &Contender, place: &Place<'_>) -> Option<Family> {
        self.family(self.sent(contender, place.model))
    }

    /// What its limits are stated for, where a model of this family goes up.
    pub fn need(&self, family: Option<Family>) -> Need {
        Need { family, endpoint: self.ask.endpoint }
    }

    /// What of it its provider or the account itself does not take.
    fn lack(&self, contender: &Contender) -> Option<Lack> {
        let needs = &self.ask.needs;
        let all = [&contender.provider.lacks, &contender.account.lacks];
        let lacks_beta = || {
            let is_lacking = |beta: &str| all.iter().any(|lacks| lacks.beta(beta));
            all.iter().any(|lacks| !lacks.betas.is_empty()) && needs.betas().any(is_lacking)
        };
        match () {
            () if needs.images && all.iter().any(|lacks| lacks.images) => Some(Lack::Images),
            () if needs.tools && all.iter().any(|lacks| lacks.tools) => Some(Lack::Tools),
            () if lacks_beta() => Some(Lack::Beta),
            () => None,
        }
    }

    /// What lets others of its place go first. Lists have gaps, and a length is mostly a guess: an account that
    /// they speak against is asked after the others, and not refused, for the upstream's own word is truer.
    #[inline]
    fn doubt(&self, contender: &Contender, sent: Option<&Arc<str>>) -> Doubt {
        let offer = || {
            let sought = sent.map_or(self.sought, |model| Some(Sought::of(model)))?;
            Some(contender.offers.as_ref()?.find(sought))
        };
        let is_unfit = contender.offers.is_some()
            && match offer() {
                Some(Offer::Unlisted) => true,
                Some(Offer::Listed { context: Some(context) }) => {
                    self.ask.input_tokens() > u64::from(context)
                }
                Some(Offer::Listed { context: None } | Offer::Unknown) | None => false,
            };
        match () {
            () if is_unfit => Doubt::Unfit,
            () if guarded::is_spared(contender, &self.snapshot.plan.zones, self.now) => Doubt::Spared,
            () => Doubt::None,
        }
    }
}

//! One request before one snapshot: whatever is the same for all accounts is found once, and then each is
//! judged by itself. `pick` and `explain` both ask here, so that they can't disagree.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Allowed, Aside, Contender, Snapshot,
    course::{Course, Place},
    guarded, health,
    offers::{Offer, Sought},
    rank::{Doubt, Rank},
    standing_for,
};
use crate::domain::{Ask, Family, Need, Provider, StandingState};

/// See the file.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub ask: &'a Ask,
    pub snapshot: &'a Snapshot,
    pub allowed: Allowed<'a>,
    pub course: Course<'a>,
    pub set_aside: &'a [Aside],
    pub now: Timestamp,
    family: Option<Family>,
    sought: Option<Sought>,
    /// It needs something that an upstream might be known to lack.
    is_needy: bool,
}

/// What keeps an account from taking a request at one place, in a word. `explain` has the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It has already failed it, or can't be asked for this.
    Aside,
    /// Its terms do not allow it: its key, its sign-in, or a path that nobody has allowed.
    Terms,
    /// It would be served another model than was asked for.
    AnotherModel,
    /// Its upstream does not take it.
    Lack(Lack),
    /// It is not ready.
    Standing,
    /// A guard holds it back.
    Held,
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
pub(super) fn sent<'c>(
    ask: &Ask,
    contender: &'c Contender,
    instead: Option<&'c Arc<str>>,
) -> Option<&'c Arc<str>> {
    let model = instead.map(AsRef::as_ref).or(ask.model.as_deref())?;
    let models = &contender.account.models;
    let mapped = if models.is_empty() { None } else { models.sent(model) };
    mapped.or(instead)
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
            family: ask.family(),
            sought: ask.model.as_deref().map(Sought::of),
            is_needy: needs.images || needs.tools || needs.betas.is_some(),
        }
    }

    /// Whether this account could take it at this place, and how well; `Err` is what keeps it from that.
    pub fn judge(&self, contender: &Contender, place: &Place<'_>) -> Result<Rank, Obstacle> {
        if !self.allowed.lets(contender) {
            return Err(Obstacle::Terms);
        }
        if self.set_aside.iter().any(|aside| aside.is(contender, place.model)) {
            return Err(Obstacle::Aside);
        }
        self.judge_beyond_terms(contender, place)
    }

    /// The same, whatever its key, its sign-in and the paths to money are.
    pub fn judge_beyond_terms(&self, contender: &Contender, place: &Place<'_>) -> Result<Rank, Obstacle> {
        self.judge_where(contender, place, |family| {
            standing_for(contender, self.need(family), self.now).state == StandingState::Ready
        })
    }

    /// The same, although its windows may be spent: not who was paused, nor who asked for a pause.
    pub fn judge_but_for_windows(&self, contender: &Contender, place: &Place<'_>) -> Result<Rank, Obstacle> {
        let is_out = self.set_aside.iter().any(|aside| aside.is(contender, place.model));
        if is_out || !self.allowed.lets(contender) {
            return Err(Obstacle::Terms);
        }
        let is_benched = contender.account.bench.as_ref().is_some_and(|bench| bench.holds(self.now));
        self.judge_where(contender, place, |_| contender.account.pause.is_none() && !is_benched)
    }

    fn judge_where(
        &self,
        contender: &Contender,
        place: &Place<'_>,
        is_ready: impl Fn(Option<Family>) -> bool,
    ) -> Result<Rank, Obstacle> {
        let sent = self.sent(contender, place.model);
        if sent.is_some() && self.snapshot.plan.asked_model_only {
            return Err(Obstacle::AnotherModel);
        }
        if let Some(lack) = self.is_needy.then(|| self.lack(&contender.provider)).flatten() {
            return Err(Obstacle::Lack(lack));
        }
        let family = sent.map_or(self.family, |model| Family::of(model));
        if !is_ready(family) {
            return Err(Obstacle::Standing);
        }
        if guarded::held(contender, family, &self.snapshot.plan.zones, self.now).is_some() {
            return Err(Obstacle::Held);
        }
        if !contender.load.has_room() {
            return Err(Obstacle::Full);
        }
        Ok(Rank::of(self, contender, place, family, self.doubt(contender, sent, family)))
    }

    /// See [`sent`].
    pub fn sent<'c>(&self, contender: &'c Contender, instead: Option<&'c Arc<str>>) -> Option<&'c Arc<str>> {
        sent(self.ask, contender, instead)
    }

    /// The family whose limits apply to what this account would be sent.
    pub fn family(&self, contender: &Contender, instead: Option<&Arc<str>>) -> Option<Family> {
        self.sent(contender, instead).map_or(self.family, |model| Family::of(model))
    }

    /// What its limits are stated for, where a model of this family goes up.
    pub fn need(&self, family: Option<Family>) -> Need {
        Need { family, endpoint: self.ask.endpoint }
    }

    fn lack(&self, provider: &Provider) -> Option<Lack> {
        let (needs, lacks) = (&self.ask.needs, &provider.lacks);
        let lacks_beta = || {
            let is_lacking =
                |beta: &str| lacks.betas.iter().any(|beginning| beta.starts_with(beginning.as_ref()));
            !lacks.betas.is_empty() && needs.betas().any(is_lacking)
        };
        match () {
            () if needs.images && lacks.images => Some(Lack::Images),
            () if needs.tools && lacks.tools => Some(Lack::Tools),
            () if lacks_beta() => Some(Lack::Beta),
            () => None,
        }
    }

    /// What lets others of its place go first. Lists have gaps, and a length is mostly a guess: an account that
    /// they speak against is asked after the others, and not refused, for the upstream's own word is truer.
    fn doubt(&self, contender: &Contender, sent: Option<&Arc<str>>, family: Option<Family>) -> Doubt {
        let offer = || {
            let sought = sent.map_or(self.sought, |model| Some(Sought::of(model)))?;
            Some(contender.offers.as_ref()?.find(sought))
        };
        let is_unfit = match offer() {
            Some(Offer::Unlisted) => true,
            Some(Offer::Listed { context: Some(context) }) => self.ask.input_tokens() > u64::from(context),
            Some(Offer::Listed { context: None } | Offer::Unknown) | None => false,
        };
        match () {
            // The one place for what speaks against an account at this moment and is no fault of its own.
            () if is_unfit => Doubt::Unfit,
            () if health::hindrance(contender, self.need(family), self.now).is_some() => Doubt::Hindered,
            () if guarded::is_spared(contender, &self.snapshot.plan.zones, self.now) => Doubt::Spared,
            () => Doubt::None,
        }
    }
}

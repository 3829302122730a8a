//! Routes: named chains of places to try, in order, for the models that they are for. A route says where a
//! request goes first, and whether it goes on to the usual selection after its last slot.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountId, BadModelRule, Family, ModelRule, PoolId, RouteName};

/// One route, for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct RouteId(pub i64);

/// A route as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Stable for life.
    pub id: RouteId,
    /// Chosen by the user, unique without regard to case.
    pub name: RouteName,
    /// Switched off, it is as if it were not there.
    pub enabled: bool,
    /// Which requests take it. Of several that fit, the one that says most exactly which model it means, then
    /// the oldest.
    pub models: RouteModels,
    /// Where they go, in order. One that points at nothing is skipped. At most [`MOST_SLOTS`].
    pub slots: Vec<Slot>,
    /// Whether a request that no slot can serve goes on to the usual selection. Otherwise it waits or is
    /// refused, even if every slot points at nothing.
    pub falls_through: bool,
    /// How long an answer that comes by one of its slots may be silent before it is ended as stalled; `None`: as long
    /// as any other.
    pub idle: Option<RouteIdle>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A limit of silence: whole seconds, one at least and a day at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteIdle(u32);

/// The longest limit of silence, in seconds.
pub const LONGEST_IDLE: u32 = 86_400;

impl RouteIdle {
    /// Takes it in seconds; `None` where it is too short or too long.
    pub fn new(seconds: u32) -> Option<Self> {
        (1..=LONGEST_IDLE).contains(&seconds).then_some(Self(seconds))
    }

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// As a time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

/// A longer chain than this is nobody's plan.
pub const MOST_SLOTS: usize = 32;

/// Which models a route is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteModels {
    /// Each whose name has the family's word in it.
    Family(Family),
    /// This one, or those whose names begin so.
    Named(ModelRule),
}

impl RouteModels {
    /// Takes them as typed: a family's word, or what a [`ModelRule`] is.
    ///
    /// # Errors
    /// As [`ModelRule::new`].
    pub fn new(text: &str) -> Result<Self, BadModelRule> {
        let family = Family::of(text).filter(|family| text.trim().eq_ignore_ascii_case(family.word()));
        family.map_or_else(|| ModelRule::new(text).map(Self::Named), |family| Ok(Self::Family(family)))
    }

    /// As they are typed.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Family(family) => family.word(),
            Self::Named(rule) => rule.as_str(),
        }
    }

    /// The one name that it is for, if it is for one.
    pub fn exact(&self) -> Option<Arc<str>> {
        match self {
            Self::Named(rule) if !rule.as_str().ends_with('*') => Some(rule.as_str().into()),
            Self::Named(_) | Self::Family(_) => None,
        }
    }

    /// How exactly it means this model; `None` if it does not. Names outrank beginnings, longer beginnings
    /// shorter ones, and all of them families.
    pub fn fit(&self, model: &str) -> Option<usize> {
        match self {
            Self::Family(family) => (Family::of(model) == Some(*family)).then_some(0),
            Self::Named(rule) if !rule.allows(model) => None,
            Self::Named(rule) if rule.as_str().ends_with('*') => Some(rule.as_str().len()),
            Self::Named(_) => Some(usize::MAX),
        }
    }
}

/// One place of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Who serves there.
    pub target: Target,
    /// The model that is asked for instead there; `None`: the one that the client named.
    pub model: Option<Arc<str>>,
}

/// Where a slot points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One account.
    Account(AccountId),
    /// Whoever of a pool its policy chooses.
    Pool(PoolId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_names_a_model_more_exactly_fits_better() {
        let named = |rule: &str| RouteModels::Named(ModelRule::new(rule).unwrap()).fit("claude-opus-5-5");
        let family = |family| RouteModels::Family(family).fit("claude-opus-5-5");
        let fits = [
            named("claude-opus-5-5"),
            named("claude-opus-*"),
            named("claude-*"),
            named("*"),
            family(Family::Opus),
        ];
        assert!(fits.is_sorted_by(|a, b| a > b), "{fits:?}");
        assert_eq!((named("claude-opus-5"), family(Family::Haiku)), (None, None));
    }

    #[test]
    fn a_familys_word_means_the_family_and_anything_else_names_models() {
        assert_eq!(RouteModels::new(" Opus "), Ok(RouteModels::Family(Family::Opus)));
        for text in ["claude-opus-5-5", "opus*", "*"] {
            let models = RouteModels::new(text).unwrap();
            assert!(matches!(models, RouteModels::Named(_)), "{text}");
            assert_eq!(models.as_str(), text);
        }
        assert!(RouteModels::new("").is_err() && RouteModels::new("a b").is_err());
    }
}

//! One usage limit as an upstream states it. Names are kept as given, known or not.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Family;

/// A limit and how much of it is used. Whatever was not said is `None`: neither zero nor full.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The upstream's own name for it: `5h`, `7d`, `7d_opus`, `requests`.
    pub name: WindowName,
    /// The family it is limited to; `None` means every model.
    pub family: Option<Family>,
    /// Used share, 0 to 1, sometimes above.
    pub utilization: Option<f64>,
    /// When it starts anew.
    pub resets_at: Option<Timestamp>,
    /// The upstream refuses until the reset.
    pub spent: bool,
    /// Where we have this from.
    pub source: WindowSource,
    /// When we learned it.
    pub learned_at: Timestamp,
}

impl Window {
    /// Used share at `now`: a window past its reset says nothing any more.
    pub fn utilization_at(&self, now: Timestamp) -> Option<f64> {
        if self.is_over(now) { None } else { self.utilization }
    }

    /// Whether the reset has passed.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.resets_at.is_some_and(|reset| reset <= now)
    }

    /// Whether it limits requests of this family.
    pub fn applies_to(&self, family: Option<Family>) -> bool {
        self.family.is_none() || self.family == family
    }
}

/// The name an upstream gives to a limit, at most 64 bytes of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WindowName(pub Arc<str>);

impl WindowName {
    /// As an upstream wrote it. The family is the word of it that names one: `7d_opus` is of `opus`.
    pub fn family(&self) -> Option<Family> {
        Family::of(&self.0)
    }
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a window was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowSource {
    /// From the headers of a reply.
    Header,
    /// From a refusal that named it.
    Refusal,
}

//! What of an account a person keeps back, as it is checked before it is kept, and the time zones that it goes by.

use jiff::tz::TimeZone;

use super::EditError;
use crate::{
    domain::{Caps, Guards, MOST_GUARDS, Peak, Reserve, WindowName, ZoneName},
    routing::{Contender, Zones},
};

/// No upstream calls a window by a longer name.
const LONGEST_WINDOW: usize = 64;

/// What to change of an account's guards; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GuardsChange {
    /// All reserves, in place of those that there are.
    pub reserves: Option<Vec<Reserve>>,
    /// All caps.
    pub caps: Option<Caps>,
    /// All hours in which it is spared.
    pub peaks: Option<Vec<Peak>>,
}

impl GuardsChange {
    /// Whether nothing changes.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The guards that an account has after it; `None` if nothing is kept back then.
    ///
    /// # Errors
    /// If they can't be kept.
    pub fn of(self, before: Option<&Guards>) -> Result<Option<Guards>, EditError> {
        let mut guards = before.cloned().unwrap_or_default();
        guards.reserves = self.reserves.unwrap_or(guards.reserves);
        guards.caps = self.caps.unwrap_or(guards.caps);
        guards.peaks = self.peaks.unwrap_or(guards.peaks);
        check(&guards)?;
        Ok((!guards.is_empty()).then_some(guards))
    }
}

/// Whether these guards can be kept.
fn check(guards: &Guards) -> Result<(), EditError> {
    if guards.reserves.len() > MOST_GUARDS || guards.peaks.len() > MOST_GUARDS {
        return Err(EditError::TooManyGuards);
    }
    let is_name = |WindowName(name): &WindowName| {
        (1..=LONGEST_WINDOW).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !guards.reserves.iter().filter_map(|reserve| reserve.window.as_ref()).all(is_name) {
        return Err(EditError::BadWindow);
    }
    guards.peaks.iter().try_for_each(check_peak)
}

fn check_peak(peak: &Peak) -> Result<(), EditError> {
    if !(0..7).any(|day| peak.days.has(day)) {
        return Err(EditError::NoDays);
    }
    match &peak.zone {
        Some(zone) if look_up(zone).is_none() => Err(EditError::NoSuchZone(zone.as_str().into())),
        _ => Ok(()),
    }
}

/// Every zone that a guard names. One that this system does not know, as it may when it has got older, is left
/// out.
pub(super) fn zones<'a>(contenders: impl Iterator<Item = &'a Contender>, local: TimeZone) -> Zones {
    let mut zones = Zones { local, named: Vec::new() };
    let guards = contenders.filter_map(|contender| contender.account.guards.as_deref());
    for name in guards.flat_map(|guards| &guards.peaks).filter_map(|peak| peak.zone.as_ref()) {
        if zones.named.iter().any(|(known, _)| known == name) {
            continue;
        }
        match look_up(name) {
            Some(zone) => zones.named.push((name.clone(), zone)),
            None => {
                tracing::warn!(zone = name.as_str(), "no such time zone here: its hours are taken as UTC");
            }
        }
    }
    zones
}

fn look_up(name: &ZoneName) -> Option<TimeZone> {
    TimeZone::get(name.as_str()).ok()
}

//! Reads the usage windows that a reply states in its headers, in one pass and by a table that was made at the
//! start. Names that we don't know are kept; values that make no sense are unknown.

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::windows_table::{Full, Means, Pattern, Place};
use crate::domain::{Endpoint, Need, Window, WindowName, WindowSource};

/// A reset further away than this is a mistake or another unit.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 366);
/// No reply states more windows than this; the rest is dropped.
const MAX_WINDOWS: usize = 32;
/// Larger numbers are milliseconds since 1970, not seconds.
const EPOCH_MS: f64 = 1e11;
/// Smaller ones are no moment at all.
const EPOCH: f64 = 1e9;

/// What one provider's replies are read by.
#[derive(Debug, Clone, Default)]
pub(super) struct WindowReader {
    patterns: Vec<Pattern>,
    /// What the headers' names begin with; most headers are done with after one look.
    initials: Vec<u8>,
}

impl WindowReader {
    pub(super) fn new(patterns: Vec<Pattern>) -> Self {
        let mut initials: Vec<u8> =
            patterns.iter().filter_map(|pattern| pattern.prefix.bytes().next()).collect();
        initials.sort_unstable();
        initials.dedup();
        Self { patterns, initials }
    }

    /// Every window that the headers of a reply to such a request name, in the order of their names. Allocates
    /// nothing where they name none.
    pub(super) fn read(&self, headers: &HeaderMap, need: Need, now: Timestamp) -> Vec<Window> {
        let mut drafts = Drafts::default();
        for (name, value) in headers {
            let name = name.as_str();
            if !name.as_bytes().first().is_some_and(|byte| self.initials.contains(byte)) {
                continue;
            }
            let placed = |(at, pattern): (usize, &Pattern)| Some((at, pattern.place(name)?));
            let Some((at, Place { window, means })) = self.patterns.iter().enumerate().find_map(placed)
            else {
                continue;
            };
            if let Ok(value) = value.to_str() {
                drafts.of(at, window).take(means, value.trim(), &self.patterns[at], now);
            }
        }
        if drafts.0.is_empty() {
            return Vec::new();
        }
        drafts.0.sort_by_key(|draft| draft.at);
        let made = drafts.0.into_iter().filter_map(|draft| draft.window(&self.patterns[draft.at], need, now));
        let mut windows: Vec<Window> = made.take(MAX_WINDOWS).collect();
        windows.sort_by(|a, b| a.name.cmp(&b.name));
        // Said in two dialects, the one that the provider names first counts.
        windows.dedup_by(|later, first| later.name == first.name);
        windows
    }
}

/// A handful, which a list finds sooner than a tree does.
#[derive(Default)]
struct Drafts<'a>(Vec<Draft<'a>>);

impl<'a> Drafts<'a> {
    fn of(&mut self, at: usize, window: &'a str) -> &mut Draft<'a> {
        let is_same = |draft: &Draft<'_>| draft.at == at && draft.window == window;
        let place = self.0.iter().position(is_same).unwrap_or_else(|| {
            self.0.push(Draft { at, window, ..Draft::default() });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

/// What was said of one window.
#[derive(Default, Clone, Copy)]
struct Draft<'a> {
    /// The pattern that its headers follow.
    at: usize,
    window: &'a str,
    utilization: Option<f64>,
    limit: Option<f64>,
    remaining: Option<f64>,
    used: Option<f64>,
    minutes: Option<f64>,
    resets_at: Option<Timestamp>,
    resets_in: Option<Timestamp>,
    spent: bool,
    allowed: bool,
}

impl Draft<'_> {
    fn take(&mut self, means: Means, value: &str, pattern: &Pattern, now: Timestamp) {
        match means {
            // A share above ten is a percentage or a mistake; either way we don't know what it means.
            Means::Share => self.utilization = number(value).filter(|share| *share <= 10.0),
            Means::Percent => {
                self.utilization = number(value).map(|share| share / 100.0).filter(|share| *share <= 10.0);
            }
            Means::Limit => self.limit = number(value),
            Means::Remaining => self.remaining = number(value),
            Means::Used => self.used = number(value),
            Means::Minutes => self.minutes = number(value),
            Means::Status => {
                let is_one = |words: &[String]| words.iter().any(|word| word == value);
                (self.spent, self.allowed) = (is_one(&pattern.spent), is_one(&pattern.allowed));
            }
            Means::Epoch => self.resets_at = number(value).and_then(epoch),
            Means::Date => self.resets_at = value.parse().ok(),
            Means::Seconds => self.resets_in = number(value).and_then(|seconds| after(seconds, now)),
            Means::Milliseconds => self.resets_in = number(value).and_then(|ms| after(ms / 1e3, now)),
            Means::Span => self.resets_in = span(value).and_then(|seconds| after(seconds, now)),
            Means::Time => {
                self.resets_at = match number(value) {
                    Some(number) if number >= EPOCH => epoch(number),
                    _ => span(value).map_or_else(|| value.parse().ok(), |seconds| after(seconds, now)),
                };
            }
        }
    }

    fn window(&self, pattern: &Pattern, need: Need, now: Timestamp) -> Option<Window> {
        // Codex says 0 minutes of a window that there is not.
        let told = match self.minutes.map(named_by) {
            None => None,
            Some(name) => Some(name?),
        };
        let is_of_counts = pattern.refills && need.endpoint == Endpoint::Counts;
        let name = match told {
            Some(name) => WindowName(name.into()),
            None => pattern.name(self.window, need.family, is_of_counts)?,
        };
        let utilization = self.utilization.or_else(|| self.by_count());
        let is_full = utilization.is_some_and(|used| used >= 1.0);
        // What is told from now on holds whatever our clock says.
        let resets_at = self.resets_in.or(self.resets_at);
        let resets_at = resets_at.filter(|reset| name.may_end(*reset, now));
        let is_closed = match pattern.full {
            Full::Spent => true,
            // Else it would be asked again and again, for as long as it says nothing.
            Full::SpentWithoutReset => resets_at.is_none() && !self.allowed,
            Full::Open => false,
        };
        Some(Window {
            limits: match pattern.informs {
                true => None,
                false if is_of_counts => Some(Endpoint::Counts),
                false => Some(Endpoint::Messages),
            },
            utilization,
            resets_at,
            refills: pattern.refills,
            spent: self.spent || (is_full && is_closed),
            ..Window::new(name, WindowSource::Header, now)
        })
    }

    fn by_count(&self) -> Option<f64> {
        let limit = self.limit.filter(|limit| *limit > 0.0)?;
        let used = self.remaining.map(|remaining| limit - remaining).or(self.used)?;
        Some((used / limit).max(0.0)).filter(|share| *share <= 10.0)
    }
}

/// What a window of so many minutes is called; `None` for no length at all.
fn named_by(minutes: f64) -> Option<String> {
    if !(1.0..=1e6).contains(&minutes) {
        return None;
    }
    let (day, hour) = (24.0 * 60.0, 60.0);
    Some(match minutes.round() {
        days if days % day == 0.0 => format!("{:.0}d", days / day),
        hours if hours % hour == 0.0 => format!("{:.0}h", hours / hour),
        minutes => format!("{minutes:.0}m"),
    })
}

/// A share or a count: finite and not negative, or unknown.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite() && (0.0..1e15).contains(number))
}

pub(super) fn epoch(number: f64) -> Option<Timestamp> {
    let ms = if number >= EPOCH_MS { number } else { number * 1e3 };
    #[expect(clippy::cast_possible_truncation, reason = "below 1e18")]
    Timestamp::from_millisecond(ms as i64).ok()
}

fn after(seconds: f64, now: Timestamp) -> Option<Timestamp> {
    let wait = SignedDuration::try_from_secs_f64(seconds).ok().filter(|wait| *wait <= MAX_AHEAD)?;
    now.checked_add(wait).ok()
}

/// `6m0s`, `1h2m`, `20ms`, `1.5s` or `30` in seconds.
fn span(text: &str) -> Option<f64> {
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        seconds += number(count)? * unit;
        rest = after;
    }
    (!text.is_empty()).then_some(seconds)
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;

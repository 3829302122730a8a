//! What a reply's head (and the beginning of an error's body) says of the account that made the attempt.
//! The rules are data, `verdicts.toml`; here they are read and the first that fits is applied.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    domain::{Family, Verdict, VerdictKind, Window, WindowName},
    formats,
};

const TEXT: &str = include_str!("verdicts.toml");
/// The longest pause that is believed: a month. Beyond it the number is a mistake.
const MAX_PAUSE: Duration = Duration::from_hours(31 * 24);
/// For a rule that names no time of its own.
const AGAIN: Duration = Duration::from_mins(5);
/// Larger numbers in `retry-after` are no seconds to wait but seconds since 1970.
const EPOCH: f64 = 1e9;
/// And these are milliseconds since 1970.
const EPOCH_MS: f64 = 1e12;

/// A reply as far as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// As much of an error's body as was read.
    pub body: &'a [u8],
    /// The windows that its headers state.
    pub windows: &'a [Window],
    /// What the request asked for.
    pub family: Option<Family>,
}

/// Every dialect with its rules, in their order.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Dialects(BTreeMap<String, Vec<Rule>>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    verdict: VerdictKind,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    r#type: Vec<String>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    header: BTreeMap<String, String>,
    #[serde(default)]
    spent: bool,
    #[serde(default)]
    silent: bool,
    window: Option<String>,
    #[serde(default)]
    per_family: bool,
    #[serde(default, deserialize_with = "some_span")]
    again: Option<Duration>,
    /// `+08:00`.
    #[serde(default, deserialize_with = "some_offset")]
    reset_in_words: Option<Offset>,
}

impl Dialects {
    pub(super) fn built_in() -> Result<Self, String> {
        toml::from_str(TEXT).map_err(|error| error.to_string())
    }

    /// Makes sure of a dialect that consists of these, one after the other, and names it.
    pub(super) fn join(&mut self, names: &[String]) -> Result<String, String> {
        let mut rules = Vec::new();
        for name in names {
            rules.extend(self.0.get(name).ok_or(format!("verdicts.toml has no {name}"))?.iter().cloned());
        }
        let joined = names.join(" ");
        self.0.insert(joined.clone(), rules);
        Ok(joined)
    }

    pub(super) fn verdict(&self, dialect: &str, reply: &Reply<'_>, now: Timestamp) -> Verdict {
        if reply.status.as_u16() < 400 {
            return Verdict::Fine;
        }
        let said = formats::error_in(reply.body).map(|(kind, message)| (kind, message.to_lowercase()));
        let said = said.as_ref().map(|(kind, message)| (&**kind, message.as_str()));
        let rules = self.0.get(dialect).map_or(&[][..], Vec::as_slice);
        match rules.iter().find(|rule| rule.fits(reply, said, now)) {
            Some(rule) => rule.verdict(reply, said, now),
            None if reply.status.is_server_error() => Verdict::Weather,
            None => Verdict::RequestFault,
        }
    }
}

impl Rule {
    fn fits(&self, reply: &Reply<'_>, said: Option<(&str, &str)>, now: Timestamp) -> bool {
        let status = reply.status.as_str();
        let has_status = |wanted: &String| match wanted.strip_suffix("xx") {
            Some(hundreds) => status.starts_with(hundreds),
            None => wanted == status,
        };
        let is_any = |wanted: &[String], holds: &dyn Fn(&String) -> bool| {
            wanted.is_empty() || wanted.iter().any(holds)
        };
        is_any(&self.status, &has_status)
            && is_any(&self.r#type, &|kind| said.is_some_and(|(said, _)| said == kind))
            && is_any(&self.says, &|words| said.is_some_and(|(_, said)| said.contains(words)))
            && self.header.iter().all(|(name, value)| reply.headers.get(name).is_some_and(|got| got == value))
            && (!self.spent || last_spent(reply, now).is_some())
            && (!self.silent || (reply.windows.is_empty() && retry_after(reply.headers, now).is_none()))
    }

    fn verdict(&self, reply: &Reply<'_>, said: Option<(&str, &str)>, now: Timestamp) -> Verdict {
        let again = self.again.unwrap_or(AGAIN);
        match self.verdict {
            VerdictKind::Fine | VerdictKind::Abandoned => Verdict::Fine,
            VerdictKind::Throttled => Verdict::Throttled {
                retry_after: retry_after(reply.headers, now).or_else(|| bucket_refill(reply, now)),
            },
            VerdictKind::OwnLimit => Verdict::OwnLimit,
            VerdictKind::QuotaSpent => {
                let spent = last_spent(reply, now).filter(|_| self.spent);
                let window = spent.map_or_else(|| self.name(reply), |window| window.name.clone());
                let told = match spent {
                    Some(window) => window.resets_at,
                    None => self.reset_said(said).or_else(|| unified_reset(reply.headers)),
                };
                let told = told.filter(|reset| *reset > now && window.may_end(*reset, now));
                let stated = || now.checked_add(retry_after(reply.headers, now)?).ok();
                Verdict::QuotaSpent { window, until: told.or_else(stated), again }
            }
            // Never longer: a plan that has room would be left unused.
            VerdictKind::ExtraUsageSpent => Verdict::ExtraUsageSpent {
                window: self.name(reply),
                until: now.checked_add(again).unwrap_or(now),
            },
            VerdictKind::CredentialRefused => Verdict::CredentialRefused,
            VerdictKind::OrganisationDisabled => Verdict::OrganisationDisabled { again },
            VerdictKind::Forbidden => Verdict::Forbidden,
            VerdictKind::ModelMissing => Verdict::ModelMissing,
            VerdictKind::Weather => Verdict::Weather,
            VerdictKind::RequestFault => Verdict::RequestFault,
            VerdictKind::ContextTooLong => Verdict::ContextTooLong,
        }
    }

    /// The reset that the message itself names.
    fn reset_said(&self, said: Option<(&str, &str)>) -> Option<Timestamp> {
        date_in(said?.1, self.reset_in_words?)
    }

    fn name(&self, reply: &Reply<'_>) -> WindowName {
        let name = self.window.as_deref().unwrap_or("quota");
        if name == "unified" {
            return claimed(reply.headers).unwrap_or_else(|| WindowName(name.into()));
        }
        match reply.family.filter(|_| self.per_family) {
            Some(family) => WindowName(format!("{name}_{family}").into()),
            None => WindowName(name.into()),
        }
    }
}

/// Of several spent windows that concern this request, the one that opens last is the one to wait for.
fn last_spent<'a>(reply: &Reply<'a>, now: Timestamp) -> Option<&'a Window> {
    let spent = reply
        .windows
        .iter()
        .filter(|window| window.spent && window.applies_to(reply.family) && !window.is_over(now));
    spent.max_by_key(|window| window.resets_at)
}

/// The first date with a time of day in a text, `2026-10-03 08:23:14` or in RFC 3339; of this offset, where it
/// names none.
fn date_in(text: &str, offset: Offset) -> Option<Timestamp> {
    const SHAPE: &[u8] = b"0000-00-00 00:00:00";
    let is_date = |bytes: &[u8]| {
        bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            // The message is in lower case.
            b' ' => b" t".contains(byte),
            shape => byte == shape,
        })
    };
    let at = text.as_bytes().windows(SHAPE.len()).position(is_date)?;
    let (date, rest) = text[at..].split_at(SHAPE.len());
    let end = rest.find(|c: char| !c.is_ascii_digit() && !"+-:.z".contains(c)).unwrap_or(rest.len());
    let local = || offset.to_timestamp(date.replace('t', " ").parse().ok()?).ok();
    format!("{date}{}", rest[..end].trim_end_matches(['.', ':'])).parse().ok().or_else(local)
}

/// An API key's buckets state their refill; an empty one is waited for.
fn bucket_refill(reply: &Reply<'_>, now: Timestamp) -> Option<Duration> {
    let empty = reply.windows.iter().filter(|window| window.utilization.is_some_and(|used| used >= 1.0));
    let reset = empty.filter_map(|window| window.resets_at).max()?;
    believable(Duration::try_from(reset.duration_since(now)).ok()?)
}

fn unified_reset(headers: &HeaderMap) -> Option<Timestamp> {
    let seconds = headers.get("anthropic-ratelimit-unified-reset")?.to_str().ok()?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// The window that a refusal blames, under the name that its own headers have.
fn claimed(headers: &HeaderMap) -> Option<WindowName> {
    let claim = headers.get("anthropic-ratelimit-unified-representative-claim")?.to_str().ok()?;
    let name = claim.replacen("five_hour", "5h", 1).replacen("seven_day", "7d", 1);
    (!name.is_empty() && name.len() <= 64).then(|| WindowName(name.into()))
}

/// How long to wait: `retry-after-ms`, or `retry-after` as seconds, as an HTTP date (RFC 9110, section 10.2.3), or as
/// seconds or milliseconds since 1970; `None` where it is absent, past or absurd.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok())
        && let Some(pause) = Duration::try_from_secs_f64(ms / 1e3).ok().and_then(believable)
    {
        return Some(pause);
    }
    let text = text(header::RETRY_AFTER.as_str())?;
    let Ok(number) = text.parse::<f64>() else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        return believable(Duration::try_from(date.duration_since(now)).ok()?);
    };
    let since_1970 = if number >= EPOCH_MS { number / 1e3 } else { number };
    let seconds = if number >= EPOCH { since_1970 - now.as_millisecond() as f64 / 1e3 } else { number };
    believable(Duration::try_from_secs_f64(seconds).ok()?)
}

fn some_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let span = Duration::try_from(SignedDuration::deserialize(deserializer)?).map_err(D::Error::custom)?;
    Ok(Some(span))
}

fn some_offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Offset>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let zone = jiff::fmt::temporal::DateTimeParser::new().parse_time_zone(&text).map_err(D::Error::custom)?;
    zone.to_fixed_offset().map(Some).map_err(D::Error::custom)
}

fn believable(pause: Duration) -> Option<Duration> {
    Some(pause).filter(|pause| !pause.is_zero() && *pause <= MAX_PAUSE)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;

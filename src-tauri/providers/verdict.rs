//! What a reply's head (and the beginning of an error's body) says of the account that made the attempt.
//! The rules are data, `verdicts.toml`; here they are read and the first that fits is applied.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{
    domain::{Family, Verdict, VerdictKind, Window, WindowName},
    formats,
};

const TEXT: &str = include_str!("verdicts.toml");
/// The longest pause that is believed: a month. Beyond it the number is a mistake.
const MAX_PAUSE: Duration = Duration::from_hours(31 * 24);
/// For a rule that names no time of its own.
const AGAIN: SignedDuration = SignedDuration::from_mins(5);
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

#[derive(Debug, Deserialize)]
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
    again: Option<SignedDuration>,
}

impl Dialects {
    pub(super) fn built_in() -> Result<Self, String> {
        toml::from_str(TEXT).map_err(|error| error.to_string())
    }

    pub(super) fn has(&self, dialect: &str) -> bool {
        self.0.contains_key(dialect)
    }

    pub(super) fn verdict(&self, dialect: &str, reply: &Reply<'_>, now: Timestamp) -> Verdict {
        if reply.status.as_u16() < 400 {
            return Verdict::Fine;
        }
        let said = formats::error_in(reply.body).map(|(kind, message)| (kind, message.to_lowercase()));
        let said = said.as_ref().map(|(kind, message)| (&**kind, message.as_str()));
        let rules = self.0.get(dialect).map_or(&[][..], Vec::as_slice);
        match rules.iter().find(|rule| rule.fits(reply, said, now)) {
            Some(rule) => rule.verdict(reply, now),
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

    fn verdict(&self, reply: &Reply<'_>, now: Timestamp) -> Verdict {
        let stated = || now.checked_add(retry_after(reply.headers, now)?).ok();
        let again = now.checked_add(self.again.unwrap_or(AGAIN)).unwrap_or(now);
        match self.verdict {
            VerdictKind::Fine | VerdictKind::Abandoned => Verdict::Fine,
            VerdictKind::Throttled => Verdict::Throttled {
                retry_after: retry_after(reply.headers, now).or_else(|| bucket_refill(reply, now)),
            },
            VerdictKind::OwnLimit => Verdict::OwnLimit,
            VerdictKind::QuotaSpent => match last_spent(reply, now).filter(|_| self.spent) {
                Some(window) => Verdict::QuotaSpent {
                    window: window.name.clone(),
                    until: window.resets_at.or_else(stated).or(Some(again)),
                },
                None => Verdict::QuotaSpent {
                    window: self.name(reply),
                    until: unified_reset(reply.headers, now).or_else(stated).or(Some(again)),
                },
            },
            // Never longer: a plan that has room would be left unused.
            VerdictKind::ExtraUsageSpent => {
                Verdict::ExtraUsageSpent { window: self.name(reply), until: again }
            }
            VerdictKind::CredentialRefused => Verdict::CredentialRefused,
            VerdictKind::OrganisationDisabled => Verdict::OrganisationDisabled { until: again },
            VerdictKind::Forbidden => Verdict::Forbidden,
            VerdictKind::ModelMissing => Verdict::ModelMissing,
            VerdictKind::Weather => Verdict::Weather,
            VerdictKind::RequestFault => Verdict::RequestFault,
            VerdictKind::ContextTooLong => Verdict::ContextTooLong,
        }
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
    let spent = reply.windows.iter().filter(|window| window.spent && !window.is_over(now));
    spent.max_by_key(|window| (window.applies_to(reply.family), window.resets_at))
}

/// An API key's buckets state their refill; an empty one is waited for.
fn bucket_refill(reply: &Reply<'_>, now: Timestamp) -> Option<Duration> {
    let empty = reply.windows.iter().filter(|window| window.utilization.is_some_and(|used| used >= 1.0));
    let reset = empty.filter_map(|window| window.resets_at).max()?;
    believable(Duration::try_from(reset.duration_since(now)).ok()?)
}

fn unified_reset(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let seconds = headers.get("anthropic-ratelimit-unified-reset")?.to_str().ok()?.parse().ok()?;
    let reset = Timestamp::from_second(seconds).ok()?;
    believable(Duration::try_from(reset.duration_since(now)).ok()?).map(|_| reset)
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

fn believable(pause: Duration) -> Option<Duration> {
    Some(pause).filter(|pause| !pause.is_zero() && *pause <= MAX_PAUSE)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;

//! The answers that we raise ourselves. They have Anthropic's shape, say why and what to do, and carry
//! `retry-after` in whole seconds where waiting helps, and `x-should-retry`: `true` where it is known to, `false` where
//! it does not.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;

use crate::{
    domain::{ExchangeId, StandingState, counted},
    formats::{ErrorKind, error_body},
    keys::Denial,
    proxy::{
        AnswerBody,
        arrival::keyholder::{Denied, left, moment, shell_word},
    },
    routing::{PassedOver, Wait},
};

/// Why we did not pass a request on, or got no answer to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The user paused the proxy.
    Paused,
    /// Nothing can be written down any more, for we are shutting down.
    NotRecorded,
    /// Too many requests at once, and the queue is full or too slow.
    Full { why: Fullness, retry_after: Duration },
    /// The body is larger than the limit.
    TooLarge { limit: usize },
    /// The body is no JSON object.
    NotJson { why: String },
    /// The body stopped coming.
    BodyLate,
    /// The path climbs out of the folder that it begins in.
    ClimbingPath,
    /// The body did not arrive whole.
    BodyCut,
    /// There is no account at all.
    NoAccount,
    /// No account can take it now.
    NobodyReady(Wait),
    /// Every account was tried, and the last one could not be reached.
    Unreachable { why: Arc<str> },
    /// It can't be written as the last account would have to send it.
    Unfit { why: Arc<str> },
    /// It was to go out by itself, and is not wanted any more. No client sees this.
    Unwanted { why: Arc<str> },
    /// It has to bring a key, and brought none.
    NeedsKey,
    /// The key that it brought does not allow it.
    Denied(Denied),
    /// The request came from another web page, or under a name that is not ours.
    Foreign,
    /// CONNECT: we are no proxy of that kind.
    Tunnel,
    /// It asks for another protocol.
    Upgrade,
    /// The path has something in it that servers read differently.
    CrookedPath,
    /// A key of ours stands in the path or in the query.
    KeyInAddress,
    /// More headers than anybody sends.
    TooManyHeaders { limit: usize },
}

/// `1 request waits`, `5 requests wait`.
fn those(count: usize, one_does: &str, many_do: &str) -> String {
    format!("{} {}", counted(count as u64, "request"), if count == 1 { one_does } else { many_do })
}

/// What was full; each names the setting that bounds it.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Fullness {
    #[error("{} for a place already, and no more may (limits.waiting_requests)", those(*.0, "waits", "wait"))]
    Queue(usize),
    #[error(
        "No place was free within {wait:.0?}: {} served at once (limits.concurrent_requests, limits.requests_per_key, limits.wait_seconds)",
        those(*running, "is", "are")
    )]
    Late { wait: Duration, running: usize },
    #[error("Every account that may serve this is as busy as it may be (limits.requests_per_account)")]
    Accounts,
    #[error("The disk is so far behind that nothing more may be held for it")]
    Disk,
}

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Beyond this, clients give up at once; Claude Code's gateway guide puts the limit at 60 s.
const PATIENCE: u64 = 59;

/// Nobody knows when the disk has caught up; a client should not come back sooner than this.
const COME_BACK: Duration = Duration::from_secs(2);

impl Failure {
    /// The disk is so far behind that nothing more may be held for it.
    pub fn disk_behind() -> Self {
        Self::Full { why: Fullness::Disk, retry_after: COME_BACK }
    }

    /// Nobody took it: because there is nobody, or because nobody is ready.
    pub fn of_wait(wait: Wait) -> Self {
        if wait.why.is_empty() { Self::NoAccount } else { Self::NobodyReady(wait) }
    }

    /// Status and error type.
    fn kind(&self) -> (u16, ErrorKind) {
        match self {
            Self::NobodyReady(wait) if wait.until.is_some() => (429, ErrorKind::RateLimitError),
            // Nobody can pay for it. Claude Code shows a 402 as it is; of a 503 it says that it is temporary
            // and asks to try again, of a 403 that the sign-in failed.
            Self::NoAccount | Self::NobodyReady(_) => (402, ErrorKind::BillingError),
            Self::Paused | Self::NotRecorded | Self::Unwanted { .. } => (503, ErrorKind::ApiError),
            Self::Full { .. } => (529, ErrorKind::OverloadedError),
            Self::TooLarge { .. } => (413, ErrorKind::RequestTooLarge),
            Self::NotJson { .. }
            | Self::Unfit { .. }
            | Self::BodyCut
            | Self::ClimbingPath
            | Self::CrookedPath
            | Self::KeyInAddress
            | Self::Upgrade => (400, ErrorKind::InvalidRequestError),
            Self::TooManyHeaders { .. } => (431, ErrorKind::InvalidRequestError),
            Self::Tunnel => (405, ErrorKind::InvalidRequestError),
            Self::BodyLate => (408, ErrorKind::TimeoutError),
            Self::Unreachable { .. } => (502, ErrorKind::ApiError),
            Self::NeedsKey => (401, ErrorKind::AuthenticationError),
            Self::Denied(denied) => denied.kind(),
            Self::Foreign => (403, ErrorKind::PermissionError),
        }
    }

    /// The sentence for the user.
    pub fn message(&self, now: Timestamp) -> String {
        match self {
            Self::Paused => "Headgate is paused. Resume it in its window, on its page, or with `headgate resume`.".into(),
            Self::NotRecorded => "Headgate is shutting down.".into(),
            Self::Unwanted { why } => format!("It was not sent: {why}."),
            Self::Full { why, .. } => format!("{why}; try again in a moment."),
            Self::TooLarge { limit } => {
                format!("The request is larger than the {} MiB that Headgate accepts (limits.body_bytes).", limit >> 20)
            }
            Self::NotJson { why } => format!("The request body is not a JSON object: {why}."),
            Self::ClimbingPath => "The path has a `.` or `..` in it that could lead to another place upstream.".into(),
            Self::BodyLate => "The request body stopped coming.".into(),
            Self::BodyCut => "The request body did not arrive whole.".into(),
            Self::NoAccount => {
                "Headgate has no account yet. Add one with `headgate accounts add NAME --provider anthropic --key-stdin` or on its page.".into()
            }
            Self::NobodyReady(wait) => nobody_ready(wait, now),
            Self::Unfit { why } => format!("No account can be asked for this: {why}."),
            Self::Unreachable { why } => format!("No account's upstream could be reached: {why}."),
            Self::NeedsKey => {
                "Headgate asks for a key here. Make one with `headgate keys add NAME` and put it into ANTHROPIC_AUTH_TOKEN.".into()
            }
            Self::Denied(denied) => denied.message(now),
            Self::Foreign => {
                "Headgate answers under the names of this machine and those in `hosts`, and no web pages of other sites.".into()
            }
            Self::TooManyHeaders { limit } => format!("The request has more than {limit} headers."),
            Self::Tunnel => {
                "Headgate is no proxy for CONNECT; give its address to the client as the base URL of the API.".into()
            }
            Self::Upgrade => "Headgate speaks HTTP/1.1 and HTTP/2, and changes to no other protocol.".into(),
            Self::CrookedPath => {
                "The path has an empty segment, a backslash or a control character in it, which servers read differently.".into()
            }
            Self::KeyInAddress => {
                "A key of Headgate stands in this request's address or method, where it ends up in logs. Send it as x-api-key or as a bearer, and give it a new secret with `headgate keys rotate NAME`.".into()
            }
        }
    }

    /// How long to wait before asking again, where that may help.
    fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Full { retry_after, .. } => Some(*retry_after),
            Self::NotRecorded => Some(Duration::from_secs(2)),
            Self::Denied(Denied { why: Denial::Rate { wait, .. }, .. }) => Some(*wait),
            Self::NobodyReady(wait) => Duration::try_from(wait.until?.duration_since(now)).ok(),
            _ => None,
        }
    }

    /// The whole answer.
    pub fn answer(&self, id: Option<ExchangeId>, now: Timestamp) -> Response<AnswerBody> {
        let (status, kind) = self.kind();
        let id = id.map(|id| id.to_string());
        let body = error_body(kind, &self.message(now), id.as_deref());
        let mut answer =
            plain(StatusCode::from_u16(status).expect("the table holds statuses"), "application/json", body);
        let retry_after = self.retry_after(now);
        let headers = answer.headers_mut();
        // A client that comes back a moment early would be refused again: round up.
        let seconds = retry_after.map(|pause| (pause.as_secs() + u64::from(pause.subsec_nanos() > 0)).max(1));
        if let Some(seconds) = seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // A key's minute is over within a minute, which is as long as a client waits.
        let is_brief =
            matches!(self, Self::Unreachable { .. } | Self::Denied(Denied { why: Denial::Rate { .. }, .. }));
        let is_worth_it = seconds.is_some_and(|seconds| seconds <= PATIENCE) || is_brief;
        // Claude Code asks again after a 429 of a subscription only where it is told to.
        let finds_an_account = is_worth_it && matches!(self, Self::NobodyReady(_) | Self::Denied(_));
        let word = [(finds_an_account, "true"), (!is_worth_it, "false")].into_iter().find(|(is, _)| *is);
        if let Some((_, word)) = word {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static(word));
        }
        if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            headers.insert(HeaderName::from_static("request-id"), id);
        }
        answer
    }
}

fn nobody_ready(wait: &Wait, now: Timestamp) -> String {
    let mut text = String::from("No account can take this request now.");
    for note in &wait.notes {
        let _ = write!(text, " {note}");
    }
    for PassedOver { account, standing, is_signed_in } in &wait.why {
        let reason = standing.reason.as_deref().unwrap_or("it has just failed this request");
        let name = shell_word(account.as_str());
        // Where nobody gave a reason, that it is paused is the reason.
        let paused = if standing.state == StandingState::Paused && !reason.starts_with("paused") {
            "paused, "
        } else {
            ""
        };
        let _ = write!(text, " {account}: {paused}{reason}");
        match (standing.state, standing.until) {
            (_, Some(until)) => {
                let seconds = until.duration_since(now).as_secs_f64().ceil().max(1.0);
                let _ = if seconds < 120.0 {
                    write!(text, ", back in {seconds:.0} s.")
                } else {
                    write!(text, ", back on {}, in {}.", moment(until), left(until, now))
                };
            }
            // Of one that was signed in, the reason says how to sign in again.
            (StandingState::NeedsSignIn, None) if !is_signed_in => {
                let _ = write!(text, "; give it a new key with `headgate accounts set-key {name}`.");
            }
            (StandingState::Paused, None) => {
                let _ = write!(text, "; put it back with `headgate accounts resume {name}`.");
            }
            _ => text.push('.'),
        }
    }
    text
}

/// A small answer of our own.
pub fn plain(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<AnswerBody> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountName, Standing};

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn resting(name: &str, pause: Duration) -> PassedOver {
        let until = now() + pause;
        let standing =
            Standing { state: StandingState::Cooling, reason: Some("it rests".into()), until: Some(until) };
        PassedOver { account: AccountName::new(name).unwrap(), standing, is_signed_in: false }
    }

    fn refusal(pauses: &[Duration]) -> (String, Option<String>, String) {
        let why: Vec<_> =
            pauses.iter().enumerate().map(|(n, pause)| resting(&format!("account {n}"), *pause)).collect();
        let wait = Wait {
            until: why.iter().filter_map(|passed| passed.standing.until).min(),
            why,
            is_busy: false,
            notes: Vec::new(),
            prevented: None,
        };
        let failure = Failure::of_wait(wait);
        let answer = failure.answer(None, now());
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (header("retry-after").unwrap(), header("x-should-retry"), failure.message(now()))
    }

    #[test]
    fn an_account_that_is_signed_in_is_not_told_to_be_given_a_key() {
        let told = |is_signed_in, reason: &str| {
            let standing =
                Standing { state: StandingState::NeedsSignIn, reason: Some(reason.into()), until: None };
            let account = AccountName::new("Team's").unwrap();
            let why = vec![PassedOver { account, standing, is_signed_in }];
            let wait = Wait { until: None, why, is_busy: false, notes: Vec::new(), prevented: None };
            Failure::of_wait(wait).message(now())
        };
        let signed_in = told(true, "its sign-in has ended; sign in again with `headgate accounts sign-in`");
        assert!(signed_in.ends_with("`headgate accounts sign-in`."), "{signed_in}");
        let keyed = told(false, "the upstream no longer accepts its key");
        assert!(
            keyed.ends_with(r"give it a new key with `headgate accounts set-key 'Team'\''s'`."),
            "{keyed}"
        );
    }

    #[test]
    fn one_request_that_waits_is_not_several() {
        let said = |why: Fullness| why.to_string();
        assert!(said(Fullness::Queue(1)).starts_with("1 request waits for a place"));
        assert!(said(Fullness::Queue(5)).starts_with("5 requests wait for a place"));
        let late = |running| Fullness::Late { wait: Duration::from_secs(2), running };
        assert!(said(late(1)).contains("1 request is served at once"));
        assert!(said(late(64)).contains("64 requests are served at once"));
    }

    #[test]
    fn the_first_minute_is_worth_waiting_for_and_the_sixtieth_second_is_not() {
        let seconds = Duration::from_secs;
        let told = |pause| {
            let (after, retry, _) = refusal(&[pause]);
            (after.parse::<u64>().unwrap(), retry)
        };
        let (yes, never) = (|| Some("true".to_owned()), || Some("false".to_owned()));
        assert_eq!(told(Duration::ZERO), (1, yes()), "whole seconds, never none");
        assert_eq!(told(Duration::from_millis(200)), (1, yes()));
        assert_eq!(told(Duration::from_millis(58_001)), (59, yes()), "rounded up");
        assert_eq!(told(seconds(59)), (59, yes()));
        assert_eq!(told(Duration::from_millis(59_001)), (60, never()), "what is told decides");
        assert_eq!(told(seconds(60)), (60, never()));
        assert_eq!(told(seconds(7835)), (7835, never()), "the real time");
    }

    #[test]
    fn a_refusal_names_each_account_and_the_soonest_decides() {
        let (after, retry, message) = refusal(&[Duration::from_hours(2), Duration::from_secs(20)]);
        assert_eq!((after.as_str(), retry.as_deref()), ("20", Some("true")));
        assert!(
            message.contains("account 0: it rests, back on 2026-11-23 14:00 UTC, in 2 h 0 min."),
            "{message}"
        );
        assert!(message.contains("account 1: it rests, back in 20 s."), "{message}");
        let (_, _, message) = refusal(&[Duration::from_mins(5398)]);
        assert!(message.contains("back on 2026-11-27 05:58 UTC, in 3 days 17 h."), "{message}");
    }
}

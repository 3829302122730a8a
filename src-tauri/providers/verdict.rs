//! What a reply's head (and the beginning of an error's body) says of the account that made the attempt.
//! One place, from values to a value.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;

use crate::{
    domain::{Verdict, Window, WindowName},
    formats,
};

/// The longest pause that is believed: a month. Beyond it the number is a mistake.
const MAX_PAUSE: Duration = Duration::from_hours(31 * 24);

/// Reads a verdict. `body` is as much of an error's body as was read; `windows` are those of this reply.
pub fn verdict(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    windows: &[Window],
    now: Timestamp,
) -> Verdict {
    match status.as_u16() {
        200..=399 => Verdict::Fine,
        401 => Verdict::CredentialRefused,
        402 => out_of_credit(),
        400 if says(body, "credit balance is too low") => out_of_credit(),
        403 if says(body, "organization has been disabled") => Verdict::CredentialRefused,
        403 => Verdict::Forbidden,
        429 => too_many(headers, windows, now),
        408 | 500.. => Verdict::Weather,
        _ => Verdict::RequestFault,
    }
}

fn out_of_credit() -> Verdict {
    Verdict::QuotaSpent { window: WindowName("credit".into()), until: None }
}

fn says(body: &[u8], words: &str) -> bool {
    formats::error_in(body).is_some_and(|(_, message)| message.contains(words))
}

fn too_many(headers: &HeaderMap, windows: &[Window], now: Timestamp) -> Verdict {
    // Of several spent windows, the one that opens last is the one to wait for.
    let spent = windows.iter().filter(|window| window.spent).max_by_key(|window| window.resets_at);
    if let Some(window) = spent {
        let by_header = retry_after(headers, now).and_then(|pause| now.checked_add(pause).ok());
        return Verdict::QuotaSpent { window: window.name.clone(), until: window.resets_at.or(by_header) };
    }
    Verdict::Throttled { retry_after: retry_after(headers, now) }
}

/// `retry-after` as seconds or as an HTTP date (RFC 9110, section 10.2.3); `None` where it is absent, past or absurd.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if let Ok(seconds) = text.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(date.duration_since(now)).ok()?
    };
    Some(pause).filter(|pause| !pause.is_zero() && *pause <= MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::WindowSource;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn after(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())])
    }

    fn read(status: u16, body: &str) -> Verdict {
        verdict(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), &[], now())
    }

    #[test]
    fn each_status_has_its_verdict() {
        let error =
            |message: &str| format!(r#"{{"type":"error","error":{{"type":"x","message":"{message}"}}}}"#);
        assert_eq!(read(200, ""), Verdict::Fine);
        assert_eq!(read(400, &error("max_tokens: too large")), Verdict::RequestFault);
        assert_eq!(read(400, &error("Your credit balance is too low to access the API")), out_of_credit());
        assert_eq!(read(401, ""), Verdict::CredentialRefused);
        assert_eq!(read(403, ""), Verdict::Forbidden);
        assert_eq!(read(403, &error("This organization has been disabled.")), Verdict::CredentialRefused);
        assert_eq!(read(404, ""), Verdict::RequestFault);
        assert_eq!(read(413, ""), Verdict::RequestFault);
        assert_eq!(read(429, ""), Verdict::Throttled { retry_after: None });
        assert_eq!(read(500, ""), Verdict::Weather);
        assert_eq!(read(529, ""), Verdict::Weather);
    }

    #[test]
    fn a_rejected_window_is_a_spent_quota_until_its_own_reset() {
        let reset = now() + jiff::SignedDuration::from_hours(3);
        let name = WindowName("5h".into());
        let window = Window {
            name: name.clone(),
            family: None,
            utilization: Some(1.0),
            resets_at: Some(reset),
            spent: true,
            source: WindowSource::Header,
            learned_at: now(),
        };
        let verdict = verdict(StatusCode::TOO_MANY_REQUESTS, &after("60"), b"", &[window], now());
        assert_eq!(verdict, Verdict::QuotaSpent { window: name, until: Some(reset) });
    }

    #[test]
    fn a_pause_is_read_in_each_spelling_and_nonsense_is_none() {
        let read = |value: &str| retry_after(&after(value), now());
        assert_eq!(read("12"), Some(Duration::from_secs(12)));
        assert_eq!(read("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(read("Mon, 23 Nov 2026 12:01:00 GMT"), Some(Duration::from_mins(1)));
        for nonsense in
            ["0", "-5", "NaN", "1e300", "99999999999", "Mon, 23 Nov 2020 12:01:00 GMT", "soon", ""]
        {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}

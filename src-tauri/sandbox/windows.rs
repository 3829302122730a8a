//! The usage windows of a scripted account: how they fill, when they start anew and what the unified
//! headers say of them. Asks nobody for the time.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};
use jiff::Timestamp;

use super::scenario::ScriptedWindow;
use crate::domain::Family;

/// From this share on the status is `allowed_warning`.
const WARNING: f64 = 0.8;

/// The windows of one account.
#[derive(Debug)]
pub struct Windows(Vec<Window>);

#[derive(Debug)]
struct Window {
    name: String,
    used: f64,
    per_request: f64,
    resets_at: Timestamp,
    every: Duration,
}

impl Windows {
    /// As the scenario has them, `now`.
    pub fn start(scripted: &[ScriptedWindow], now: Timestamp) -> Self {
        let window = |scripted: &ScriptedWindow| Window {
            name: scripted.name.clone(),
            used: scripted.used,
            per_request: scripted.per_request,
            resets_at: now + scripted.resets_in,
            every: scripted.every.unwrap_or(scripted.resets_in).max(Duration::from_secs(1)),
        };
        Self(scripted.iter().map(window).collect())
    }

    /// Starts those anew whose reset has passed.
    pub fn roll(&mut self, now: Timestamp) {
        for window in self.0.iter_mut().filter(|window| window.resets_at <= now) {
            window.used = 0.0;
            while window.resets_at <= now {
                window.resets_at += window.every;
            }
        }
    }

    /// The reset of the spent window that forbids this model, the latest if there are several.
    pub fn spent_until(&self, model: &str) -> Option<Timestamp> {
        let spent = self.0.iter().filter(|window| window.is_spent() && window.applies_to(model));
        spent.map(|window| window.resets_at).max()
    }

    /// Counts one answer.
    pub fn add(&mut self, model: &str) {
        for window in self.0.iter_mut().filter(|window| window.applies_to(model)) {
            window.used += window.per_request;
        }
    }

    /// Spends one window until then; makes it if the account had none of this name.
    pub fn spend(&mut self, name: &str, until: Timestamp, length: Duration) {
        self.0.retain(|window| window.name != name);
        let every = length.max(Duration::from_secs(1));
        let name = name.to_owned();
        self.0.push(Window { name, used: 1.0, per_request: 0.0, resets_at: until, every });
    }

    /// Writes `anthropic-ratelimit-unified-*` for a request to this model; nothing for an account whose
    /// windows don't apply to it. What an answer fills is `rejected` from the next request on.
    pub fn tell(&self, model: &str, refused: bool, headers: &mut HeaderMap) {
        let status = |window: &Window| match window.status() {
            "rejected" if !refused && window.applies_to(model) => "allowed_warning",
            status => status,
        };
        let applying = self.0.iter().filter(|window| window.applies_to(model));
        let Some(binding) = applying.max_by(|a, b| a.used.total_cmp(&b.used)) else { return };
        put(headers, "status", status(binding));
        put(headers, "reset", &binding.resets_at.as_second().to_string());
        put(headers, "representative-claim", binding.claim());
        for window in &self.0 {
            let name = &window.name;
            put(headers, &format!("{name}-status"), status(window));
            put(headers, &format!("{name}-reset"), &window.resets_at.as_second().to_string());
            // Four digits, as a share that was added up in floating point would have sixteen.
            put(headers, &format!("{name}-utilization"), &((window.used * 1e4).round() / 1e4).to_string());
        }
    }
}

impl Window {
    fn is_spent(&self) -> bool {
        // Sums of floating point: 10 × 0.1 is a little less than 1.
        self.used > 1.0 - 1e-9
    }

    fn applies_to(&self, model: &str) -> bool {
        let family = Family::of(&self.name);
        family.is_none() || family == Family::of(model)
    }

    fn status(&self) -> &'static str {
        match self.used {
            _ if self.is_spent() => "rejected",
            used if used >= WARNING => "allowed_warning",
            _ => "allowed",
        }
    }

    fn claim(&self) -> &str {
        match self.name.as_str() {
            "5h" => "five_hour",
            "7d" => "seven_day",
            other => other,
        }
    }
}

/// `retry-after` in whole seconds, never less than one.
pub fn tell_retry(headers: &mut HeaderMap, wait: Duration) {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
}

/// From now until then; nothing if it has passed.
pub fn until(then: Timestamp, now: Timestamp) -> Duration {
    then.duration_since(now).try_into().unwrap_or_default()
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    // A scenario's window may have a name that no header can bear; then it is not told.
    let name = HeaderName::try_from(format!("anthropic-ratelimit-unified-{name}"));
    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn window(name: &str, used: f64, per_request: f64) -> ScriptedWindow {
        ScriptedWindow { name: name.into(), used, per_request, resets_in: HOUR, every: None }
    }

    fn told(windows: &Windows) -> Vec<String> {
        let mut headers = HeaderMap::new();
        windows.tell("claude-haiku-5-5", false, &mut headers);
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            let name = name.as_str().trim_start_matches("anthropic-ratelimit-unified-");
            format!("{name}: {}", value.to_str().unwrap())
        };
        headers.iter().map(line).collect()
    }

    #[test]
    fn a_window_fills_with_each_answer_until_it_is_spent() {
        let mut windows = Windows::start(&[window("5h", 0.7, 0.1)], at(1000));
        for _ in 0..3 {
            assert_eq!(windows.spent_until("claude-opus-5-5"), None);
            windows.add("claude-opus-5-5");
        }
        assert_eq!(windows.spent_until("claude-opus-5-5"), Some(at(4600)));
        windows.roll(at(4600));
        assert_eq!(windows.spent_until("claude-opus-5-5"), None, "it starts anew at its reset");
    }

    #[test]
    fn the_fullest_window_speaks_for_the_account() {
        let windows = Windows::start(&[window("5h", 0.5, 0.1), window("7d", 0.85, 0.1)], at(0));
        assert_eq!(
            told(&windows),
            [
                "status: allowed_warning",
                "reset: 3600",
                "representative-claim: seven_day",
                "5h-status: allowed",
                "5h-reset: 3600",
                "5h-utilization: 0.5",
                "7d-status: allowed_warning",
                "7d-reset: 3600",
                "7d-utilization: 0.85",
            ]
        );
        assert_eq!(told(&Windows::start(&[], at(0))), [""; 0]);
    }

    #[test]
    fn a_familys_window_limits_that_family_alone() {
        let windows = Windows::start(&[window("7d_opus", 1.0, 0.0)], at(0));
        assert!(windows.spent_until("claude-opus-5-5").is_some());
        assert!(windows.spent_until("claude-haiku-5-5").is_none());
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_as_none() {
        let told = |wait| {
            let mut headers = HeaderMap::new();
            tell_retry(&mut headers, wait);
            headers[RETRY_AFTER].clone()
        };
        assert_eq!(told(Duration::from_millis(1500)), "2");
        assert_eq!(told(Duration::ZERO), "1");
    }
}

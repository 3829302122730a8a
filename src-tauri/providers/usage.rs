//! Reads what a provider's own usage endpoint says of an account's limits: which path it has, and where in the JSON
//! what stands, is data of the catalog. What is not there, or makes no sense, is unknown; it is never an error.

use http::uri::PathAndQuery;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::windows::{epoch, number};
use crate::domain::{Period, Window, WindowName, WindowSource};

/// No endpoint states more windows than this.
const MOST: usize = 16;

/// What the catalog says of a provider's usage endpoint.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    path: String,
    windows: Vec<Place>,
}

/// Where a window stands in the answer: members by their names, items by their numbers, with dots between.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Place {
    /// What the window is called here.
    name: String,
    used: Option<String>,
    limit: Option<String>,
    remaining: Option<String>,
    share: Option<String>,
    percent: Option<String>,
    resets: Option<String>,
}

/// A provider's usage endpoint.
#[derive(Debug, Clone)]
pub struct UsageEndpoint {
    path: PathAndQuery,
    places: Vec<Place>,
}

impl UsageEndpoint {
    pub(super) fn of(entry: Entry) -> Result<Self, String> {
        let Entry { path, windows: places } = entry;
        let is_whole = |place: &Place| {
            let has_share = place.share.is_some() || place.percent.is_some();
            let has_count = place.limit.is_some() && (place.used.is_some() || place.remaining.is_some());
            !place.name.is_empty() && place.name.len() <= 64 && (has_share || has_count)
        };
        if !path.starts_with('/') || places.is_empty() || places.len() > MOST || !places.iter().all(is_whole)
        {
            return Err(format!("the usage endpoint {path} does not say where its windows stand"));
        }
        let path = path.parse().map_err(|_| format!("{path} is no path"))?;
        Ok(Self { path, places })
    }

    /// Where it is, behind the account's address.
    pub fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// The windows that an answer states; `None` where it is nothing that could state any. None of them is spent,
    /// however much of it is used: only a refusal shows that.
    pub fn read(&self, answer: &[u8], now: Timestamp) -> Option<Vec<Window>> {
        let answer: Value = serde_json::from_slice(answer).ok().filter(Value::is_object)?;
        Some(self.places.iter().filter_map(|place| place.read(&answer, now)).collect())
    }
}

impl Place {
    fn read(&self, answer: &Value, now: Timestamp) -> Option<Window> {
        let at = |path: &Option<String>| find(answer, path.as_deref()?);
        let count = |path| at(path).and_then(amount);
        let share = count(&self.share).or_else(|| Some(count(&self.percent)? / 100.0));
        let by_count = || {
            let limit = count(&self.limit).filter(|limit| *limit > 0.0)?;
            // What is left is what the limit is judged by; what was used may count what the limit does not.
            let used = count(&self.remaining).map(|left| limit - left).or_else(|| count(&self.used))?;
            Some((used / limit).max(0.0))
        };
        // A limit that there is not is no window.
        let utilization = share.or_else(by_count).filter(|share| *share <= 10.0)?;
        let window = Window::new(WindowName(self.name.as_str().into()), WindowSource::UsageEndpoint, now);
        let resets_at = at(&self.resets).and_then(|told| moment(told, now));
        let resets_at = resets_at.filter(|reset| *reset > now && window.name.may_end(*reset, now));
        Some(Window { utilization: Some(utilization), resets_at, ..window })
    }
}

fn find<'a>(answer: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(answer, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

/// A count or an amount: finite; what is left may be less than nothing.
fn amount(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => number(text),
        value => value.as_f64().filter(|number| number.is_finite() && number.abs() < 1e15),
    }
}

/// Seconds or milliseconds since 1970, RFC 3339, or a period of UTC's calendar by its name: the end of the one that
/// it is now.
fn moment(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let text = match value {
        Value::String(text) => text.trim(),
        value => return amount(value).filter(|number| *number > 0.0).and_then(epoch),
    };
    match text {
        "daily" | "day" => Some(Period::day(now).until),
        "weekly" | "week" => Some(Period::week(now).until),
        "monthly" | "month" => Some(Period::month(now).until),
        text => number(text).and_then(epoch).or_else(|| text.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }

    fn endpoint(windows: &str) -> Result<UsageEndpoint, String> {
        let entry = toml::from_str(&format!("path = '/v1/key'\nwindows = [{windows}]"));
        UsageEndpoint::of(entry.map_err(|error| error.to_string())?)
    }

    fn credits() -> UsageEndpoint {
        let place = "{ name = 'credits', limit = 'data.limit', remaining = 'data.limit_remaining', \
                     used = 'data.usage', resets = 'data.limit_reset' }";
        endpoint(place).unwrap()
    }

    fn read(answer: &str) -> Option<(f64, Option<String>)> {
        let windows = credits().read(answer.as_bytes(), now())?;
        let window = windows.first()?;
        assert!(!window.spent && window.source == WindowSource::UsageEndpoint);
        Some((window.utilization.unwrap(), window.resets_at.map(|reset| reset.to_string())))
    }

    #[test]
    fn a_limit_is_read_with_what_is_left_and_the_period_that_it_is_for() {
        let answer = |reset: &str| {
            format!(r#"{{"data":{{"limit":100,"limit_remaining":74.5,"usage":900,"limit_reset":{reset}}}}}"#)
        };
        for (reset, until) in [
            (r#""daily""#, Some("2026-11-27T00:00:00Z")),
            (r#""weekly""#, Some("2026-11-30T00:00:00Z")),
            (r#""monthly""#, Some("2026-12-01T00:00:00Z")),
            ("null", None),
            (r#""yearly""#, None),
            ("1795700000", Some("2026-11-26T13:33:20Z")),
            ("1795700000000", Some("2026-11-26T13:33:20Z")),
            (r#""2026-11-27T08:00:00+01:00""#, Some("2026-11-27T07:00:00Z")),
            (r#""2026-11-25T08:00:00Z""#, None),
            (r#""2036-11-25T08:00:00Z""#, None),
        ] {
            assert_eq!(read(&answer(reset)), Some((0.255, until.map(Into::into))), "{reset}");
        }
    }

    #[test]
    fn what_has_no_limit_or_makes_no_sense_is_no_window() {
        for none in [
            r#"{"data":{"limit":null,"limit_remaining":null,"usage":3}}"#,
            r#"{"data":{"limit":0,"limit_remaining":0}}"#,
            r#"{"data":{"limit":-5,"limit_remaining":1}}"#,
            r#"{"data":{"limit":"a lot","limit_remaining":1}}"#,
            r#"{"data":{"limit":1,"limit_remaining":-1e9}}"#,
            r#"{"data":{"limit":1}}"#,
            r#"{"data":[1,2]}"#,
            "{}",
            "[]",
            "7",
            "",
            "<html>",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(read(r#"{"data":{"limit":10,"limit_remaining":-1}}"#), Some((1.1, None)), "overdrawn");
        assert_eq!(read(r#"{"data":{"limit":"10","usage":"2.5"}}"#), Some((0.25, None)), "as texts");
    }

    #[test]
    fn shares_and_items_of_lists_can_be_named() {
        let two = endpoint(
            "{ name = '5h', percent = 'limits.0.percentage', resets = 'limits.0.next' }, \
             { name = '7d', share = 'limits.1.used' }",
        );
        let answer = br#"{"limits":[{"percentage":40,"next":1795700000},{"used":0.5}]}"#;
        let windows = two.unwrap().read(answer, now()).unwrap();
        let told: Vec<_> =
            windows.iter().map(|window| (window.name.0.as_ref(), window.utilization)).collect();
        assert_eq!(told, [("5h", Some(0.4)), ("7d", Some(0.5))]);
        assert!(windows[0].resets_at.is_some());
    }

    #[test]
    fn an_entry_that_could_not_be_read_by_is_a_mistake() {
        for wrong in [
            "",
            "{ name = '5h' }",
            "{ share = 'a' }",
            "{ name = 'a', limit = 'b' }",
            "{ name = 'a', chare = 'b' }",
        ] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn whatever_an_endpoint_says_a_share_is_a_share_and_a_reset_lies_ahead(
            limit in any::<f64>(), left in any::<f64>(), reset in any::<i64>(),
        ) {
            let answer = serde_json::json!({ "data": { "limit": limit, "limit_remaining": left, "limit_reset": reset } });
            for window in credits().read(answer.to_string().as_bytes(), now()).unwrap() {
                prop_assert!((0.0..=10.0).contains(&window.utilization.unwrap()));
                prop_assert!(window.resets_at.is_none_or(|reset| reset > now()));
            }
        }
    }
}

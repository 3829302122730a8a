//! The first question, "Can I keep working, and until when?", answered in one sentence, with the accounts
//! and today's sums. Computed here so that page, tray and command line say the same.

use axum::{Json, extract::State};
use jiff::{Timestamp, tz::TimeZone};

use crate::api::{
    Api, Refused, blocking,
    views::{AccountView, Mood, Overview, Today},
};
use crate::domain::{Endpoint, ExchangeId, StandingState};

impl Api {
    /// The overview now. Blocks on the store.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn overview(&self) -> Result<Overview, Refused> {
        let now = self.clock.now();
        let zone = self.clock.zone();
        let accounts = self.accounts();
        let (mood, sentence) = sentence(&accounts, self.gateway.is_paused(), now, &zone);
        let totals = self.store.totals_since(ExchangeId::first_of(midnight(now, &zone).as_millisecond()))?;
        let today = Today {
            requests: totals.requests,
            complete: totals.complete,
            rescued: totals.rescued,
            input: totals.usage.input,
            output: totals.usage.output,
            cache_read: totals.usage.cache_read,
            cache_write: totals.usage.cache_write,
        };
        Ok(Overview { sentence, mood, accounts, today })
    }
}

/// The sentence, the accounts and today's sums.
#[utoipa::path(get, path = "/api/v1/overview", responses((status = OK, body = Overview)))]
pub async fn overview(State(api): State<Api>) -> Result<Json<Overview>, Refused> {
    Ok(Json(blocking(move || api.overview()).await?))
}

fn midnight(now: Timestamp, zone: &TimeZone) -> Timestamp {
    let today = now.to_zoned_datetime(zone.clone());
    today.start_of_day().map_or(now, |start| start.timestamp())
}

/// What a person wants to know first.
pub fn sentence(
    accounts: &[AccountView],
    is_paused: bool,
    now: Timestamp,
    zone: &TimeZone,
) -> (Mood, String) {
    if is_paused {
        return (Mood::Care, "Headgate is paused: requests are refused until you resume it.".into());
    }
    let count = |state| accounts.iter().filter(|account| account.standing.state == state).count();
    let ready = accounts.iter().filter(|account| account.is_ready()).count();
    let total = accounts.len();
    if total == 0 {
        return (Mood::Care, "No account yet. Add one, and Claude Code can work through it.".into());
    }
    let back = accounts
        .iter()
        .filter_map(|account| Some((back_at(account)?, account)))
        .min_by_key(|(until, _)| *until);
    if ready == 0 {
        let needs_key = count(StandingState::NeedsSignIn) > 0;
        let is_any_kept_back = accounts.iter().any(|account| account.kept_back_wholly().is_some());
        return (Mood::Bad, nobody_can_work(back, needs_key, is_any_kept_back, now, zone));
    }
    let mut text = match (ready, total) {
        (1, 1) => "Your account is ready.".to_owned(),
        (ready, total) if ready == total => format!("All {total} accounts are ready."),
        (ready, total) => {
            format!("{ready} of {total} accounts {} ready.", if ready == 1 { "is" } else { "are" })
        }
    };
    if let Some((until, account)) = back {
        let reason = account.standing.reason.as_deref();
        let reason =
            reason.or(account.kept_back_wholly().map(|kept| kept.reason.as_str())).unwrap_or("it rests");
        text += &format!(" {} is back at {} ({reason}).", account.name, clock_time(until, now, zone));
    }
    let fullest = accounts
        .iter()
        .filter(|account| account.is_ready())
        .flat_map(|account| account.windows.iter().map(move |window| (account, window)))
        .filter(|(_, window)| window.limits == Some(Endpoint::Messages))
        .filter_map(|(account, window)| Some((window.utilization?, account, window)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((used, account, window)) = fullest.filter(|(used, ..)| *used >= 0.8) {
        text += &format!(" {}'s {} window is {:.0} % used.", account.name, window.name, used * 100.0);
        return (Mood::Care, text);
    }
    (if ready == total { Mood::Good } else { Mood::Care }, text)
}

/// When an account that rests or is kept back may be asked again; of two rests the longer one counts.
fn back_at(account: &AccountView) -> Option<Timestamp> {
    let kept = account.kept_back_wholly();
    match account.standing.state {
        StandingState::Ready => kept?.until,
        StandingState::Cooling => {
            let rest = account.standing.until?;
            kept.map_or(Some(rest), |kept| Some(kept.until?.max(rest)))
        }
        StandingState::Paused | StandingState::NeedsSignIn => None,
    }
}

fn nobody_can_work(
    back: Option<(Timestamp, &AccountView)>,
    needs_key: bool,
    is_any_kept_back: bool,
    now: Timestamp,
    zone: &TimeZone,
) -> String {
    match back {
        Some((until, account)) => {
            format!("Nobody can work until {}: then {} is back.", clock_time(until, now, zone), account.name)
        }
        None if needs_key => "Nobody can work: an account needs a new key.".into(),
        None if is_any_kept_back => "Nobody can work: what you keep back of your accounts has no end.".into(),
        None => "Nobody can work: every account is paused.".into(),
    }
}

/// "14:20", or with the day where it is not within the next day.
fn clock_time(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    let is_near = at.duration_since(now) < jiff::SignedDuration::from_hours(20);
    local.strftime(if is_near { "%H:%M" } else { "%a %H:%M" }).to_string()
}

//! The back-test: recorded requests, played under the plan as it is and under others. It asks no upstream, changes
//! nothing and writes nothing. One runs at a time, aside, and ends when nobody waits for it any more.

pub(super) mod limits;
pub(super) mod order;
pub mod views;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Json, extract::State};
use jiff::{SignedDuration, Timestamp};

use crate::api::{
    Api, Refused,
    backtest::order::{Added, Question},
    backtest::views::{BacktestAccount, BacktestOrder, BacktestRow, BacktestView},
    input::Body,
    make,
    views::Problem,
};
use crate::{
    domain::{AccountId, Ask, Binding, Caps, ExchangeId, KeyId, Outlay, Period, Subject, counted},
    routing::{
        Contender, Ration, Snapshot,
        replay::{AccountScore, Alternative, Backtest, Past, Player, Score, Terms, is_played},
    },
    store::StoreError,
    tasks::Tasks,
};

/// The newest ones are read. In memory they are about a hundred MiB, for as long as they are played.
const MOST_REQUESTS: usize = 200_000;
/// Said of every back-test.
const WEATHER: &str = "The weather is not played: overloads, outages, refused keys and limits that refill by the \
    minute happen to nobody here.";

/// Raised when whoever asked has left, or all is over.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs what takes long aside, and tells it when nobody waits for it any more: its client has left, or the core stops.
async fn while_wanted<T: Send + 'static>(
    tasks: &Tasks,
    work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let is_over = Arc::new(AtomicBool::new(false));
    let _wanted = Wanted(Arc::clone(&is_over));
    let working = tasks.spawn_blocking(move || work(&|| !is_over.load(Ordering::Relaxed)));
    tokio::select! {
        done = working => done.map_err(|_| Refused::broken("the back-test broke off"))?,
        () = tasks.stopping() => Err(Refused::stopping()),
    }
}

/// What the recorded requests of the last days would have met with under other policies, priorities or accounts.
/// Nothing is sent, spent or written.
#[utoipa::path(post, path = "/api/v1/backtest", operation_id = "backtest", request_body = BacktestOrder, responses(
    (status = OK, body = BacktestView), (status = NOT_FOUND, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem), (status = TOO_MANY_REQUESTS, body = Problem),
))]
pub async fn backtest(
    State(api): State<Api>,
    Body(order): Body<BacktestOrder>,
) -> Result<Json<BacktestView>, Refused> {
    let question = Question::of(&order, &api)?;
    let Ok(place) = Arc::clone(&api.backtests).try_acquire_owned() else {
        return Err(Refused::busy("Another back-test is running: try again when it is over."));
    };
    let ours = api.clone();
    let answer = while_wanted(&api.tasks, move |goes_on| {
        let _place = place;
        question.answer(&ours, goes_on)
    });
    answer.await.map(Json)
}

impl Question {
    /// Whether what the account has spent matters: it has caps, or it would have.
    fn counts(&self, contender: &Contender) -> bool {
        let of_others = self.alternatives.iter().flat_map(|(_, alternative)| &alternative.guards);
        let of_others = of_others.filter(|(id, _)| *id == contender.account.id);
        let guards = of_others.map(|(_, guards)| guards).chain([&contender.account.guards]);
        guards.flatten().any(|guards| guards.caps != Caps::default())
    }

    fn answer(self, api: &Api, goes_on: &dyn Fn() -> bool) -> Result<BacktestView, Refused> {
        let now = api.clock.now();
        let back = |from: Timestamp, by: SignedDuration| from.checked_sub(by).unwrap_or(Timestamp::MIN);
        let since = back(now, SignedDuration::from_hours(24 * i64::from(self.days)));
        let of_others = self.alternatives.iter().flat_map(|(_, alternative)| &alternative.limits);
        let given = self.capacities.iter().map(|capacity| &capacity.window);
        let given = given.chain(of_others.map(|(_, limit)| &limit.name));
        let before = back(since, limits::longest(&self.snapshot, given));
        let first = ExchangeId::first_of(before.as_millisecond());
        let read = api.store.recorded(first, MOST_REQUESTS, goes_on)?.ok_or_else(Refused::stopping)?;
        // A cut takes the oldest ones: as much of the time as is left is known whole.
        let known_since = if read.is_cut { read.rows.first().map_or(before, |row| row.at) } else { before };
        let past = Past::new(read.rows, since);
        let (Some(first), Some(last)) = (past.rows().first(), past.rows().last()) else {
            let days = if self.days == 1 { "day".into() } else { counted(self.days, "day") };
            return Err(Refused::not_found(format!(
                "no request was recorded in the last {days}: look further back with more days, or come back when some \
                 have been served"
            )));
        };
        let (first, last) = (first.at, last.at);
        let requests = past.playable().count() as u64;
        if requests == 0 {
            return Err(Refused::not_found(
                "none of the recorded requests can be played: either all would have been refused under any plan, or no \
                 answer has told what it used",
            ));
        }
        let limits = limits::of(&self.snapshot, &self.capacities, &past, known_since);
        let mut players = limits.players;
        for player in &mut players {
            if self.counts(&player.contender) {
                player.contender.outlay = outlay(api, player.contender.account.id, first)?;
            }
        }
        let (guessed, left_out) = (past.guessed(), past.rows().len() as u64 - requests);
        let is_cut = known_since > since;
        let mut notes = notes(&past, &self.snapshot, &players);
        let paid =
            |id| players.iter().find(|one| one.contender.account.id == id).map(|one| one.is_paid_by_use);
        let mut rows = vec![row("as it happened", true, past.score(paid), &self.added, api)];
        let keys = past.keys();
        let terms: HashMap<_, _> = keys.iter().filter_map(|key| Some((*key, terms(api, *key)?))).collect();
        if terms.len() < keys.len() {
            notes
                .push("Some requests came with keys that are revoked; in a play nothing limits them.".into());
        }
        notes.push(WEATHER.into());
        let (prices, cache_prices) = (api.gateway.prices.clone(), api.gateway.prices.clone());
        let backtest = Backtest {
            past,
            players,
            plan: (*self.snapshot.plan).clone(),
            patience: api.gateway.limits.hold(),
            ration: Ration::of(NonZeroU32::new(api.gateway.limits.requests_per_account)),
            terms,
            prices: Arc::new(move |model| prices.of_input(model)),
            cache_prices: Box::new(move |model| cache_prices.of_cache(model)),
        };
        let backtest = backtest.with_open_windows();
        let as_it_is = ("the plan as it is".to_owned(), Alternative::default());
        for (name, alternative) in std::iter::once(as_it_is).chain(self.alternatives) {
            let score = backtest.play(&alternative, goes_on).ok_or_else(Refused::stopping)?;
            rows.push(row(&name, false, score, &self.added, api));
        }
        Ok(BacktestView {
            since: first,
            until: last,
            requests,
            left_out,
            guessed,
            is_cut,
            rows,
            limits: limits.views,
            notes,
        })
    }
}

/// What its key allows, as for a request that comes now.
fn terms(api: &Api, key: KeyId) -> Option<Terms> {
    let holder = api.gateway.keys.get(key)?;
    let mut ask = Ask::default();
    api.gateway.roster.narrow(&mut ask, &holder.key.grant);
    Some(Terms { only: ask.only, pools: ask.pools })
}

/// What an account had spent when the first request came.
fn outlay(api: &Api, id: AccountId, at: Timestamp) -> Result<Outlay, StoreError> {
    let until_then = |period: Period| api.store.spent_until(id, period.since, at);
    Ok(Outlay {
        at,
        day: until_then(Period::day(at))?,
        week: until_then(Period::week(at))?,
        month: until_then(Period::month(at))?,
    })
}

fn row(name: &str, recorded: bool, score: Score, added: &[Added], api: &Api) -> BacktestRow {
    let is_unknown = score.unpriced > 0 && score.cost == 0.0;
    let named = |id: AccountId| {
        let added = added.iter().find(|added| added.id == id).map(|added| added.name.to_string());
        added.unwrap_or_else(|| make::name(&api.gateway.roster, id))
    };
    let account = |one: AccountScore| BacktestAccount {
        account: one.account.0,
        name: named(one.account),
        served: one.served,
        tokens: one.weight,
        limits_hit: one.limits_hit,
        limits: one.limits,
    };
    BacktestRow {
        name: name.into(),
        recorded,
        served: score.served,
        refused: score.refused,
        waited: score.waited,
        waited_seconds: score.waited_seconds,
        limits_hit: score.limits_hit,
        switches: score.switches,
        moved: (!recorded).then_some(score.moved),
        cold_tokens: score.cold_tokens,
        cost: (!is_unknown).then_some(score.cost),
        unpriced: score.unpriced,
        accounts: score.accounts.into_iter().map(account).collect(),
    }
}

/// What a person has to know to read the numbers.
fn notes(past: &Past, snapshot: &Snapshot, players: &[Player]) -> Vec<String> {
    let mut notes = Vec::new();
    let gone = past.playable().filter_map(|row| row.account).filter(|id| snapshot.get(*id).is_none()).count();
    if gone > 0 {
        notes.push(format!(
            "Accounts that are gone served {gone} of the requests; in a play others take them."
        ));
    }
    for contender in &snapshot.contenders {
        let account = &contender.account;
        if account.pause.is_some() {
            notes.push(format!("{} is paused now, and serves nothing in a play.", account.name));
        }
        if account.refused.is_some() {
            notes.push(format!("{} needs a new key now; in a play its key works.", account.name));
        }
    }
    let by_use = players.iter().filter(|player| player.is_paid_by_use);
    let by_use: Vec<_> = by_use.map(|player| player.contender.account.name.as_str()).collect();
    if !by_use.is_empty() {
        notes.push(format!(
            "Taken as paid by use, at list price: {}. `headgate accounts set NAME --paid plan` says otherwise.",
            by_use.join(", ")
        ));
    }
    for player in players {
        let (contender, name) = (&player.contender, &player.contender.account.name);
        if contender.provider.passes_logins()
            && !contender.windows.iter().any(is_played)
            && player.limits.is_empty()
        {
            notes.push(format!(
                "No limit of {name} is known, so it is played without any: name them, as in --capacity \"{name}:5h=TOKENS\"."
            ));
        }
    }
    let is_of_folder = |binding: &Binding| matches!(binding.subject, Subject::Directory(_));
    if snapshot.plan.bindings.iter().any(is_of_folder) {
        notes.push(
            "The folders of requests are not kept, so bindings of folders bind nothing in a play.".into(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_leaves_ends_its_back_test() {
        let (tasks, (began, begun), (end, ended)) =
            (Tasks::default(), tokio::sync::oneshot::channel(), tokio::sync::oneshot::channel());
        let asked = while_wanted(&tasks, move |goes_on| {
            began.send(()).unwrap();
            while goes_on() {
                std::thread::yield_now();
            }
            end.send(()).unwrap();
            Ok(())
        });
        tokio::select! {
            _ = asked => panic!("it goes on for as long as somebody waits"),
            begun = begun => begun.unwrap(),
        }
        ended.await.expect("it was told that nobody waits any more");
    }

    #[tokio::test]
    async fn a_core_that_stops_waits_for_no_back_test() {
        let tasks = Tasks::default();
        let asked = while_wanted(&tasks, |goes_on| {
            while goes_on() {
                std::thread::yield_now();
            }
            Ok(())
        });
        tasks.stop();
        assert_eq!(asked.await, Err(Refused::stopping()));
        tasks.ended().await;
    }
}

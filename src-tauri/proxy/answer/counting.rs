//! `count_tokens` where no upstream counts: which accounts can't, and the estimate that is given instead.
//! Estimates are made on other threads, a few at a time and each within a time limit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::{failure::plain, record::Record, relay::Answer};
use crate::{
    clock::Clock,
    domain::AccountId,
    formats::error_in,
    metering::{Estimate, prepare_to_count},
    proxy::{AnswerBody, Gateway, arrival::request::Arrival},
    routing::Aside,
    tasks::Tasks,
};

/// So many estimates are made at once; one that finds no place is made by the body's length alone.
const AT_ONCE: usize = 2;
/// An estimate is by bytes from here on: more than a megabyte of text, on a busy machine too.
const TIME: Duration = Duration::from_millis(250);
/// An upstream that does not count is asked again after this long.
const REMEMBERED: Duration = Duration::from_hours(6);
const ESTIMATED: HeaderName = HeaderName::from_static("x-headgate-estimated");

/// What is needed to count for those who can't.
pub struct Counting {
    places: Arc<Semaphore>,
    /// Accounts whose upstream has no such path, and until when that is believed. One entry an account.
    cannot: Mutex<HashMap<AccountId, Timestamp>>,
    tasks: Tasks,
}

impl Counting {
    /// For one gateway.
    pub fn new(tasks: Tasks) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), cannot: Mutex::default(), tasks }
    }

    /// Whom a request need not ask, because it wants a count that they can't give.
    pub fn passed_over(&self, arrival: &Arrival, gateway: &Gateway) -> Vec<Aside> {
        if arrival.counts_tokens() { self.unable(gateway) } else { Vec::new() }
    }

    /// Has everything made ready aside, so that the first estimate waits for nothing either.
    pub fn prepare(&self) {
        drop(self.tasks.spawn_blocking(prepare_to_count));
    }

    /// Who can't count tokens, as far as anybody knows.
    pub fn unable(&self, gateway: &Gateway) -> Vec<Aside> {
        let now = gateway.clock.now();
        let snapshot = gateway.roster.snapshot();
        let mut cannot = self.cannot();
        cannot.retain(|id, until| *until > now && snapshot.get(*id).is_some());
        let is_out = |id| cannot.contains_key(&id);
        let out =
            snapshot.contenders.iter().filter(|one| !one.provider.counts_tokens || is_out(one.account.id));
        out.map(|one| Aside::wholly(one.account.id)).collect()
    }

    /// Whether an answer says that its upstream does not count at all; then it is not asked again for a while.
    pub fn is_missing(&self, answer: &Answer, now: Timestamp) -> bool {
        let is_missing = match answer.head.status.as_u16() {
            405 | 501 => true,
            // A model that is not there is the request's own fault.
            404 => !error_in(&answer.begun).is_some_and(|(_, message)| message.starts_with("model")),
            _ => false,
        };
        if is_missing {
            let until = now.checked_add(REMEMBERED).unwrap_or(Timestamp::MAX);
            self.cannot().insert(answer.account, until);
        }
        is_missing
    }

    async fn estimate(&self, arrival: &Arrival, clock: Clock) -> Estimate {
        let by_length = Estimate { tokens: (arrival.body.len() as u64).div_ceil(4).max(1), is_rough: true };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return by_length };
        let (body, model) = (arrival.body.clone(), arrival.ask.model.clone());
        let estimating = self.tasks.spawn_blocking(move || {
            let began = clock.instant();
            let is_late = || clock.instant().duration_since(began) > TIME;
            let estimate = Estimate::of(&body, model.as_deref(), is_late);
            drop(place);
            estimate
        });
        estimating.await.unwrap_or(by_length)
    }

    fn cannot(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, Timestamp>> {
        self.cannot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers with an estimate, because no account's upstream can or will count now.
pub async fn estimate(gateway: &Gateway, arrival: &Arrival, record: Box<Record>) -> Response<AnswerBody> {
    let Estimate { tokens, is_rough } = gateway.counting.estimate(arrival, gateway.clock.clone()).await;
    let how = if is_rough { "roughly, by its bytes" } else { "with tiktoken" };
    record.answer_here(
        StatusCode::OK,
        format!("no upstream counted these tokens: estimated here {how}").into(),
    );
    let mut answer = plain(StatusCode::OK, "application/json", format!(r#"{{"input_tokens":{tokens}}}"#));
    let mark = if is_rough { "rough" } else { "true" };
    answer.headers_mut().insert(ESTIMATED, HeaderValue::from_static(mark));
    answer
}

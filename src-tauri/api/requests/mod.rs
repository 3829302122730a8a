//! Requests: the list, newest first, and one of them.

pub(super) mod explain;
pub mod explain_views;

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::{
    Api, Refused, blocking,
    input::{Filter, Id},
    make,
    views::{Problem, RequestPage, RequestView},
};
use crate::{
    domain::{AccountId, BadId, DecisionRecord, Ending, Exchange, ExchangeId},
    store::{RequestFilter, Store, StoreError},
};

/// Which requests.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// At most so many; 50 where nothing is said, 500 at most.
    limit: Option<u32>,
    /// Older than this request.
    before: Option<String>,
    /// Served by this account.
    account: Option<i64>,
    /// With this ending.
    #[param(inline)]
    ending: Option<Ending>,
    /// Only those that are running.
    running: Option<bool>,
}

const USUAL_PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;

/// Requests, newest first.
#[utoipa::path(get, path = "/api/v1/requests", operation_id = "list_requests", params(Wanted), responses(
    (status = OK, body = RequestPage), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn list(
    State(api): State<Api>,
    Filter(wanted): Filter<Wanted>,
) -> Result<Json<RequestPage>, Refused> {
    let limit = wanted.limit.unwrap_or(USUAL_PAGE).clamp(1, LARGEST_PAGE);
    let filter = RequestFilter {
        limit: limit + 1,
        before: wanted.before.as_deref().map(id_of).transpose()?,
        account: wanted.account.map(AccountId),
        ending: wanted.ending,
        running: wanted.running.unwrap_or(false),
    };
    let store = api.store.clone();
    let mut found = blocking(move || store.requests(&filter)).await?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| has_more).map(|last| last.start.id.to_string());
    let requests = found.iter().map(|exchange| make::request(exchange, &api.gateway)).collect();
    Ok(Json(RequestPage { requests, next }))
}

/// One request with its attempts, and why it went where it went.
#[utoipa::path(get, path = "/api/v1/requests/{id}", operation_id = "show_request", params(("id" = String, Path)), responses(
    (status = OK, body = RequestView), (status = NOT_FOUND, body = Problem),
))]
pub async fn show(State(api): State<Api>, Id(id): Id<String>) -> Result<Json<RequestView>, Refused> {
    // What can be no request's id is none that is there.
    let id = id.parse().map_err(|error: BadId| Refused::not_found(error.to_string()))?;
    let store = api.store.clone();
    let (found, decision) = blocking(move || read(&store, id)).await?;
    let found =
        found.ok_or_else(|| Refused::not_found("there is no such request, or it is too old to be kept"))?;
    let named = |record| explain::with_names(record, &api.gateway.keys);
    let decision =
        decision.map(|record| Box::new(DecisionRecord { at: decided_at(&found), ..named(record) }));
    Ok(Json(RequestView { decision, ..make::request(&found, &api.gateway) }))
}

/// One that still runs as far as the disk knows may have ended a moment ago: who heard of that wants to read it.
fn read(store: &Store, id: ExchangeId) -> Result<(Option<Exchange>, Option<DecisionRecord>), StoreError> {
    let mut found = store.request(id)?;
    if found.as_ref().is_none_or(|found| found.ending.is_none()) && store.flush().is_ok() {
        found = store.request(id)?;
    }
    Ok((found, explain::decision(store, id)?))
}

/// The last decision came right before the last try, or before the end where nobody was tried.
fn decided_at(exchange: &Exchange) -> Timestamp {
    let after = exchange.attempts.last().map(|last| last.began).or(exchange.duration).unwrap_or_default();
    exchange.start.started_at.checked_add(after).unwrap_or(exchange.start.started_at)
}

fn id_of(text: &str) -> Result<ExchangeId, Refused> {
    text.parse().map_err(|error: BadId| Refused::bad_input(error.to_string()))
}

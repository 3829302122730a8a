//! Why a request went where it went, and where one would go: the dry run, and what was kept from costing money.

use axum::{Json, extract::State};
use jiff::SignedDuration;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::{
    Api, Refused, blocking,
    input::{Body, Filter},
    make,
    requests::explain_views::{ExplainOrder, PreventedView},
    views::Problem,
};
use crate::{
    domain::{Ask, DecisionRecord, Endpoint, ExchangeId, KeyId, Needs},
    keys::{EditError, Holder, Register},
    proxy::{folder, is_project},
    store::Store,
};

/// Where such a request would go now, and why. Nothing is sent, spent or bound.
#[utoipa::path(post, path = "/api/v1/explain", operation_id = "explain", request_body = ExplainOrder, responses(
    (status = OK, body = DecisionRecord), (status = NOT_FOUND, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn explain(
    State(api): State<Api>,
    Body(order): Body<ExplainOrder>,
) -> Result<Json<DecisionRecord>, Refused> {
    let is_called =
        |holder: &Holder, name: &str| holder.key.name.as_str().to_lowercase() == name.to_lowercase();
    let holder = match &order.key {
        Some(name) => {
            let holder = api.gateway.keys.live().into_iter().find(|holder| is_called(holder, name));
            Some(holder.ok_or(EditError::NotFound)?)
        }
        None => None,
    };
    let login = order.login;
    let record = api.gateway.rehearse(ask(order)?, holder.as_deref(), login);
    Ok(Json(with_names(record, &api.gateway.keys)))
}

/// Keys by their names where bindings are told: selection knows their numbers alone.
pub(in crate::api) fn with_names(mut record: DecisionRecord, keys: &Register) -> DecisionRecord {
    let Some(binding) = record.binding.as_deref() else { return record };
    let id = binding.strip_prefix("key ").and_then(|id| id.parse().ok());
    if let Some(name) = id.and_then(|id| keys.name_of(KeyId(id))) {
        record.binding = Some(format!("key {name}").into());
    }
    record
}

fn ask(order: ExplainOrder) -> Result<Ask, Refused> {
    if let Some(odd) = order.project.as_deref().filter(|name| !is_project(name)) {
        return Err(Refused::bad_input(format!(
            "\"{odd}\" would be ignored as a project: it takes up to 64 letters, digits, `-`, `_` and `.`, and begins with \
             a letter or a digit"
        )));
    }
    let directory = order.directory.as_deref().map(|path| {
        let odd = || format!("\"{path}\" would be ignored as a folder: name its whole path, without `..`");
        folder(path).ok_or_else(|| Refused::bad_input(odd()))
    });
    let betas = (!order.betas.is_empty()).then(|| order.betas.join(",").parse());
    let betas =
        betas.transpose().map_err(|_| Refused::bad_input("a beta feature can't stand in a header"))?;
    let text = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Into::into);
    Ok(Ask {
        model: text(order.model),
        session: text(order.session),
        agent: text(order.agent),
        stream: order.stream && order.endpoint == Endpoint::Messages,
        endpoint: order.endpoint,
        bytes: order.bytes,
        role: order.role,
        agent_type: text(order.agent_type),
        project: text(order.project),
        directory: directory.transpose()?,
        needs: Needs { tokens: order.tokens, images: order.images, tools: order.tools, betas },
        ..Ask::default()
    })
}

/// How far back.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// So many days, today included; 30 where nothing is said, 400 at most.
    days: Option<u16>,
}

const USUAL_DAYS: u16 = 30;
const MOST_DAYS: u16 = 400;

/// How often requests were kept from paths to money that nobody has allowed, by day and path, the latest first.
#[utoipa::path(get, path = "/api/v1/prevented", operation_id = "list_prevented", params(Since), responses(
    (status = OK, body = [PreventedView]), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn prevented(
    State(api): State<Api>,
    Filter(since): Filter<Since>,
) -> Result<Json<Vec<PreventedView>>, Refused> {
    let days = since.days.unwrap_or(USUAL_DAYS).clamp(1, MOST_DAYS);
    let back = SignedDuration::from_hours(24 * (i64::from(days) - 1));
    let since = api.clock.now().checked_sub(back).unwrap_or(jiff::Timestamp::MIN);
    let store = api.store.clone();
    let rows = blocking(move || store.prevented(since)).await?;
    let roster = &api.gateway.roster;
    let view = |row: &crate::store::PreventedRow| PreventedView {
        day: row.day,
        from: make::name(roster, row.path.from),
        from_id: row.path.from.0,
        to: make::name(roster, row.path.to),
        to_id: row.path.to.0,
        requests: row.requests,
    };
    Ok(Json(rows.iter().map(view).collect()))
}

/// The decision of a request as it was kept, without its time. One that this version can't read is none.
pub(in crate::api) fn decision(
    store: &Store,
    id: ExchangeId,
) -> Result<Option<DecisionRecord>, crate::store::StoreError> {
    let Some(text) = store.decision_of(id)? else { return Ok(None) };
    let record = serde_json::from_str(&text);
    Ok(record.inspect_err(|error| tracing::warn!(%error, "a decision can't be read")).ok())
}

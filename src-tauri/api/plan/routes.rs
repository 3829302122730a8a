//! Routes: list, add, change, remove. A removed one is given back, so that it can be put back.

use axum::{Json, extract::State, http::StatusCode};

use crate::api::{
    Api, Refused, blocking,
    input::{Body, Id},
    plan::views::{NewRoute, RouteChange, RouteView},
    views::Problem,
};
use crate::domain::{Route, RouteId};

impl Api {
    fn route_view(&self, route: &Route) -> RouteView {
        RouteView::of(route, &self.gateway.roster.snapshot())
    }
}

/// Every route. A slot without a name points at nothing.
#[utoipa::path(get, path = "/api/v1/routes", operation_id = "list_routes", responses((status = OK, body = [RouteView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<RouteView>> {
    let snapshot = api.gateway.roster.snapshot();
    Json(snapshot.plan.routes.iter().map(|route| RouteView::of(route, &snapshot)).collect())
}

/// Makes a route, or puts a removed one back.
#[utoipa::path(post, path = "/api/v1/routes", operation_id = "add_route", request_body = NewRoute, responses(
    (status = CREATED, body = RouteView), (status = CONFLICT, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn add(
    State(api): State<Api>,
    Body(new): Body<NewRoute>,
) -> Result<(StatusCode, Json<RouteView>), Refused> {
    let (roster, new) = (api.gateway.roster.clone(), new.read()?);
    let added = blocking(move || roster.add_route(new)).await?;
    Ok((StatusCode::CREATED, Json(api.route_view(&added))))
}

/// Changes a route, or switches it off and on.
#[utoipa::path(patch, path = "/api/v1/routes/{id}", operation_id = "change_route", request_body = RouteChange, params(("id" = i64, Path)), responses(
    (status = OK, body = RouteView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn change(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Body(change): Body<RouteChange>,
) -> Result<Json<RouteView>, Refused> {
    let (roster, change) = (api.gateway.roster.clone(), change.read()?);
    let changed = blocking(move || roster.change_route(RouteId(id), change)).await?;
    Ok(Json(api.route_view(&changed)))
}

/// Removes a route, and gives it back as it was.
#[utoipa::path(delete, path = "/api/v1/routes/{id}", operation_id = "remove_route", params(("id" = i64, Path)), responses(
    (status = OK, body = RouteView), (status = NOT_FOUND, body = Problem),
))]
pub async fn remove(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<RouteView>, Refused> {
    let roster = api.gateway.roster.clone();
    let removed = blocking(move || roster.remove_route(RouteId(id))).await?;
    Ok(Json(api.route_view(&removed)))
}

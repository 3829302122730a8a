//! Pools, and the setting that stands beside the plan.

use axum::{Json, extract::State, http::StatusCode};

use crate::api::{
    Api, Refused, blocking,
    input::{Body, Id},
    plan::views::{NewPool, PlanSettings, PoolChange, PoolView, RemovedPool},
    views::Problem,
};
use crate::domain::{Pool, PoolId, Target};

impl Api {
    fn pool_view(&self, pool: &Pool) -> PoolView {
        PoolView::of(pool, &self.gateway.roster.snapshot())
    }
}

/// Every pool with its accounts. `main` is always there.
#[utoipa::path(get, path = "/api/v1/pools", operation_id = "list_pools", responses((status = OK, body = [PoolView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<PoolView>> {
    let snapshot = api.gateway.roster.snapshot();
    Json(snapshot.plan.pools.iter().map(|pool| PoolView::of(pool, &snapshot)).collect())
}

/// Makes a pool, or puts a removed one back.
#[utoipa::path(post, path = "/api/v1/pools", operation_id = "add_pool", request_body = NewPool, responses(
    (status = CREATED, body = PoolView), (status = CONFLICT, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn add(
    State(api): State<Api>,
    Body(new): Body<NewPool>,
) -> Result<(StatusCode, Json<PoolView>), Refused> {
    let roster = api.gateway.roster.clone();
    let added = blocking(move || roster.add_pool(new.into())).await?;
    Ok((StatusCode::CREATED, Json(api.pool_view(&added))))
}

/// Changes name or policy.
#[utoipa::path(patch, path = "/api/v1/pools/{id}", operation_id = "change_pool", request_body = PoolChange, params(("id" = i64, Path)), responses(
    (status = OK, body = PoolView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn change(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Body(change): Body<PoolChange>,
) -> Result<Json<PoolView>, Refused> {
    let roster = api.gateway.roster.clone();
    let changed =
        blocking(move || roster.change_pool(PoolId(id), change.name.as_deref(), change.policy)).await?;
    Ok(Json(api.pool_view(&changed)))
}

/// Removes a pool. Its accounts go back to `main`, and the answer says what points at nothing now.
#[utoipa::path(delete, path = "/api/v1/pools/{id}", operation_id = "remove_pool", params(("id" = i64, Path)), responses(
    (status = OK, body = RemovedPool), (status = NOT_FOUND, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn remove(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<RemovedPool>, Refused> {
    let (roster, id) = (api.gateway.roster.clone(), PoolId(id));
    let dissolved = blocking(move || roster.remove_pool(id)).await?;
    let plan = &api.gateway.roster.snapshot().plan;
    let leads_there =
        |route: &&crate::domain::Route| route.slots.iter().any(|slot| slot.target == Target::Pool(id));
    let bound = plan.bindings.iter().filter(|binding| binding.pool == id);
    let live = api.gateway.keys.live();
    let keys = live.iter().filter(|one| one.key.grant.pools.as_ref().is_some_and(|all| all.contains(&id)));
    Ok(Json(RemovedPool {
        pool: PoolView::was(&dissolved.pool, &dissolved.accounts),
        routes: plan.routes.iter().filter(leads_there).map(|route| route.name.to_string()).collect(),
        bindings: bound.map(|binding| api.binding_view(binding, plan)).collect(),
        keys: keys.map(|holder| holder.key.name.to_string()).collect(),
    }))
}

/// What is decided for all requests.
#[utoipa::path(get, path = "/api/v1/settings", operation_id = "plan_settings", responses((status = OK, body = PlanSettings)))]
pub async fn settings(State(api): State<Api>) -> Json<PlanSettings> {
    let serve_asked_or_refuse = api.gateway.roster.snapshot().plan.asked_model_only;
    Json(PlanSettings { serve_asked_or_refuse })
}

/// Decides it for all requests from now on.
#[utoipa::path(put, path = "/api/v1/settings", operation_id = "set_plan_settings", request_body = PlanSettings, responses(
    (status = OK, body = PlanSettings), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn set_settings(
    State(api): State<Api>,
    Body(settings): Body<PlanSettings>,
) -> Result<Json<PlanSettings>, Refused> {
    let roster = api.gateway.roster.clone();
    blocking(move || roster.serve_asked_or_refuse(settings.serve_asked_or_refuse)).await?;
    Ok(Json(settings))
}

//! Bindings: list, add, change, remove. A removed one is given back, so that it can be put back.

use axum::{Json, extract::State, http::StatusCode};

use crate::api::{
    Api, Refused, blocking,
    input::{Body, Id},
    plan::views::{BindingChange, BindingView, NewBinding},
    views::Problem,
};
use crate::{
    accounts::PlanError,
    domain::{BadName, Binding, BindingId, PoolId, Subject, looks_secret},
    proxy::{is_agent_type, is_project},
    routing::Plan,
};

impl Api {
    /// A binding with the name of the key that it may be of.
    pub(in crate::api) fn binding_view(&self, binding: &Binding, plan: &Plan) -> BindingView {
        let name = match binding.subject {
            Subject::Key(id) => self.gateway.keys.name_of(id).map(|name| name.to_string()),
            _ => None,
        };
        BindingView::of(binding, plan, name)
    }

    fn bound(&self, binding: &Binding) -> BindingView {
        self.binding_view(binding, &self.gateway.roster.snapshot().plan)
    }
}

/// Every binding. One without a pool's name is bound to nothing.
#[utoipa::path(get, path = "/api/v1/bindings", operation_id = "list_bindings", responses((status = OK, body = [BindingView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<BindingView>> {
    let plan = &api.gateway.roster.snapshot().plan;
    Json(plan.bindings.iter().map(|binding| api.binding_view(binding, plan)).collect())
}

/// Binds a key, a project, a folder, a role or a type of agent to a pool, or puts a removed binding back.
#[utoipa::path(post, path = "/api/v1/bindings", operation_id = "add_binding", request_body = NewBinding, responses(
    (status = CREATED, body = BindingView), (status = CONFLICT, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn add(
    State(api): State<Api>,
    Body(new): Body<NewBinding>,
) -> Result<(StatusCode, Json<BindingView>), Refused> {
    if let Subject::Key(id) = new.subject
        && new.id.is_none()
        && api.gateway.keys.get(id).is_none()
    {
        return Err(Refused::bad_input(format!("there is no key {}; `headgate keys` lists them", id.0)));
    }
    if let Subject::Project(name) | Subject::AgentType(name) = &new.subject
        && new.id.is_none()
        && looks_secret(name)
    {
        return Err(Refused::bad_input(BadName::Secret.to_string()));
    }
    if let Subject::Project(name) = &new.subject
        && new.id.is_none()
        && !is_project(name.trim())
    {
        return Err(Refused::bad_input(format!(
            "no request could belong to a project \"{name}\": its name is up to 64 letters, digits, `-`, `_` and `.`, and \
             begins with a letter or a digit"
        )));
    }
    if let Subject::AgentType(kind) = &new.subject
        && new.id.is_none()
        && !is_agent_type(kind.trim())
    {
        return Err(Refused::bad_input(format!(
            "no agent could be of a type \"{kind}\": it is up to 256 characters that a header can hold"
        )));
    }
    let roster = api.gateway.roster.clone();
    // The room of accounts knows a key by its number; a person knows it by its name.
    let key = match new.subject {
        Subject::Key(id) => api.gateway.keys.name_of(id),
        _ => None,
    };
    let named = move |error| match (error, key) {
        (PlanError::Bound(_), Some(name)) => PlanError::Bound(format!("key {name}")),
        (error, _) => error,
    };
    let added = blocking(move || roster.add_binding(new.into()).map_err(named)).await?;
    Ok((StatusCode::CREATED, Json(api.bound(&added))))
}

/// Binds to another pool, or more or less strictly.
#[utoipa::path(patch, path = "/api/v1/bindings/{id}", operation_id = "change_binding", request_body = BindingChange, params(("id" = i64, Path)), responses(
    (status = OK, body = BindingView), (status = NOT_FOUND, body = Problem),
))]
pub async fn change(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Body(change): Body<BindingChange>,
) -> Result<Json<BindingView>, Refused> {
    let (roster, pool) = (api.gateway.roster.clone(), change.pool_id.map(PoolId));
    let changed = blocking(move || roster.change_binding(BindingId(id), pool, change.strict)).await?;
    Ok(Json(api.bound(&changed)))
}

/// Removes a binding, and gives it back as it was.
#[utoipa::path(delete, path = "/api/v1/bindings/{id}", operation_id = "remove_binding", params(("id" = i64, Path)), responses(
    (status = OK, body = BindingView), (status = NOT_FOUND, body = Problem),
))]
pub async fn remove(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<BindingView>, Refused> {
    let roster = api.gateway.roster.clone();
    let removed = blocking(move || roster.remove_binding(BindingId(id))).await?;
    Ok(Json(api.bound(&removed)))
}

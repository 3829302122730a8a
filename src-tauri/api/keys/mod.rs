//! Clients' keys: list, add, change, rotate, revoke. A secret is in the answer to its making and in no other.

pub mod views;

use axum::{Json, extract::State, http::StatusCode};

use crate::api::{
    Api, Refused, blocking,
    input::{Body, Id},
    keys::views::{KeyChange, KeyView, MintedKey, NewKey, RevokedKey},
    views::Problem,
};
use crate::{
    domain::{KeyId, Subject},
    keys::EditError,
};

impl Api {
    /// Every key that is not revoked, with what it has used.
    pub fn client_keys(&self) -> Vec<KeyView> {
        let now = self.clock.now();
        self.gateway.keys.live().iter().map(|holder| KeyView::of(holder, now)).collect()
    }
}

/// Every key that is not revoked, with what it has used today and this month.
#[utoipa::path(get, path = "/api/v1/keys", operation_id = "list_keys", responses((status = OK, body = [KeyView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<KeyView>> {
    Json(api.client_keys())
}

/// Makes a key. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/keys", operation_id = "add_key", request_body = NewKey, responses(
    (status = CREATED, body = MintedKey), (status = CONFLICT, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn add(
    State(api): State<Api>,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<MintedKey>), Refused> {
    let keys = api.gateway.keys.clone();
    let (name, grant) = new.into_grant(&api)?;
    let minted = blocking(move || keys.add(&name, grant)).await?;
    Ok((StatusCode::CREATED, Json(MintedKey::of(minted, api.clock.now()))))
}

/// One key.
#[utoipa::path(get, path = "/api/v1/keys/{id}", operation_id = "show_key", params(("id" = i64, Path)), responses(
    (status = OK, body = KeyView), (status = NOT_FOUND, body = Problem),
))]
pub async fn show(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<KeyView>, Refused> {
    let found = api.gateway.keys.get(KeyId(id)).ok_or(EditError::NotFound)?;
    Ok(Json(KeyView::of(&found, api.clock.now())))
}

/// Changes name, switch, scopes or limits. What is absent stays; `null` takes a limit away.
#[utoipa::path(patch, path = "/api/v1/keys/{id}", operation_id = "change_key", request_body = KeyChange, params(("id" = i64, Path)), responses(
    (status = OK, body = KeyView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn change(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Body(change): Body<KeyChange>,
) -> Result<Json<KeyView>, Refused> {
    let keys = api.gateway.keys.clone();
    let (name, enabled, edit) = change.into_edit(&api)?;
    let changed = blocking(move || keys.change(KeyId(id), name.as_deref(), enabled, edit)).await?;
    Ok(Json(KeyView::of(&changed, api.clock.now())))
}

/// Gives a key another secret, which is in this answer and nowhere else. The one before is void at once.
#[utoipa::path(post, path = "/api/v1/keys/{id}/rotate", operation_id = "rotate_key", params(("id" = i64, Path)), responses(
    (status = OK, body = MintedKey), (status = NOT_FOUND, body = Problem),
))]
pub async fn rotate(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<MintedKey>, Refused> {
    let keys = api.gateway.keys.clone();
    let minted = blocking(move || keys.rotate(KeyId(id))).await?;
    Ok(Json(MintedKey::of(minted, api.clock.now())))
}

/// Voids a key for ever. Its history stays; running requests go on. The answer says which bindings are of no use now.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", operation_id = "revoke_key", params(("id" = i64, Path)), responses(
    (status = OK, body = RevokedKey), (status = NOT_FOUND, body = Problem),
))]
pub async fn revoke(State(api): State<Api>, Id(id): Id<i64>) -> Result<Json<RevokedKey>, Refused> {
    let (keys, id) = (api.gateway.keys.clone(), KeyId(id));
    let revoked = blocking(move || keys.revoke(id)).await?;
    let plan = &api.gateway.roster.snapshot().plan;
    let bound = plan.bindings.iter().filter(|binding| binding.subject == Subject::Key(id));
    Ok(Json(RevokedKey {
        key: KeyView::of(&revoked, api.clock.now()),
        bindings: bound.map(|binding| api.binding_view(binding, plan)).collect(),
    }))
}

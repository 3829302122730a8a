//! Profiles of Claude Code.

pub mod views;

use std::path::PathBuf;

use axum::{Json, extract::State, http::StatusCode};

use crate::api::{
    Api, Refused, blocking,
    input::{Body, Filter, Id},
    profiles::views::{BestProfile, NewProfile, ProfileChange, ProfileView, RemovedProfile, Removing},
    views::Problem,
};
use crate::{
    clients::{advise, startable},
    domain::ProfileId,
};

/// Every profile, with what its traffic last told of its limits.
#[utoipa::path(get, path = "/api/v1/profiles", operation_id = "list_profiles", responses((status = OK, body = [ProfileView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<ProfileView>> {
    let now = api.clock.now();
    Json(api.gateway.profiles.all().iter().map(|known| ProfileView::of(known, now)).collect())
}

/// Makes a profile with a folder of its own, adopts a folder, or puts a forgotten one back.
#[utoipa::path(post, path = "/api/v1/profiles", operation_id = "add_profile", request_body = NewProfile, responses(
    (status = CREATED, body = ProfileView), (status = CONFLICT, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn add(
    State(api): State<Api>,
    Body(new): Body<NewProfile>,
) -> Result<(StatusCode, Json<ProfileView>), Refused> {
    let profiles = api.gateway.profiles.clone();
    let folder = new.folder.map(PathBuf::from);
    let adding = move || profiles.add(&new.name, folder.as_deref(), new.id.map(ProfileId));
    let added = blocking(adding).await?;
    Ok((StatusCode::CREATED, Json(ProfileView::was(&added))))
}

/// Gives it another name. Its folder stays where it is.
#[utoipa::path(patch, path = "/api/v1/profiles/{id}", operation_id = "rename_profile", request_body = ProfileChange, params(("id" = i64, Path)), responses(
    (status = OK, body = ProfileView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn rename(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Body(change): Body<ProfileChange>,
) -> Result<Json<ProfileView>, Refused> {
    let (profiles, id) = (api.gateway.profiles.clone(), ProfileId(id));
    let renamed = blocking(move || profiles.rename(id, &change.name)).await?;
    let known = api.gateway.profiles.get(id);
    let view =
        known.map_or_else(|| ProfileView::was(&renamed), |known| ProfileView::of(&known, api.clock.now()));
    Ok(Json(view))
}

/// Forgets a profile. Its folder stays, with Claude Code's sign-in in it, unless that is asked for too.
#[utoipa::path(delete, path = "/api/v1/profiles/{id}", operation_id = "remove_profile", params(("id" = i64, Path), Removing), responses(
    (status = OK, body = RemovedProfile), (status = NOT_FOUND, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn remove(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Filter(removing): Filter<Removing>,
) -> Result<Json<RemovedProfile>, Refused> {
    let profiles = api.gateway.profiles.clone();
    let removed = blocking(move || profiles.remove(ProfileId(id), removing.with_folder)).await?;
    Ok(Json(removed.into()))
}

/// The profile whose sign-in has the most room now, by the judgement that chooses accounts.
#[utoipa::path(get, path = "/api/v1/profiles/best", operation_id = "best_profile", responses(
    (status = OK, body = BestProfile), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
))]
pub async fn best(State(api): State<Api>) -> Result<Json<BestProfile>, Refused> {
    let now = api.clock.now();
    let profiles = startable(api.gateway.profiles.all());
    let advice = advise(&profiles, &api.gateway.roster.snapshot(), now)?;
    Ok(Json(BestProfile::of(advice, now)))
}

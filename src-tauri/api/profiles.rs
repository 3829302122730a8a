//! Profiles of Claude Code.

use std::path::PathBuf;

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;

use super::{
    Api, Refused, blocking,
    input::{Body, Filter, Id},
    profile_views::{BestProfile, NewProfile, ProfileChange, ProfileView, RemovedProfile, Removing},
    views::Problem,
};
use crate::{
    clients::{Best, Known, best as choose},
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
    let (all, snapshot) = (api.gateway.profiles.all(), api.gateway.roster.snapshot());
    if all.is_empty() {
        return Err(Refused::not_found("there is no profile; make one with `headgate profiles add NAME`"));
    }
    let passing = snapshot.contenders.iter().filter(|one| one.provider.passes_logins());
    let account = passing.min_by_key(|one| (one.account.priority, one.account.id)).ok_or_else(|| {
        Refused::off(
            "no account passes Claude Code's own sign-ins on, so no profile's limits are known; add one with \
             `headgate accounts add NAME --provider claude-login`",
        )
    })?;
    let of = |id: ProfileId| all.iter().find(|known| known.profile.id == id);
    let (id, is_ready, until) = match choose(&all, account, &snapshot.plan, now) {
        Best::Ready(id) => (id, true, None),
        Best::Back(id, until) => (id, false, until),
        Best::Nobody => (all[0].profile.id, false, None),
    };
    let known = of(id).ok_or_else(|| Refused::not_found("that profile has just been forgotten"))?;
    let why = if is_ready { room(known, all.len(), now) } else { spent(until) };
    Ok(Json(BestProfile { profile: ProfileView::of(known, now), why, is_ready }))
}

fn room(known: &Known, of: usize, now: Timestamp) -> String {
    let told = known.windows.iter().filter(|window| window.limits.is_some());
    let shares = told.filter_map(|window| Some((window.utilization_at(now)?, &window.name.0)));
    match shares.max_by(|a, b| a.0.total_cmp(&b.0)) {
        _ if of == 1 => "it is the only one".into(),
        Some((share, name)) => format!("{:.0} % of its {name} window is used", share * 100.0),
        None => "nothing is known of its limits yet, which counts as half used".into(),
    }
}

fn spent(until: Option<Timestamp>) -> String {
    match until {
        Some(until) => format!("no profile can be asked now, and this one is back first, at {until:.0}"),
        None => "no profile can be asked now, and nobody has said until when".into(),
    }
}

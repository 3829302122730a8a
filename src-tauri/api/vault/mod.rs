//! Where secrets live: look at it, move it, delete what nobody owns, seal it anew. No secret ever goes out here.

pub mod views;

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::{
    Api, Refused, blocking,
    input::{Body, Filter},
    vault::views::{CleanOrder, MoveOrder, SealOrder, VaultView},
    views::Problem,
};
use crate::secrets::{Passphrase, SecretName, Sensitive};

/// As long does an answer wait for the end of a move.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it is looked at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct VaultLook {
    /// If secrets are being moved, answer when that is over, or after 30 seconds.
    settled: Option<bool>,
}

impl Api {
    fn vault(&self) -> VaultView {
        VaultView::of(self.homes.stand())
    }
}

/// How it stands, as the last look found it. Asks the keychain nothing.
#[utoipa::path(get, path = "/api/v1/vault", operation_id = "show_vault", params(VaultLook), responses((status = OK, body = VaultView)))]
pub async fn show(State(api): State<Api>, Filter(look): Filter<VaultLook>) -> Json<VaultView> {
    if look.settled == Some(true) {
        tokio::select! {
            () = api.homes.settled() => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
    }
    Json(api.vault())
}

/// Looks now: an item of our own is put, read back and removed, and what is there is held against the accounts. While
/// secrets are being moved nothing is looked at.
#[utoipa::path(post, path = "/api/v1/vault/check", operation_id = "check_vault", responses((status = OK, body = VaultView)))]
pub async fn check(State(api): State<Api>) -> Result<Json<VaultView>, Refused> {
    if api.homes.stand().moving.is_none() {
        let homes = api.homes.clone();
        blocking(move || Ok::<_, Refused>(homes.look())).await?;
    }
    Ok(Json(api.vault()))
}

/// Begins to move all secrets into another home, and does not wait for the end. Each is copied, read back and compared
/// before any is removed from where it was.
#[utoipa::path(post, path = "/api/v1/vault/move", operation_id = "move_vault", request_body = MoveOrder, responses(
    (status = ACCEPTED, body = VaultView), (status = CONFLICT, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn begin_move(
    State(api): State<Api>,
    Body(order): Body<MoveOrder>,
) -> Result<(StatusCode, Json<VaultView>), Refused> {
    api.homes.begin_move(order.to, typed(order.passphrase)?, order.anyway)?;
    Ok((StatusCode::ACCEPTED, Json(api.vault())))
}

/// Deletes the secrets that are named, as far as no account owns them, and ends or undoes what a move that was broken
/// off has left. What that left in a file with a passphrase is refused as `needs_passphrase` or `wrong_passphrase`
/// without it.
#[utoipa::path(post, path = "/api/v1/vault/clean", operation_id = "clean_vault", request_body = CleanOrder, responses(
    (status = OK, body = VaultView), (status = CONFLICT, body = Problem), (status = SERVICE_UNAVAILABLE, body = Problem),
))]
pub async fn clean(
    State(api): State<Api>,
    Body(order): Body<CleanOrder>,
) -> Result<Json<VaultView>, Refused> {
    let names: Result<Vec<_>, _> = order.orphans.iter().map(|name| SecretName::new(name)).collect();
    let names = names.map_err(|error| Refused::bad_input(error.to_string()))?;
    let homes = api.homes.clone();
    let passphrase = typed(order.passphrase)?;
    blocking(move || homes.clean(&names, passphrase.as_ref())).await?;
    Ok(Json(api.vault()))
}

/// Seals the sealed file with a passphrase, with another one, or with a key file again.
#[utoipa::path(post, path = "/api/v1/vault/passphrase", operation_id = "seal_vault", request_body = SealOrder, responses(
    (status = OK, body = VaultView), (status = CONFLICT, body = Problem), (status = SERVICE_UNAVAILABLE, body = Problem),
))]
pub async fn reseal(
    State(api): State<Api>,
    Body(order): Body<SealOrder>,
) -> Result<Json<VaultView>, Refused> {
    let (current, next) = (typed(order.current)?, typed(order.passphrase)?);
    let homes = api.homes.clone();
    blocking(move || homes.reseal(current.as_ref(), next.as_ref())).await?;
    Ok(Json(api.vault()))
}

fn typed(text: Option<Sensitive<String>>) -> Result<Option<Passphrase>, Refused> {
    let typed = text.map(|text| Passphrase::new(text.expose())).transpose();
    typed.map_err(|error| Refused::bad_input(error.to_string()))
}

//! Signing accounts in: begin, look, hand in a code, call off. The answer itself comes by a port of this machine, by a
//! deep link, or by `code`; who may begin and who may paste is whoever may change accounts.

use axum::{Json, extract::State, http::StatusCode};

use super::{
    Api, Refused,
    input::{Body, Id},
    sign_in_views::{NewSignIn, PastedCode, SignInDefinition, SignInView},
    views::Problem,
};
use crate::accounts::sign_in::{NotTaken, SignInId};

impl Api {
    fn sign_in(&self, id: &SignInId) -> Result<Json<SignInView>, Refused> {
        let look = self.sign_ins.look(id).ok_or(NotTaken::NoSuch)?;
        Ok(Json(SignInView::of(look)))
    }
}

/// The ways to sign in.
#[utoipa::path(get, path = "/api/v1/sign-ins/definitions", operation_id = "sign_in_definitions", responses((status = OK, body = [SignInDefinition])))]
pub async fn definitions(State(api): State<Api>) -> Json<Vec<SignInDefinition>> {
    let all = api.gateway.roster.catalog().sign_ins();
    Json(all.iter().map(|definition| SignInDefinition::of(definition)).collect())
}

/// Begins a sign-in; one that waits for the same account is called off. It is open for ten minutes, or for as long as
/// the provider's code lives.
#[utoipa::path(post, path = "/api/v1/sign-ins", operation_id = "begin_sign_in", request_body = NewSignIn, responses(
    (status = CREATED, body = SignInView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem), (status = TOO_MANY_REQUESTS, body = Problem), (status = BAD_GATEWAY, body = Problem),
))]
pub async fn begin(
    State(api): State<Api>,
    Body(new): Body<NewSignIn>,
) -> Result<(StatusCode, Json<SignInView>), Refused> {
    api.refuse_own_address(new.base_url.as_deref())?;
    let order = new.read(&api.gateway.roster).map_err(Refused::bad_input)?;
    let look = api.sign_ins.begin(order).await?;
    Ok((StatusCode::CREATED, Json(SignInView::of(look))))
}

/// How a sign-in stands. Those that are over are remembered for a while.
#[utoipa::path(get, path = "/api/v1/sign-ins/{id}", operation_id = "show_sign_in", params(("id" = String, Path)), responses(
    (status = OK, body = SignInView), (status = NOT_FOUND, body = Problem),
))]
pub async fn show(State(api): State<Api>, Id(id): Id<String>) -> Result<Json<SignInView>, Refused> {
    api.sign_in(&SignInId(id.into()))
}

/// Hands in what a person copied. The exchange goes on by itself; look at the sign-in for how it went.
#[utoipa::path(post, path = "/api/v1/sign-ins/{id}/code", operation_id = "paste_code", request_body = PastedCode, params(("id" = String, Path)), responses(
    (status = OK, body = SignInView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem), (status = TOO_MANY_REQUESTS, body = Problem),
))]
pub async fn paste(
    State(api): State<Api>,
    Id(id): Id<String>,
    Body(pasted): Body<PastedCode>,
) -> Result<Json<SignInView>, Refused> {
    let id = api.sign_ins.take_paste(&SignInId(id.into()), &pasted.code)?;
    api.sign_in(&id)
}

/// Calls a sign-in off.
#[utoipa::path(delete, path = "/api/v1/sign-ins/{id}", operation_id = "cancel_sign_in", params(("id" = String, Path)), responses(
    (status = NO_CONTENT), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
))]
pub async fn cancel(State(api): State<Api>, Id(id): Id<String>) -> Result<StatusCode, Refused> {
    api.sign_ins.cancel(&SignInId(id.into()))?;
    Ok(StatusCode::NO_CONTENT)
}

//! Signing accounts in: begin, look, hand in a code, call off. The answer itself comes by a port of this machine, by a
//! deep link, or by `code`; who may begin and who may paste is whoever may change accounts.

use axum::{Json, extract::State, http::StatusCode};

use crate::accounts::sign_in::{NotTaken, SignInId};
use crate::api::{
    Api, Refused,
    accounts::sign_in_views::{Callback, NewSignIn, PastedCode, SignInDefinition, SignInView},
    input::{Body, Id},
    views::Problem,
};

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
    let order = new.read(&api.gateway.roster)?;
    let look = api.sign_ins.begin(order).await?;
    Ok((StatusCode::CREATED, Json(SignInView::of(look))))
}

/// The sign-ins that are open or were lately, the one begun last at the end. Their addresses and codes are told only to
/// who looks at one, for which its id has to be known.
#[utoipa::path(get, path = "/api/v1/sign-ins", operation_id = "sign_ins", responses((status = OK, body = [SignInView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<SignInView>> {
    Json(api.sign_ins.looks().into_iter().map(|look| SignInView::of(look).without_addresses()).collect())
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

/// Hands in the address of the scheme `headgate` that the system opened. Its sign-in is then `answered`, and goes on once
/// somebody says yes to it by `finish`. It begins nothing.
#[utoipa::path(post, path = "/api/v1/sign-ins/callback", operation_id = "hand_in_callback", request_body = Callback, responses(
    (status = OK, body = SignInView), (status = UNPROCESSABLE_ENTITY, body = Problem), (status = TOO_MANY_REQUESTS, body = Problem),
))]
pub async fn callback(
    State(api): State<Api>,
    Body(came): Body<Callback>,
) -> Result<Json<SignInView>, Refused> {
    let id = api.sign_ins.take_callback(came.url.expose())?;
    api.sign_in(&id)
}

/// Says yes to the answer that came back for a sign-in. The exchange goes on by itself. To refuse the answer, call the
/// sign-in off.
#[utoipa::path(post, path = "/api/v1/sign-ins/{id}/finish", operation_id = "finish_sign_in", params(("id" = String, Path)), responses(
    (status = OK, body = SignInView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem),
))]
pub async fn finish(State(api): State<Api>, Id(id): Id<String>) -> Result<Json<SignInView>, Refused> {
    let id = SignInId(id.into());
    api.sign_ins.finish(&id)?;
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

//! Tests an account's connection. An account by one at a time; whoever asks and leaves ends the test.

use std::pin::pin;

use axum::{Json, extract::State};

use crate::api::{
    Api, Refused,
    accounts::probe_views::{ProbeOrder, ProbeView},
    input::{Body, Id},
    views::Problem,
};
use crate::{accounts::EditError, domain::AccountId, proxy};

/// Asks an account's own upstream for one token, with its credential, and says what came of it. Nobody takes over, and
/// what fails takes nobody out of service. It costs what one token costs, and is recorded.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/test", operation_id = "test_account", request_body = ProbeOrder, params(("id" = i64, Path)), responses(
    (status = OK, body = ProbeView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem), (status = SERVICE_UNAVAILABLE, body = Problem),
))]
pub async fn test(
    State(api): State<Api>,
    Id(id): Id<i64>,
    Body(order): Body<ProbeOrder>,
) -> Result<Json<ProbeView>, Refused> {
    let id = AccountId(id);
    let contender = api.gateway.roster.snapshot().get(id).cloned().ok_or(EditError::NotFound)?;
    let mut testing = pin!(proxy::probe(&api.gateway, &api.tasks, &contender, order.model.as_deref()));
    // Where its client leaves it is given back first: whoever hears of the test's end may begin the next one.
    let Some(_turn) = api.probes.take(id) else {
        let name = &contender.account.name;
        return Err(Refused::running(format!("{name} is being tested: wait for the end of that.")));
    };
    tokio::select! {
        probed = &mut testing => Ok(Json(probed?.into())),
        () = api.tasks.stopping() => Err(Refused::stopping()),
    }
}

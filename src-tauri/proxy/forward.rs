//! One request, walked: admitted, read, given to an account, and relayed; or, as long as not a byte has
//! left for the client, given to the next account. Start reading here.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use super::{
    AnswerBody, Gateway, attempt::attempt, failure::Failure, record::Record, relay::Answer, request::Arrival,
    upstream::Upstreams,
};
use crate::routing::{Decision, pick};

/// Serves one request of the proxy's own paths.
pub async fn forward(
    gateway: &Gateway,
    upstreams: &Upstreams,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let mut record = match admit(gateway, &request).await {
        Ok(record) => record,
        Err(failure) => return failure.answer(None, gateway.clock.now()),
    };
    let arrival = match Arrival::read(request, &gateway.limits).await {
        Ok(arrival) => arrival,
        Err(failure) => return record.refuse(&failure),
    };
    record.begin(&arrival.ask);
    if gateway.is_paused() {
        return record.refuse(&Failure::Paused);
    }

    let mut set_aside = Vec::new();
    let mut last_answer = None;
    let mut last_trouble = None;
    loop {
        let snapshot = gateway.roster.snapshot();
        let account = match pick(&arrival.ask, &snapshot, &set_aside, gateway.clock.now()) {
            Decision::Take(account) => account,
            Decision::Wait(wait) => {
                // Somebody comes back by himself: the client should wait for that, not sign in anew.
                let worth_showing = |answer: &Answer| wait.until.is_none() || !answer.blames_the_credential();
                let Some(answer) = last_answer.filter(worth_showing) else {
                    return record.refuse(&Failure::of_wait(wait, last_trouble));
                };
                return Answer::relay(answer, record, &arrival.method, gateway.limits.idle());
            }
        };
        record.try_account(account.account.id);
        match attempt(gateway, upstreams, &arrival, &account).await {
            Ok((answer, verdict)) => {
                record.learn(Some(answer.head.status.as_u16()), &verdict, None);
                if !verdict.is_worth_another_account() {
                    return answer.relay(record, &arrival.method, gateway.limits.idle());
                }
                // The head alone decides: once a byte has left, another account could repeat the work.
                last_answer = Some(answer);
            }
            Err((why, verdict)) => {
                record.learn(None, &verdict, Some(Arc::clone(&why)));
                last_trouble = Some(why);
            }
        }
        set_aside.push(account.account.id);
    }
}

async fn admit(gateway: &Gateway, request: &Request<Incoming>) -> Result<Record, Failure> {
    let permit = gateway.admission.enter().await?;
    Record::open(gateway, permit, request.method(), request.uri().path()).await
}

//! One request, walked: admitted, read, given to an account, and relayed; or, as long as not a byte has
//! left for the client, given to the next account. Start reading here.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;

use super::{
    AnswerBody, Gateway, admission::Asker, attempt::attempt, failure::Failure, hold::Hold, record::Record,
    relay::Answer, request::Arrival, request::SESSION, upstream::Upstreams,
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
    let mut held = Hold::default();
    loop {
        let snapshot = gateway.roster.snapshot();
        let account = match pick(&arrival.ask, &snapshot, &set_aside, gateway.clock.now()) {
            Decision::Take(account) => account,
            Decision::Wait(_) if held.until_somebody_is_ready(gateway, &arrival.ask).await => {
                set_aside.clear();
                last_answer = None;
                last_trouble = None;
                continue;
            }
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
    let permit = gateway.admission.enter(asker(request.headers())).await?;
    Record::open(gateway, permit, request.method(), request.uri().path()).await
}

/// A conversation waits behind itself. Of a client that names none, all requests do.
fn asker(headers: &HeaderMap) -> Asker {
    Asker::of(headers.get(SESSION).map(HeaderValue::as_bytes))
}

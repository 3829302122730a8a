//! From a head to a request that may be served: whose it is, that there is a place for it and a record, and
//! that it has come whole. What fails here never comes near an account.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;

use super::{
    admission::Asker,
    hints::SESSION,
    keyholder::{holder, limit, turn_away},
    login::bring,
    request::Arrival,
};
use crate::{
    keys::Holder,
    proxy::{
        AnswerBody, Gateway,
        answer::{
            failure::Failure,
            models,
            record::{Arrived, Record},
        },
    },
};

/// Admits and reads a request. `Err` is the answer to one that goes no further.
pub async fn arrive(
    gateway: &Gateway,
    request: Request<Incoming>,
) -> Result<(Arrival, Box<Record>), Response<AnswerBody>> {
    let arrived = Arrived { at: gateway.clock.now(), instant: gateway.clock.instant() };
    let holder = match holder(gateway, &request) {
        Ok(holder) => holder,
        Err(failure) => return Err(Box::pin(turn_away(gateway, request, &failure)).await),
    };
    if let Some(answer) = models::answer(gateway, &request, holder.as_deref()) {
        return Err(answer);
    }
    let mut record = match admit(gateway, arrived, holder.clone(), &request).await {
        Ok(record) => record,
        Err(failure) => return Err(Box::pin(turn_away(gateway, request, &failure)).await),
    };
    let mut arrival = match Arrival::read(gateway, request).await {
        Ok(arrival) => arrival,
        Err(failure) => return Err(record.refuse(&failure)),
    };
    if let Some(holder) = &holder {
        arrival.ask.key = Some(holder.key.id);
        gateway.roster.narrow(&mut arrival.ask, &holder.key.grant);
    }
    bring(gateway, &mut arrival);
    record.begin(&arrival.ask);
    gateway.roster.keep_day(arrived.at);
    if let Some(every) = gateway.limits.models() {
        gateway.roster.models_may_be_old(arrived.at, every);
    }
    if gateway.is_paused() {
        return Err(record.refuse(&Failure::Paused));
    }
    match holder.map(|holder| limit(&holder, &arrival, gateway.clock.now())) {
        Some(Err(failure)) => Err(record.refuse(&failure)),
        _ => Ok((arrival, record)),
    }
}

async fn admit(
    gateway: &Gateway,
    arrived: Arrived,
    holder: Option<Arc<Holder>>,
    request: &Request<Incoming>,
) -> Result<Box<Record>, Failure> {
    let permit =
        gateway.admission.enter(asker(holder.as_deref(), request.headers()), arrived.instant).await?;
    Record::open(gateway, arrived, permit, holder, request.method(), request.uri().path()).await
}

/// Made once: a name that is looked for as a text is read anew each time.
static CONVERSATION: HeaderName = HeaderName::from_static(SESSION);

/// A key waits behind itself, whatever conversations it names. Without one, a conversation does, and of
/// clients that name none, all requests do.
fn asker(holder: Option<&Holder>, headers: &HeaderMap) -> Asker {
    match holder {
        Some(holder) => Asker::Key(holder.key.id),
        None => Asker::conversation(headers.get(&CONVERSATION).map(HeaderValue::as_bytes)),
    }
}

//! One request, walked: admitted, read, given to an account, and relayed; or, as long as not a byte has
//! left for the client, given to the next account. Start reading here.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;

use super::{
    AnswerBody, Gateway,
    admission::Asker,
    attempt::attempt,
    counting::estimate,
    failure::Failure,
    gate,
    hold::Hold,
    keyholder::{holder, limit, turn_away},
    login::{bring, is_the_clients_to_mend},
    models,
    record::Record,
    relay::Answer,
    request::{Arrival, SESSION},
    upstream::Upstreams,
};
use crate::{
    domain::Verdict,
    keys::Holder,
    routing::{Decision, last_resort, pick},
};

/// Serves one request of the proxy's own paths.
pub async fn forward(
    gateway: &Gateway,
    upstreams: &Upstreams,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let holder = match holder(gateway, &request) {
        Ok(holder) => holder,
        Err(failure) => return turn_away(gateway, request, &failure).await,
    };
    if let Some(answer) = models::answer(gateway, &request, holder.as_deref()) {
        return answer;
    }
    let mut record = match admit(gateway, holder.clone(), &request).await {
        Ok(record) => record,
        Err(failure) => return failure.answer(None, gateway.clock.now()),
    };
    let mut arrival = match Arrival::read(request, &gateway.limits).await {
        Ok(arrival) => arrival,
        Err(failure) => return record.refuse(&failure),
    };
    bring(gateway, &mut arrival);
    record.begin(&arrival.ask);
    if let Some(every) = gateway.limits.models() {
        gateway.roster.models_may_be_old(gateway.clock.now(), every);
    }
    if gateway.is_paused() {
        return record.refuse(&Failure::Paused);
    }
    if let Some(Err(failure)) = holder.map(|holder| limit(&holder, &mut arrival, gateway.clock.now())) {
        return record.refuse(&failure);
    }

    let counts = arrival.counts_tokens();
    let mut set_aside = gateway.counting.passed_over(&arrival, &gateway.roster, gateway.clock.now());
    let mut last_answer = None;
    let mut last_trouble = None;
    let mut hops = Hops::default();
    let mut held = Hold::default();
    loop {
        let snapshot = arrival.accounts(gateway);
        let account = match pick(&arrival.ask, &snapshot, &set_aside, gateway.clock.now()) {
            Decision::Take(account) => account,
            Decision::Wait(wait) if wait.is_busy => {
                if held.until_somebody_has_room(gateway, &arrival, &set_aside).await {
                    continue;
                }
                if counts {
                    return estimate(gateway, &arrival, record).await;
                }
                return record.refuse(&gateway.admission.full());
            }
            // A count costs nothing: an estimate is better than an error, or than to be held for a window.
            Decision::Wait(_) if counts => return estimate(gateway, &arrival, record).await,
            Decision::Wait(_) if held.until_somebody_is_ready(gateway, &arrival).await => {
                set_aside.clear();
                last_answer = None;
                last_trouble = None;
                hops = Hops::default();
                continue;
            }
            Decision::Wait(wait) => {
                let now = gateway.clock.now();
                let Some(account) = last_resort(&arrival.ask, &snapshot, &set_aside, now) else {
                    // Somebody comes back by himself: the client should wait for that, not sign in anew.
                    let worth_showing =
                        |answer: &Answer| wait.until.is_none() || !answer.blames_the_credential();
                    let Some(answer) = last_answer.filter(worth_showing) else {
                        return record.refuse(&Failure::of_wait(wait, last_trouble));
                    };
                    return Answer::relay(answer, record, &arrival.method, gateway.limits.idle());
                };
                account
            }
        };
        let Some(lease) = account.load.lease() else { continue };
        record.try_account(account.account.id);
        match attempt(gateway, upstreams, &arrival, &account, lease).await {
            Ok((mut answer, verdict)) => {
                let early = gate::early_verdict(gateway, &arrival, &set_aside, &mut answer).await;
                let verdict = early.unwrap_or(verdict);
                record.learn(Some(answer.head.status.as_u16()), &verdict, answer.early_error.clone());
                let is_missing = counts && gateway.counting.is_missing(&answer, gateway.clock.now());
                let is_for_another = verdict.is_worth_another_account()
                    && !is_the_clients_to_mend(&account, &verdict)
                    && !hops.is_enough(&verdict);
                if !is_missing && !is_for_another {
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

/// A limit of the request's own goes with it from account to account: one other is asked, and no more.
#[derive(Default)]
struct Hops(u8);

impl Hops {
    fn is_enough(&mut self, verdict: &Verdict) -> bool {
        self.0 = self.0.saturating_add(u8::from(*verdict == Verdict::OwnLimit));
        self.0 > 1
    }
}

async fn admit(
    gateway: &Gateway,
    holder: Option<Arc<Holder>>,
    request: &Request<Incoming>,
) -> Result<Record, Failure> {
    let permit = gateway.admission.enter(asker(holder.as_deref(), request.headers())).await?;
    Record::open(gateway, permit, holder, request.method(), request.uri().path()).await
}

/// A key waits behind itself, whatever conversations it names. Without one, a conversation does, and of
/// clients that name none, all requests do.
fn asker(holder: Option<&Holder>, headers: &HeaderMap) -> Asker {
    match holder {
        Some(holder) => Asker::Key(holder.key.id),
        None => Asker::conversation(headers.get(SESSION).map(HeaderValue::as_bytes)),
    }
}

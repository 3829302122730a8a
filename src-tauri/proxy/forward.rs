//! One request, walked: it arrives, is given to an account, and relayed; or, as long as not a byte has left
//! for the client, given to the next account. Start reading here.

use http::{Request, Response};
use hyper::body::Incoming;

use super::{
    AnswerBody, Gateway,
    arrive::arrive,
    attempt::attempt,
    counting::estimate,
    decisions::Made,
    gate,
    hold::{Held, Hold},
    login::is_the_clients_to_mend,
    patience::Patience,
    record::Record,
    request::Arrival,
    tries::Tries,
    upstream::Upstreams,
};
use crate::{
    domain::Verdict,
    routing::{Decision, last_resort, pick},
};

/// Serves one request of the proxy's own paths.
pub async fn forward(
    gateway: &Gateway,
    upstreams: &Upstreams,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    match arrive(gateway, request).await {
        Ok((arrival, record)) => serve(gateway, upstreams, &arrival, record).await,
        Err(answer) => answer,
    }
}

async fn serve(
    gateway: &Gateway,
    upstreams: &Upstreams,
    arrival: &Arrival,
    mut record: Box<Record>,
) -> Response<AnswerBody> {
    let (counts, converses) = (arrival.counts_tokens(), arrival.converses());
    let idle = gateway.limits.idle();
    let mut tries = Tries::but(gateway.counting.passed_over(arrival, &gateway.roster, gateway.clock.now()));
    let (mut hold, mut patience, mut again) = (Hold::default(), Patience::of(gateway), None);
    loop {
        let now = gateway.clock.now();
        let accounts = arrival.accounts(gateway);
        let bound = if converses { gateway.roster.bound(&arrival.ask, now) } else { None };
        let made = Made::by_nobody(&accounts, bound, &tries.set_aside, now);
        let anybody = || pick(&arrival.ask, &accounts, bound.as_ref(), &tries.set_aside, now);
        let pick = match again.take().map_or_else(anybody, Decision::Take) {
            Decision::Take(pick) => pick,
            Decision::Wait(wait) => match Box::pin(hold.out(gateway, arrival, &tries.set_aside, &wait)).await
            {
                Held::HasRoom => continue,
                Held::IsReady => {
                    tries.start_anew();
                    continue;
                }
                // A count costs nothing: an estimate is better than an error.
                Held::Over if counts => return Box::pin(estimate(gateway, arrival, record)).await,
                Held::Over if wait.is_busy => {
                    record.decided(made);
                    return record.refuse(&gateway.admission.full());
                }
                Held::Over => {
                    let Some(pick) = last_resort(&arrival.ask, &accounts, &tries.set_aside, now) else {
                        record.decided(made);
                        return tries.give_up(wait, record, &arrival.method, idle);
                    };
                    pick
                }
            },
        };
        let account = &pick.contender;
        let Some(lease) = patience.lease(gateway, arrival, &pick, now).await else { continue };
        record.decided(made.takes(&pick));
        record.try_account(account.account.id);
        match attempt(gateway, upstreams, arrival, &pick, lease).await {
            Ok((mut answer, verdict)) => {
                let early = gate::early_verdict(gateway, arrival, &pick, &tries.set_aside, &mut answer).await;
                let verdict = early.unwrap_or(verdict);
                record.learn(Some(answer.head.status.as_u16()), &verdict, answer.early_error.clone());
                let is_missing = counts && gateway.counting.is_missing(&answer, gateway.clock.now());
                let is_for_another = !is_the_clients_to_mend(account, &verdict) && tries.may_go_on(&verdict);
                if !is_missing && !is_for_another {
                    if converses && verdict == Verdict::Fine {
                        gateway.roster.serves(&arrival.ask, &pick, now);
                    }
                    return answer.relay(record, &arrival.method, idle);
                }
                // The head alone decides: once a byte has left, another account could repeat the work.
                match patience.second_try(gateway, arrival, &answer, &tries.set_aside, &pick) {
                    Some(wait) => {
                        tries.keep(answer);
                        again = Box::pin(patience.back_at(gateway, arrival, pick, wait)).await;
                    }
                    None => tries.answered(&pick, answer),
                }
            }
            Err((why, verdict)) => {
                record.learn(None, &verdict, Some(why.clone()));
                tries.failed(&pick, why, &verdict);
            }
        }
    }
}

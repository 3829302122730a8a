//! One request, walked: it arrives, is given to an account, and relayed; or, as long as not a byte has left
//! for the client, given to the next account. Start reading here.

use std::ops::ControlFlow;

use http::{Request, Response};
use hyper::body::Incoming;

use super::{
    AnswerBody, Gateway,
    arrival::{arrive::arrive, login::is_the_clients_to_mend},
    attempts::{
        attempt::attempt,
        decisions::Made,
        gate, nobody,
        patience::Patience,
        renewed::{may_be_renewed, second_try},
        tries::Tries,
    },
    own::warm,
    upstream::Upstreams,
};
use crate::{
    domain::Verdict,
    routing::{Decision, pick},
};

/// Serves one request of the proxy's own paths. One future from end to end, since each that it were divided into
/// would be copied into the one around it, some kilobytes each time.
pub async fn forward(
    gateway: Gateway,
    upstreams: Upstreams,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let gateway = &gateway;
    let (arrival, mut record) = match arrive(gateway, request).await {
        Ok(arrived) => arrived,
        Err(answer) => return answer,
    };
    let (counts, converses) = (arrival.counts_tokens(), arrival.converses());
    let idle = gateway.limits.idle();
    let mut tries = Tries::but(gateway.counting.passed_over(&arrival, gateway));
    let (mut patience, mut again) = (Patience::of(gateway), None);
    loop {
        let now = gateway.clock.now();
        let accounts = arrival.accounts(gateway);
        let bound = if converses { gateway.roster.bound(&arrival.ask, now) } else { None };
        let made = Made::by_nobody(&accounts, bound, &tries.set_aside, now);
        let anybody = || pick(&arrival.ask, &accounts, bound.as_ref(), &tries.set_aside, now);
        let pick = match again.take().map_or_else(anybody, Decision::Take) {
            Decision::Take(pick) => {
                record.decided(made.takes(&pick));
                pick
            }
            Decision::Wait(wait) => {
                let waiting = nobody::wait_out(gateway, &arrival, &accounts, &mut tries, made, wait, record);
                let after = match Box::pin(waiting).await {
                    ControlFlow::Break(answer) => return answer,
                    ControlFlow::Continue(after) => after,
                };
                record = after.0;
                let Some(pick) = after.1 else { continue };
                pick
            }
        };
        let account = &pick.contender;
        let Some(lease) = patience.lease(gateway, &arrival, &pick, now).await else { continue };
        record.try_account(account.account.id);
        match attempt(gateway, &upstreams, &arrival, &pick, lease).await {
            Ok((mut answer, verdict)) => {
                let early =
                    gate::early_verdict(gateway, &arrival, &pick, &tries.set_aside, &mut answer).await;
                let verdict = early.unwrap_or(verdict);
                record.learn(Some(answer.head.status.as_u16()), &verdict, answer.early_error.clone());
                let is_missing = counts && gateway.counting.is_missing(&answer, gateway.clock.now());
                let idle = accounts.plan.idle_limit(&arrival.ask, &pick).unwrap_or(idle);
                let is_for_another = !is_the_clients_to_mend(account, &verdict) && tries.may_go_on(&verdict);
                if !is_missing && !is_for_another {
                    if converses && verdict == Verdict::Fine {
                        gateway.roster.serves(&arrival.ask, &pick, now);
                        if gateway.roster.keeps_warm() {
                            warm::take_over(gateway, &arrival, &pick, &mut record);
                        }
                    }
                    return answer.relay(record, &arrival.method, idle);
                }
                if may_be_renewed(gateway, account, &verdict) {
                    let renewing = second_try(gateway, &arrival, &mut tries, &mut answer, &pick);
                    again = Box::pin(renewing).await;
                    if again.is_some() {
                        tries.keep(answer, idle);
                        continue;
                    }
                }
                // The head alone decides: once a byte has left, another account could repeat the work.
                match patience.second_try(gateway, &arrival, &answer, &tries.set_aside, &pick) {
                    Some(wait) => {
                        tries.keep(answer, idle);
                        again = Box::pin(patience.back_at(gateway, &arrival, pick, wait)).await;
                    }
                    None => tries.answered(&pick, answer, idle),
                }
            }
            Err((why, verdict)) => {
                record.learn(None, &verdict, Some(why.clone()));
                tries.failed(&pick, why, &verdict);
            }
        }
    }
}

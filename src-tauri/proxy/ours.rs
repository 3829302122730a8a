//! A message request of Headgate's own, asked for by the owner of an account: to that account alone, under our own
//! name, recorded like any other. Guards, pauses and the account's standing hold it back; what comes back teaches
//! windows, and never takes the account out of service.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use super::{
    Gateway,
    admission::Asker,
    attempt::attempt,
    decisions::Made,
    failure::Failure,
    record::{Arrived, Record},
    request::Arrival,
};
use crate::{
    accounts::Held,
    domain::Verdict,
    routing::{Contender, Decision, Pick, Plan, Snapshot, pick},
    tasks::Tasks,
};

/// A request that may be sent now.
struct Allowed {
    pick: Pick,
    made: Made,
}

/// Why an answer is none that helps, as a sentence.
pub type Failed = Arc<str>;

/// Whether this account may be asked now.
///
/// # Errors
/// What holds it back.
fn allow(gateway: &Gateway, arrival: &Arrival, contender: &Arc<Contender>) -> Result<Allowed, Held> {
    let now = gateway.clock.now();
    if gateway.is_paused() {
        return Err(Held::by("the proxy is paused", None, now));
    }
    let alone = alone(gateway, contender);
    let made = Made::by_nobody(&alone, None, &[], now);
    match pick(&arrival.ask, &alone, None, &[], now) {
        Decision::Take(_) if gateway.roster.bearer(contender.account.id).is_none() => {
            Err(Held::by("its key is not in the vault", None, now))
        }
        Decision::Take(pick) => Ok(Allowed { made: made.takes(&pick), pick }),
        Decision::Wait(wait) => {
            let standing = wait.why.into_iter().next().map(|passed| passed.standing);
            let (why, until) = standing.map_or((None, None), |standing| (standing.reason, standing.until));
            Err(Held::by(why.unwrap_or_else(|| "it can't be used now".into()), until, now))
        }
    }
}

/// An answer of one token is shorter; what is longer, or takes longer, is left.
const MOST_BYTES: usize = 1024 * 1024;
const MOST_TIME: Duration = Duration::from_mins(1);

/// Sends it over a connection that ends with it, and reads the answer. `first` is done once it has its place and before
/// anything is sent; where that fails, nothing is. `change` is what was changed in a client's request, if it was one.
///
/// # Errors
/// What holds it back, where nothing was sent.
pub async fn send(
    gateway: &Gateway,
    tasks: &Tasks,
    arrival: &Arrival,
    contender: &Arc<Contender>,
    change: Option<Arc<str>>,
    first: impl Future<Output = bool>,
) -> Result<Result<Bytes, Failed>, Held> {
    // Who may not be asked waits for no place.
    allow(gateway, arrival, contender)?;
    let (id, now) = (contender.account.id, gateway.clock.now());
    let says = |failure: &Failure| -> Arc<str> { failure.message(now).into() };
    let held = |failure: Failure| Held::by(says(&failure), None, now);
    let name = arrival.ask.client.as_deref().unwrap_or_default();
    let arrived = Arrived { at: now, instant: gateway.clock.instant() };
    let asker = Asker::conversation(Some(name.as_bytes()));
    let permit = gateway.admission.enter(asker, arrived.instant).await.map_err(held)?;
    // It may have waited for its place: a person may have paused it meanwhile, or given it another key and address.
    let removed = || Held::by("it was removed", None, gateway.clock.now());
    let as_it_is = gateway.roster.snapshot().get(id).cloned().ok_or_else(removed)?;
    // What a client sent goes where the client's own request went, or nowhere.
    if change.is_some() && as_it_is.base_url() != contender.base_url() {
        return Err(Held::by("it has another address by now", None, now));
    }
    let Allowed { pick, made } = allow(gateway, arrival, &as_it_is)?;
    let Some(lease) = pick.contender.load.lease() else {
        return Err(Held::by("it serves as many requests as it may", None, now));
    };
    let path = arrival.target.path();
    let mut record =
        Record::open(gateway, arrived, permit, None, &arrival.method, path).await.map_err(held)?;
    record.is_of_ours();
    let is_noted = first.await;
    record.begin(&arrival.ask);
    record.decided(made);
    if !is_noted {
        drop(record.refuse(&Failure::NotRecorded));
        return Ok(Err(says(&Failure::NotRecorded)));
    }
    record.try_account(id);
    if let Some(change) = change {
        record.changed(change);
    }
    let upstreams = gateway.upstreams_aside(tasks);
    Ok(match attempt(gateway, &upstreams, arrival, &pick, lease).await {
        Ok((answer, verdict)) => {
            let status = answer.head.status.as_u16();
            record.learn(Some(status), &verdict, None);
            // The record ends with the answer, as any other does.
            let answer = answer.relay(record, &arrival.method, gateway.limits.idle());
            let whole = Limited::new(answer.into_body(), MOST_BYTES).collect();
            match (verdict, tokio::time::timeout(MOST_TIME, whole).await) {
                (Verdict::Fine, Ok(Ok(whole))) => Ok(whole.to_bytes()),
                (Verdict::Fine, _) => Err("its answer broke off, or did not come to an end".into()),
                _ => Err(format!("its upstream answered {status}").into()),
            }
        }
        Err((why, verdict)) => {
            record.learn(None, &verdict, Some(Arc::clone(&why)));
            drop(record.refuse(&Failure::Unreachable { why: Arc::clone(&why) }));
            Err(why)
        }
    })
}

/// The account by itself: routes and pools say where clients' requests go, and this is none. Its guards hold.
fn alone(gateway: &Gateway, contender: &Arc<Contender>) -> Arc<Snapshot> {
    let plan = &gateway.roster.snapshot().plan;
    let plan = Plan { zones: plan.zones.clone(), pools: plan.pools.clone(), ..Plan::default() };
    Arc::new(Snapshot { contenders: vec![Arc::clone(contender)], plan: Arc::new(plan) })
}

//! A message request of Headgate's own, asked for by the owner of an account: to that account alone, under our own
//! name, recorded like any other. Guards, pauses and the account's standing keep it back; what comes back teaches
//! windows, and never takes the account out of service.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use jiff::Timestamp;

use crate::{
    accounts::{KeptBack, key_of},
    domain::Verdict,
    proxy::{
        Gateway,
        answer::{
            failure::Failure,
            record::{Arrived, Record},
        },
        arrival::{admission::Asker, request::Arrival},
        attempts::{attempt::attempt, decisions::Made},
    },
    routing::{Contender, Decision, Lease, Pick, Plan, Snapshot, pick},
    tasks::Tasks,
};

/// What is to be sent.
pub struct Errand<'a> {
    pub arrival: &'a Arrival,
    /// To whom, as it stood when that was decided.
    pub contender: &'a Arc<Contender>,
    /// What was changed in a client's request, if it was one.
    pub change: Option<Arc<str>>,
    /// Why it need not be sent any more, of the account as it stands by then. Asked again behind each wait, and last
    /// right before it is sent.
    pub unwanted: &'a (dyn Fn(&Contender, Timestamp) -> Option<Arc<str>> + Sync),
}

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
/// What keeps it back.
fn allow(gateway: &Gateway, arrival: &Arrival, contender: &Arc<Contender>) -> Result<Allowed, KeptBack> {
    let now = gateway.clock.now();
    if gateway.is_paused() {
        return Err(KeptBack::by("the proxy is paused", None, now));
    }
    let alone = alone(gateway, contender);
    let made = Made::by_nobody(&alone, None, &[], now);
    match pick(&arrival.ask, &alone, None, &[], now) {
        Decision::Take(_) if key_of(contender).is_none() => {
            Err(KeptBack::by("its key is not in the vault", None, now))
        }
        Decision::Take(pick) => Ok(Allowed { made: made.takes(&pick), pick }),
        Decision::Wait(wait) => {
            let standing = wait.why.into_iter().next().map(|passed| passed.standing);
            let (why, until) = standing.map_or((None, None), |standing| (standing.reason, standing.until));
            Err(KeptBack::by(why.unwrap_or_else(|| "it can't be used now".into()), until, now))
        }
    }
}

/// An answer of one token is shorter; what is longer, or takes longer, is left.
const MOST_BYTES: usize = 1024 * 1024;
const MOST_TIME: Duration = Duration::from_mins(1);

impl Errand<'_> {
    /// Whether it is to be sent still, to the account as it stands at this moment.
    fn look(&self, gateway: &Gateway) -> Result<Allowed, KeptBack> {
        let now = gateway.clock.now();
        let known = gateway.roster.snapshot().get(self.contender.account.id).cloned();
        let known = known.ok_or_else(|| KeptBack::by("it was removed", None, now))?;
        match (self.unwanted)(&known, now) {
            Some(why) => Err(KeptBack::by(why, None, now)),
            None => allow(gateway, self.arrival, &known),
        }
    }

    /// A place at the account.
    fn lease(&self, gateway: &Gateway) -> Result<Lease, KeptBack> {
        let full = || KeptBack::by("it serves as many requests as it may", None, gateway.clock.now());
        self.look(gateway)?.pick.contender.load.lease().ok_or_else(full)
    }
}

/// Sends it over a connection that ends with it, and reads the answer. `first` is done once it has its place and before
/// anything is sent; where that fails, nothing is.
///
/// # Errors
/// What keeps it back, where nothing was sent.
pub async fn send(
    gateway: &Gateway,
    tasks: &Tasks,
    errand: Errand<'_>,
    first: impl Future<Output = bool>,
) -> Result<Result<Bytes, Failed>, KeptBack> {
    let Errand { arrival, contender, .. } = errand;
    // Who may not be asked waits for no place.
    errand.look(gateway)?;
    let (id, now) = (contender.account.id, gateway.clock.now());
    let says = |failure: &Failure| -> Arc<str> { failure.message(now).into() };
    let kept_back = |failure: Failure| KeptBack::by(says(&failure), None, now);
    let name = arrival.ask.client.as_deref().unwrap_or_default();
    let arrived = Arrived { at: now, instant: gateway.clock.instant() };
    let asker = Asker::conversation(Some(name.as_bytes()));
    let permit = gateway.admission.enter(asker, arrived.instant).await.map_err(kept_back)?;
    // It may have waited for its place: what is not wanted any more leaves no record either.
    let lease = errand.lease(gateway)?;
    let path = arrival.target.path();
    let mut record =
        Record::open(gateway, arrived, permit, None, &arrival.method, path).await.map_err(kept_back)?;
    record.is_of_ours();
    let is_noted = first.await;
    record.begin(&arrival.ask);
    if !is_noted {
        drop(record.refuse(&Failure::NotRecorded));
        return Ok(Err(says(&Failure::NotRecorded)));
    }
    // The disk may have taken its time as well.
    let Allowed { pick, made } = match errand.look(gateway) {
        Ok(allowed) => allowed,
        Err(kept_back) => {
            drop(record.refuse(&Failure::Unwanted { why: Arc::clone(&kept_back.why) }));
            return Err(kept_back);
        }
    };
    record.decided(made);
    record.try_account(id);
    if let Some(change) = errand.change {
        record.changed(change);
    }
    let upstreams = gateway.upstreams_aside(tasks);
    Ok(match attempt(gateway, &upstreams, arrival, &pick, lease).await {
        Ok((answer, verdict)) => {
            let status = answer.head.status.as_u16();
            record.learn(Some(status), &verdict, None);
            // The record ends with the answer, as any other does.
            let answer = answer.relay(record, &arrival.method, gateway.limits.idle());
            match (verdict, whole(answer.into_body(), MOST_TIME).await) {
                (Verdict::Fine, Some(whole)) => Ok(whole),
                (Verdict::Fine, None) => Err("its answer broke off, or did not come to an end".into()),
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

/// A body, if it comes to its end within bounds.
async fn whole<B: Body>(body: B, most_time: Duration) -> Option<Bytes>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let reading = Limited::new(body, MOST_BYTES).collect();
    Some(tokio::time::timeout(most_time, reading).await.ok()?.ok()?.to_bytes())
}

/// The account by itself: routes and pools say where clients' requests go, and this is none. Its guards hold.
fn alone(gateway: &Gateway, contender: &Arc<Contender>) -> Arc<Snapshot> {
    let plan = &gateway.roster.snapshot().plan;
    let plan = Plan { zones: plan.zones.clone(), pools: plan.pools.clone(), ..Plan::default() };
    Arc::new(Snapshot { contenders: [Arc::clone(contender)].into_iter().collect(), plan: Arc::new(plan) })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_trickled_was_read_for_as_long_as_its_upstream_liked() {
        let pieces = stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b" "))));
        let trickle = pieces.take(3).chain(stream::pending());
        let reading = whole(StreamBody::new(trickle), Duration::from_millis(20));
        let came = tokio::time::timeout(Duration::from_secs(20), reading).await;
        assert_eq!(came.expect("it is left after its time"), None);
    }

    #[tokio::test]
    async fn an_answer_is_whole_up_to_its_last_byte_and_none_beyond() {
        let read = async |length| whole(Full::new(Bytes::from(vec![b' '; length])), MOST_TIME).await;
        assert_eq!(read(MOST_BYTES).await.map(|whole| whole.len()), Some(MOST_BYTES));
        assert_eq!(read(MOST_BYTES + 1).await, None);
    }
}

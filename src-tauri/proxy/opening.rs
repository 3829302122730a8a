//! Opens a usage window of an account by the smallest honest request that does: one token of the cheapest model that
//! it has, under Headgate's own name, recorded like any other. Guards, pauses and the account's standing hold it back;
//! what comes back teaches windows, and never takes the account out of service.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header, uri::PathAndQuery};
use http_body_util::BodyExt;

use super::{
    Gateway,
    admission::Asker,
    attempt::attempt,
    decisions::Made,
    failure::Failure,
    record::{Arrived, Record},
    request::Arrival,
    upstream::Upstreams,
};
use crate::{
    accounts::Held,
    domain::{AccountId, Ask, Family, Verdict},
    routing::{Contender, Decision, Pick, Plan, Snapshot, pick},
    tasks::Tasks,
};

/// What Headgate calls itself then.
const CLIENT: &str = concat!("headgate/", env!("CARGO_PKG_VERSION"), " (+opens a usage window)");
/// What it says, so that whoever reads it knows.
const WORDS: &str = "This request opens a usage window. Headgate sent it because the owner of this account asked for \
                     that; no answer is needed.";
/// The version of the request's shape (Anthropic's API reference, "Versioning").
const VERSION: &str = "2023-06-01";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It was asked, and answered.
    Done,
    /// There is nothing to open: why.
    Needless(Arc<str>),
    /// Nothing was sent.
    Held(Held),
    /// It was asked, or tried to: what went wrong.
    Failed(Arc<str>),
}

/// Opens a window of this account, over a connection that ends with it: because it is due, or because a person says so.
pub async fn open_window(gateway: &Gateway, tasks: &Tasks, id: AccountId, by_hand: bool) -> Opened {
    let roster = &gateway.roster;
    let _turn = roster.opening_turn().await;
    let found = roster.snapshot().get(id).filter(|known| by_hand || roster.is_due_to_open(known)).cloned();
    let Some(contender) = found else { return Opened::Needless("somebody was quicker".into()) };
    let opened = open(gateway, tasks, &contender).await;
    match &opened {
        // What a person asked for in vain says nothing of what is due.
        _ if by_hand => {}
        Opened::Needless(_) => roster.leave_opening(id),
        Opened::Held(held) => roster.hold_opening(id, held.clone()),
        Opened::Done | Opened::Failed(_) => {}
    }
    opened
}

async fn open(gateway: &Gateway, tasks: &Tasks, contender: &Arc<Contender>) -> Opened {
    let (roster, now) = (&gateway.roster, gateway.clock.now());
    if let Some(why) = roster.why_not_open(contender) {
        return Opened::Needless(why);
    }
    let held = |why: &str, until| Opened::Held(Held::by(why, until, now));
    if gateway.is_paused() {
        return held("the proxy is paused", None);
    }
    let Some(model) = smallest(gateway, contender) else {
        return Opened::Needless("none of its models is known to be a small one".into());
    };
    let arrival = arrival(contender, &model);
    let alone = alone(gateway, contender);
    let made = Made::by_nobody(&alone, None, &[], now);
    let pick = match pick(&arrival.ask, &alone, None, &[], now) {
        Decision::Take(pick) => pick,
        Decision::Wait(wait) => {
            let standing = wait.why.into_iter().next().map(|passed| passed.standing);
            let (why, until) = standing.map_or((None, None), |standing| (standing.reason, standing.until));
            return held(why.as_deref().unwrap_or("it can't be used now"), until);
        }
    };
    if roster.bearer(contender.account.id).is_none() {
        return held("its key is not in the vault", None);
    }
    match send(gateway, tasks, &arrival, &pick, made).await {
        Ok(opened) => opened,
        Err(busy) => held(&busy, None),
    }
}

/// `Err`: it found no place, and nothing was sent.
async fn send(
    gateway: &Gateway,
    tasks: &Tasks,
    arrival: &Arrival,
    pick: &Pick,
    made: Made,
) -> Result<Opened, Arc<str>> {
    let (id, now) = (pick.contender.account.id, gateway.clock.now());
    let why = |failure: Failure| -> Arc<str> { failure.message(now).into() };
    let arrived = Arrived { at: now, instant: gateway.clock.instant() };
    let permit = gateway.admission.enter(Asker::conversation(Some(CLIENT.as_bytes()))).await.map_err(why)?;
    let Some(lease) = pick.contender.load.lease() else {
        return Err("it serves as many requests as it may".into());
    };
    let path = arrival.target.path();
    let record = Record::open(gateway, arrived, permit, None, &arrival.method, path).await;
    let mut record = record.map_err(why)?;
    let roster = gateway.roster.clone();
    // Before anything is sent: a start after a crash does not do it again.
    let begun = tasks.spawn_blocking(move || roster.begin_opening(id)).await;
    let noted = begun.is_ok_and(|begun| begun.is_ok());
    record.begin(&arrival.ask);
    record.decided(made.takes(pick));
    if !noted {
        let failure = Failure::NotRecorded;
        let says = why(Failure::NotRecorded);
        drop(record.refuse(&failure));
        return Ok(Opened::Failed(says));
    }
    record.try_account(id);
    let upstreams =
        Upstreams::new(gateway.outward.clone(), &gateway.limits, gateway.clock.clone(), tasks.clone());
    Ok(match attempt(gateway, &upstreams, arrival, pick, lease).await {
        Ok((answer, verdict)) => {
            let status = answer.head.status.as_u16();
            record.learn(Some(status), &verdict, None);
            // The record ends with the answer, as any other does.
            let answer = answer.relay(record, &arrival.method, gateway.limits.idle());
            let whole = answer.into_body().collect().await;
            match verdict {
                Verdict::Fine if whole.is_ok() => Opened::Done,
                Verdict::Fine => Opened::Failed("its answer broke off".into()),
                _ => Opened::Failed(format!("its upstream answered {status}").into()),
            }
        }
        Err((why, verdict)) => {
            record.learn(None, &verdict, Some(Arc::clone(&why)));
            drop(record.refuse(&Failure::Unreachable { why: Arc::clone(&why) }));
            Opened::Failed(why)
        }
    })
}

/// The cheapest by the price list; of those that it does not know, one of the smallest family.
fn smallest(gateway: &Gateway, contender: &Contender) -> Option<Arc<str>> {
    let models = gateway.roster.models_of(contender);
    let priced = models.iter().filter_map(|model| Some((gateway.prices.of_input(model)?, model)));
    let cheapest = priced.min().map(|(_, model)| model);
    cheapest.or_else(|| models.iter().find(|model| Family::of(model) == Some(Family::Haiku))).cloned()
}

/// The account by itself: routes and pools say where clients' requests go, and this is none. Its guards hold.
fn alone(gateway: &Gateway, contender: &Arc<Contender>) -> Arc<Snapshot> {
    let plan = &gateway.roster.snapshot().plan;
    let zones = plan.zones.clone();
    let plan = Plan { zones, pools: plan.pools.clone(), ..Plan::default() };
    Arc::new(Snapshot { contenders: vec![Arc::clone(contender)], plan: Arc::new(plan) })
}

fn arrival(contender: &Contender, model: &Arc<str>) -> Arrival {
    let body = serde_json::json!({
        "model": &**model,
        "max_tokens": 1,
        "messages": [{ "role": "user", "content": WORDS }],
    });
    let body = Bytes::from(body.to_string());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(CLIENT));
    headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
    let ask = Ask {
        model: Some(Arc::clone(model)),
        client: Some(CLIENT.into()),
        bytes: body.len() as u64,
        only: Some([contender.account.id].into()),
        pools: Some([contender.account.pool].into()),
        ..Ask::default()
    };
    Arrival {
        method: Method::POST,
        target: PathAndQuery::from_static("/v1/messages"),
        headers,
        body,
        ask,
        is_model_ambiguous: false,
        login: None,
        is_ours: true,
    }
}

impl Opened {
    /// What came of it, as a sentence about an account.
    pub fn says(&self, name: &str) -> String {
        match self {
            Self::Done => format!("A window of {name} was opened."),
            Self::Needless(why) => format!("{name} was left alone: {why}."),
            Self::Held(Held { why, .. }) => format!("{name} is held back: {why}."),
            Self::Failed(why) => format!("The request that was to open a window of {name} failed: {why}."),
        }
    }
}

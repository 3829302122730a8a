//! One try: the client's request under an account's credential, and what the head of the answer says of
//! that account.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Method, Response, header, response, uri::PathAndQuery};
use http_body_util::BodyExt;
use jiff::Timestamp;

use super::{patience::is_overload, renewed::may_be_renewed};
use crate::{
    domain::{Endpoint, Need, Verdict, Window},
    formats, providers,
    proxy::{
        Gateway,
        answer::relay::Answer,
        arrival::{
            login::{Bearer, is_the_clients_to_mend, learn},
            request::Arrival,
        },
        headers::{self, UpstreamHeaders},
        upstream::{Target, UpstreamBody, UpstreamRequest, Upstreams},
    },
    routing::{Contender, Lease, Lesson, Pick, Sign},
    secrets::Sensitive,
};

/// How much of an error's body is read before the verdict.
const ENOUGH: usize = 64 * 1024;
/// How long an error's body may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries one account, and lets the roster learn from it.
///
/// # Errors
/// Where no head came: why, as a sentence, and the verdict that this amounts to.
pub async fn attempt(
    gateway: &Gateway,
    upstreams: &Upstreams,
    arrival: &Arrival,
    pick: &Pick,
    lease: Lease,
) -> Result<(Answer, Verdict), (Arc<str>, Verdict)> {
    let (account, need) = (&*pick.contender, pick.need(&arrival.ask));
    let Some(Bearer { credential: key, places }) = Bearer::of(arrival, account) else {
        let verdict = Verdict::CredentialRefused;
        learn(gateway, arrival, account, &Lesson { verdict: Some(&verdict), windows: &[], need });
        return Err(("its key is not in the vault".into(), verdict));
    };
    let (body, change) = body_for(arrival, pick).map_err(|why| (why, Verdict::RequestFault))?;
    let written = UpstreamHeaders::of(&arrival.headers, places, &key)
        .and_then(|headers| write(upstreams, account, &arrival.method, &arrival.target, headers, body));
    let Some((request, target)) = written else {
        return Err(("its address or its key can't be put into a request".into(), Verdict::Forbidden));
    };
    match upstreams.send(&target, &request).await {
        Ok(response) => {
            let (answer, verdict) = judge(gateway, arrival, pick, response, lease, key).await;
            Ok((Answer { change, ..answer }, verdict))
        }
        Err(unreached) => {
            if !arrival.is_ours {
                notice(account, need, Sign::OutOfReach, gateway.clock.now());
            }
            Err((unreached.to_string().into(), Verdict::Weather))
        }
    }
}

/// Tells the sky of an account what an attempt said of it. Counts say nothing of messages.
pub(super) fn notice(account: &Contender, need: Need, sign: Sign, now: Timestamp) {
    if need.endpoint == Endpoint::Messages {
        account.weather.learn(need, sign, now);
    }
}

/// The body as it is to be asked, and in a few words what was changed in it.
fn body_for(arrival: &Arrival, pick: &Pick) -> Result<(Bytes, Option<Arc<str>>), Arc<str>> {
    let Some((asked, sent)) = arrival.ask.model.as_deref().zip(pick.sent(&arrival.ask)) else {
        if arrival.is_model_ambiguous && !pick.contender.account.models.is_empty() {
            return Err("the request names its model twice, or in another letter case".into());
        }
        return Ok((arrival.body.clone(), None));
    };
    let body = formats::splice_model(&arrival.body, sent)
        .map_err(|why| format!("the request can't be given the model {sent}: {why}"))?;
    Ok((body, Some(format!("model: {asked} → {sent}").into())))
}

/// A request to an account's upstream, and where it goes. `None` if that can't be written down.
pub(in crate::proxy) fn write<'a>(
    upstreams: &Upstreams,
    account: &Contender,
    method: &'a Method,
    asked: &PathAndQuery,
    mut headers: UpstreamHeaders<'a>,
    body: Bytes,
) -> Option<(UpstreamRequest<'a>, Arc<Target>)> {
    let target = upstreams.target(account.base_url()?)?;
    headers.say(&account.provider.says);
    headers.set(header::HOST, target.host.clone());
    let path = target.path(asked)?;
    Some((UpstreamRequest { method, path, headers, body }, target))
}

/// What an answer says as far as it was read.
pub(in crate::proxy) struct Told {
    /// As it came.
    pub head: response::Parts,
    /// The beginning of an error's body.
    pub begun: Bytes,
    /// The rest of it.
    pub body: UpstreamBody,
    /// The windows that the head states.
    pub windows: Vec<Window>,
    /// What it says of the account.
    pub verdict: Verdict,
    /// A web page stands where a model should have answered.
    pub is_page: bool,
    /// When it was read.
    pub at: Timestamp,
}

/// Reads the verdict out of a head, and out of the beginning of the body where it is an error. Nobody learns of it yet.
pub(in crate::proxy) async fn read(
    gateway: &Gateway,
    account: &Contender,
    need: Need,
    asks_a_model: bool,
    response: Response<UpstreamBody>,
) -> Told {
    let (head, mut body) = response.into_parts();
    let begun = if head.status.as_u16() >= 400 { Box::pin(beginning(&mut body)).await } else { Bytes::new() };
    let (now, catalog) = (gateway.clock.now(), gateway.roster.catalog());
    let windows = catalog.windows(&account.provider, &head.headers, need, now);
    let reply = providers::Reply {
        status: head.status,
        headers: &head.headers,
        body: &begun,
        windows: &windows,
        family: need.family,
    };
    let is_page = asks_a_model && headers::is_page(&head.headers);
    let read = catalog.verdict(&account.provider, &reply, now);
    // No model answers with a web page, whatever status it has.
    let verdict = if is_page && read == Verdict::Fine { Verdict::Weather } else { read };
    Told { head, begun, body, windows, verdict, is_page, at: now }
}

/// Lets the roster learn what an answer says.
async fn judge(
    gateway: &Gateway,
    arrival: &Arrival,
    pick: &Pick,
    response: Response<UpstreamBody>,
    lease: Lease,
    key: Arc<Sensitive<String>>,
) -> (Answer, Verdict) {
    let (account, need) = (&*pick.contender, pick.need(&arrival.ask));
    let asks_a_model = arrival.ask.model.is_some();
    let Told { head, begun, body, windows, verdict, is_page, at: now } =
        read(gateway, account, need, asks_a_model, response).await;
    let id = account.account.id;
    // A late refusal of a key that a person has replaced meanwhile says nothing of the new one.
    // Nor does one of the sign-in that a client brought: it renews that itself. And a sign-in of the account's own
    // is renewed first.
    let is_news = !is_the_clients_to_mend(account, &verdict)
        && !may_be_renewed(gateway, account, &verdict)
        && (verdict != Verdict::CredentialRefused || gateway.roster.is_current(id, &key));
    // Whatever the verdict teaches, the windows that are stated are true.
    let taught = match &verdict {
        // Counts have a limit of their own (Anthropic's page on token counting): it says nothing of messages.
        Verdict::Throttled { .. } if arrival.counts_tokens() => None,
        // What Headgate asks by itself takes nobody out of service.
        verdict if arrival.is_ours && *verdict != Verdict::Fine => None,
        verdict => is_news.then_some(verdict),
    };
    learn(gateway, arrival, account, &Lesson { verdict: taught, windows: &windows, need });
    let answer = Answer {
        head,
        begun,
        body,
        account: id,
        lease: Some(lease),
        key,
        tally: None,
        change: None,
        early_error: None,
    };
    let sign = match &verdict {
        Verdict::Fine => Some(Sign::Fair),
        Verdict::Weather if is_overload(&answer) => Some(Sign::Overloaded),
        // Something on the way answers in the upstream's place.
        Verdict::Weather if is_page => Some(Sign::OutOfReach),
        Verdict::Weather => Some(Sign::Failing),
        _ => None,
    };
    let sign = sign.filter(|sign| !arrival.is_ours || *sign == Sign::Fair);
    if let Some(sign) = sign {
        notice(account, need, sign, now);
    }
    (answer, verdict)
}

/// As much of an error's body as a verdict needs; whatever is left stays in the body.
async fn beginning(body: &mut UpstreamBody) -> Bytes {
    let mut begun = BytesMut::new();
    let reading = async {
        while begun.len() < ENOUGH {
            match body.frame().await {
                Some(Ok(frame)) => begun.extend_from_slice(&frame.into_data().unwrap_or_default()),
                // It is passed on as far as it came, and then cut as it was.
                Some(Err(error)) => return body.fail_later(error),
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, reading).await;
    begun.freeze()
}

//! The connection test: one token of one model, asked of one account's own upstream under its credential and under our
//! own name, because a person wants to know whether it works. Nobody takes over, nothing that fails is held against
//! the account, and it is recorded like any other request, for it is paid for.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Version, uri::PathAndQuery};
use http_body_util::{BodyExt, Limited};
use rustls::ProtocolVersion;

use super::one_token::{self, PATH};
use crate::{
    accounts::key_of,
    domain::{AccountId, Ask, Credential, ExchangeId, Finding, Model, Verdict},
    formats,
    proxy::{
        AnswerBody, Gateway,
        answer::{
            failure::Failure,
            record::{Arrived, Record},
            relay::Answer,
        },
        arrival::admission::Asker,
        attempts::attempt::{Told, read, write},
        headers::UpstreamHeaders,
        upstream::{Secured, Target, Unreached, UpstreamBody, UpstreamRequest, Upstreams},
    },
    routing::{Contender, Lesson},
    secrets::Sensitive,
    tasks::Tasks,
};

mod finding;
mod words;

/// What Headgate calls itself then.
const CLIENT: &str = concat!("headgate/", env!("CARGO_PKG_VERSION"), " (+connection test)");
/// What it says, so that whoever reads it knows.
const WORDS: &str =
    "This is Headgate's connection test, which the owner of this account asked for. No answer is needed.";
/// The head has to be here by then, and silence behind it lasts no longer than what is left. An answer that trickles
/// has as long again.
const PATIENCE: Duration = Duration::from_secs(30);
/// One token needs less. Of a longer answer no more is read, and it is none.
const MOST_ANSWER: usize = 256 * 1024;

/// What a connection test found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// Under which its record is found.
    pub request: ExchangeId,
    /// The whole address that was asked.
    pub url: String,
    /// The model as it was asked for there.
    pub model: Arc<str>,
    /// In one word.
    pub finding: Finding,
    /// What that means, as a sentence.
    pub says: String,
    /// What to do next, where there is something to do.
    pub next: Option<String>,
    /// What the upstream said itself, or why it could not be reached.
    pub told: Option<Arc<str>>,
    /// Its status; `None` where no head came.
    pub status: Option<u16>,
    /// Until its head was there, the way to it included.
    pub first_byte: Option<Duration>,
    /// What was spoken, where a head came.
    pub http: Option<Version>,
    /// The version of TLS, where that was spoken.
    pub tls: Option<ProtocolVersion>,
}

/// Why a connection test was not made. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProbed {
    #[error(
        "{0} passes on the sign-in that each client brings and has none of its own, so it can't be tested without the \
         client: start Claude Code through Headgate and send it a message"
    )]
    NeedsClient(String),
    #[error("the key of {0} is not in the vault: give it one first")]
    NoKey(String),
    #[error("no model of {0} is known yet: say which one to ask for, with --model on the command line")]
    NoModel(String),
    #[error("\"{0}\" is no name of a model: it has 1 to 128 printable characters and no blanks")]
    BadModel(String),
    #[error("the address or the key of {0} can't be put into a request")]
    Unwritable(String),
    /// A sentence.
    #[error("{0}")]
    NoPlace(String),
}

/// Which accounts are being tested: each by one at a time, so never more than there are accounts. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Probes(Arc<Mutex<HashSet<AccountId>>>);

/// An account's turn to be tested; dropped, it is over.
#[derive(Debug)]
#[must_use = "the turn is held as long as this lives"]
pub struct Turn(Probes, AccountId);

impl Probes {
    /// The account's turn, unless it is being tested.
    pub fn take(&self, id: AccountId) -> Option<Turn> {
        self.lock().insert(id).then(|| Turn(self.clone(), id))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

/// What is to be sent.
struct Question<'a> {
    ask: Ask,
    sent: Arc<str>,
    request: UpstreamRequest<'a>,
    target: Arc<Target>,
    key: Arc<Sensitive<String>>,
}

/// What came of it.
struct Outcome {
    finding: Finding,
    told: Option<Arc<str>>,
    status: Option<u16>,
    first_byte: Option<Duration>,
    http: Option<Version>,
    tls: Option<ProtocolVersion>,
}

/// Tests an account over a connection that ends with the test: with this model, or the first one of its list. It is
/// asked whatever its standing is. Whoever drops this ends the test.
///
/// # Errors
/// [`NotProbed`], where nothing was sent.
pub async fn probe(
    gateway: &Gateway,
    tasks: &Tasks,
    contender: &Arc<Contender>,
    model: Option<&str>,
) -> Result<Probed, NotProbed> {
    let name = || contender.account.name.to_string();
    let upstreams = gateway.upstreams_aside(tasks);
    let headers = one_token::headers(CLIENT);
    let question = Question::of(gateway, &upstreams, contender, model, &headers)?;
    let Question { ask, sent, request, target, key } = question;
    let url = target.absolute(&request.path).ok_or_else(|| NotProbed::Unwritable(name()))?.to_string();
    let no_place = |failure: Failure| NotProbed::NoPlace(failure.message(gateway.clock.now()));
    let arrived = Arrived { at: gateway.clock.now(), instant: gateway.clock.instant() };
    let asker = Asker::conversation(Some(CLIENT.as_bytes()));
    let permit = gateway.admission.enter(asker, arrived.instant).await.map_err(no_place)?;
    let opening = Record::open(gateway, arrived, permit, None, &Method::POST, PATH);
    let mut record = opening.await.map_err(no_place)?;
    record.begin(&ask);
    record.try_account(contender.account.id);
    let (id, began) = (record.id(), gateway.clock.instant());
    let asking = tokio::time::timeout(PATIENCE, upstreams.send(&target, &request));
    let outcome = match asking.await {
        Ok(Ok(response)) => {
            let took = gateway.clock.instant().saturating_duration_since(began);
            let change = (ask.model.as_ref() != Some(&sent))
                .then(|| format!("model: {} → {sent}", ask.model.as_deref().unwrap_or_default()).into());
            hear(gateway, contender, &ask, response, Heard { record, key, change, took }).await
        }
        Ok(Err(unreached)) => miss(record, finding::of_unreached(&unreached), &unreached.to_string()),
        Err(_) => {
            let late =
                Unreached::HeadLate { host: target.origin.host.to_string(), seconds: PATIENCE.as_secs_f64() };
            miss(record, Finding::Late, &late.to_string())
        }
    };
    let Outcome { finding, told, status, first_byte, http, tls } = outcome;
    // Somebody may have changed it meanwhile, and a success may have ended its rest.
    let snapshot = gateway.roster.snapshot();
    let now = snapshot.get(contender.account.id).unwrap_or(contender);
    let subject = words::Subject {
        account: now,
        host: &target.origin.host,
        model: &sent,
        status,
        first_byte,
        need: ask.need(),
        now: gateway.clock.now(),
    };
    let (says, next) = (words::says(finding, &subject), words::next(finding, &subject));
    Ok(Probed { request: id, url, model: sent, finding, says, next, told, status, first_byte, http, tls })
}

/// Ends the story of a test to which no head came.
fn miss(mut record: Box<Record>, finding: Finding, why: &str) -> Outcome {
    let why: Arc<str> = why.into();
    record.learn(None, &Verdict::Weather, Some(Arc::clone(&why)));
    drop(record.refuse(&Failure::Unreachable { why: Arc::clone(&why) }));
    Outcome { finding, told: Some(why), status: None, first_byte: None, http: None, tls: None }
}

/// What goes along with an answer.
struct Heard {
    record: Box<Record>,
    key: Arc<Sensitive<String>>,
    change: Option<Arc<str>>,
    took: Duration,
}

async fn hear(
    gateway: &Gateway,
    contender: &Contender,
    ask: &Ask,
    response: Response<UpstreamBody>,
    heard: Heard,
) -> Outcome {
    let Heard { mut record, key, change, took } = heard;
    let tls = response.extensions().get::<Secured>().map(|secured| secured.0);
    let need = ask.need();
    let Told { head, begun, body, windows, verdict, is_page, .. } =
        read(gateway, contender, need, true, response).await;
    let (status, http) = (head.status, head.version);
    record.learn(Some(status.as_u16()), &verdict, None);
    let id = contender.account.id;
    let answer = Answer {
        head,
        begun: begun.clone(),
        body,
        account: id,
        lease: contender.load.lease(),
        key: Arc::clone(&key),
        tally: None,
        change,
        early_error: None,
    };
    let told = formats::error_in(&begun).map(|(kind, message)| answer.in_short(&kind, &message));
    let left = PATIENCE.saturating_sub(took).min(gateway.limits.idle());
    let began = gateway.clock.instant();
    // The record ends with the answer, as any other does; but what is passed on to a client as it is may be none here.
    let fault = record.is_judged();
    let mut body = Limited::new(answer.relay(record, &Method::POST, left).into_body(), MOST_ANSWER);
    let whole = whole(&mut body).await;
    let was_late = gateway.clock.instant().saturating_duration_since(began) >= left;
    let finding = match whole {
        Err(Finding::BrokeOff) if was_late && status.is_success() => Finding::Late,
        Ok(body) if status.is_success() && !is_page => finding::of_message(&body),
        Err(finding) if status.is_success() => finding,
        _ if is_page => Finding::WebPage,
        _ if status.is_redirection() => Finding::Redirected,
        _ => finding::of_verdict(&verdict, status),
    };
    if let Some(why) = finding::fault(finding) {
        let _ = fault.set(why);
    }
    drop(body);
    if finding == Finding::Works && gateway.roster.is_current(id, &key) {
        gateway.roster.learn(id, &Lesson { verdict: Some(&Verdict::Fine), windows: &windows, need });
    }
    Outcome { finding, told, status: Some(status.as_u16()), first_byte: Some(took), http: Some(http), tls }
}

/// The answer's body, as far as one token's may reach.
async fn whole(answer: &mut Limited<AnswerBody>) -> Result<Bytes, Finding> {
    let reading = answer.collect();
    // Of silence the relay makes an end of its own; this is for an answer that trickles.
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Finding::NoMessage),
        Ok(Err(_)) => Err(Finding::BrokeOff),
        Err(_) => Err(Finding::Late),
    }
}

impl<'a> Question<'a> {
    fn of(
        gateway: &Gateway,
        upstreams: &Upstreams,
        contender: &Contender,
        model: Option<&str>,
        headers: &'a HeaderMap,
    ) -> Result<Self, NotProbed> {
        let name = || contender.account.name.to_string();
        let Credential::Key(places) = &contender.provider.credential else {
            return Err(NotProbed::NeedsClient(name()));
        };
        let asked = match model.map(str::trim).filter(|typed| !typed.is_empty()) {
            Some(typed) => {
                Model::told(typed, None, None).ok_or_else(|| NotProbed::BadModel(typed.into()))?.id
            }
            None => gateway.roster.first_model(contender).ok_or_else(|| NotProbed::NoModel(name()))?,
        };
        let key = key_of(contender).cloned().ok_or_else(|| NotProbed::NoKey(name()))?;
        let sent = contender.account.models.sent(&asked).unwrap_or(&asked).clone();
        let body = one_token::body(&sent, WORDS);
        let ask = Ask {
            model: Some(asked),
            client: Some(CLIENT.into()),
            bytes: body.len() as u64,
            ..Ask::default()
        };
        let written = UpstreamHeaders::of(headers, places, &key).and_then(|headers| {
            let path = PathAndQuery::from_static(PATH);
            write(upstreams, contender, &Method::POST, &path, headers, body)
        });
        let (request, target) = written.ok_or_else(|| NotProbed::Unwritable(name()))?;
        Ok(Self { ask, sent, request, target, key })
    }
}

impl Probed {
    /// Whether the model answered.
    pub fn works(&self) -> bool {
        self.finding == Finding::Works
    }

    /// What was spoken, for people: `HTTP/2`, `TLS 1.3`.
    pub fn spoken(&self) -> (Option<&'static str>, Option<&'static str>) {
        let http = self.http.map(|version| match version {
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        });
        let tls = self.tls.and_then(|version| match version {
            ProtocolVersion::TLSv1_2 => Some("TLS 1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLS 1.3"),
            _ => None,
        });
        (http, tls)
    }
}

//! A client's request as we hold it: head, whole body, and the few words that selection may know. The
//! body is read once, bounded, and never changed here.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, header, uri::PathAndQuery};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{
    hints::{self, Wanted},
    login::Brought,
};
use crate::{
    domain::{Ask, Endpoint},
    formats::RequestHead,
    proxy::{Gateway, answer::failure::Failure, door::meant::quotes_a_key},
    routing::Snapshot,
    settings::Limits,
};

/// A request that has arrived whole.
#[derive(Debug)]
pub struct Arrival {
    /// As sent.
    pub method: Method,
    /// Path and query as sent.
    pub target: PathAndQuery,
    /// As sent.
    pub headers: HeaderMap,
    /// As sent.
    pub body: Bytes,
    /// What it asks for.
    pub ask: Ask,
    /// Its upstream may read another model in the body than the ask has.
    pub is_model_ambiguous: bool,
    /// The client's own sign-in, where there is an account to pass it through. It ends with the request.
    pub login: Option<Brought>,
    /// No client sent it: Headgate asks by itself.
    pub is_ours: bool,
}

/// Where messages are posted, and counts of their tokens.
pub(in crate::proxy) const MESSAGES: &str = "/v1/messages";
pub(in crate::proxy) const COUNTS: &str = "/v1/messages/count_tokens";

/// Why a packed body is refused.
const PACKED: &str = "it has a content-encoding, and requests are read as they come; send it without";

/// Room made for a body before its bytes are there; a length that a client only claims costs no more.
const MAX_PREPARED: usize = 1 << 20;
/// How much of a body that nobody wants is still read, so that the client hears the answer.
const MAX_IGNORED: usize = 256 << 20;
const IGNORE_FOR: Duration = Duration::from_secs(20);
/// The same of a stranger who came from another machine.
const STRANGERS_BYTES: usize = 1 << 20;
const STRANGERS_TIME: Duration = Duration::from_secs(3);

impl Arrival {
    /// Reads the body and makes the ask.
    ///
    /// # Errors
    /// What to tell the client if the body is too large, cut, or not what its path wants.
    pub async fn read(gateway: &Gateway, request: Request<Incoming>) -> Result<Self, Failure> {
        let (head, body) = request.into_parts();
        let body = read_body(body, &head.headers, &gateway.limits).await?;
        let mut ask = ask_of(&head.headers, body.len());
        let mut is_model_ambiguous = false;
        match RequestHead::read(&body) {
            Ok(read) => {
                is_model_ambiguous = read.is_model_ambiguous;
                ask.stream = read.stream;
                ask.session = ask.session.take().or_else(|| read.session());
                Wanted::by(&gateway.roster.snapshot()).look(&head.headers, &read, &body, &mut ask);
                // Whoever puts a key there by mistake does not find it in the records.
                ask.model = read.model.filter(|model| !quotes_a_key(model.as_bytes()));
                // Only a conversation can be worth staying with.
                let model = ask.model.as_deref().filter(|_| ask.session.is_some());
                ask.cache_price = model.and_then(|model| gateway.prices.of_cache(model));
            }
            Err(why) if wants_json(&head.method, head.uri.path()) => {
                let why = if is_packed(&head.headers) { PACKED.to_owned() } else { why.to_string() };
                return Err(Failure::NotJson { why });
            }
            // Files, multipart and whatever else lives below /v1 is not ours to read.
            Err(_) => {}
        }
        let target = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        if head.method == Method::POST && target.path() == COUNTS {
            ask.endpoint = Endpoint::Counts;
        }
        Ok(Self {
            method: head.method,
            target,
            headers: head.headers,
            body,
            ask,
            is_model_ambiguous,
            login: None,
            is_ours: false,
        })
    }
}

impl Arrival {
    /// All accounts as they stand for this request.
    pub fn accounts(&self, gateway: &Gateway) -> Arc<Snapshot> {
        gateway.roster.snapshot_for(self.login.as_ref().map(|login| login.id))
    }

    /// Whether it is a turn of a conversation, which a model is to answer.
    pub fn converses(&self) -> bool {
        self.ask.session.is_some() && self.ask.model.is_some() && !self.counts_tokens()
    }

    /// Whether it asks for a count of tokens alone.
    pub fn counts_tokens(&self) -> bool {
        self.ask.endpoint == Endpoint::Counts
    }
}

fn is_packed(headers: &HeaderMap) -> bool {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes().trim_ascii());
    encoding.is_some_and(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
}

fn wants_json(method: &Method, path: &str) -> bool {
    method == Method::POST && matches!(path, MESSAGES | COUNTS)
}

fn ask_of(headers: &HeaderMap, bytes: usize) -> Ask {
    let mut ask = Ask { bytes: bytes as u64, ..Ask::default() };
    hints::read(headers, &mut ask);
    ask
}

async fn read_body(body: Incoming, headers: &HeaderMap, limits: &Limits) -> Result<Bytes, Failure> {
    let limit = limits.body_bytes;
    let claimed: Option<usize> =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if claimed.is_some_and(|length| length > limit) {
        ignore(body, Patience::usual()).await;
        return Err(Failure::TooLarge { limit });
    }
    // Whoever stops in the middle of a body, or lets it drip, may not keep a place for ever.
    let reading = read_within(body, limit, claimed.unwrap_or(0));
    tokio::time::timeout(limits.idle(), pin!(reading)).await.map_err(|_| Failure::BodyLate)?
}

async fn read_within(mut body: Incoming, limit: usize, claimed: usize) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    let mut first = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Failure::BodyCut)?.into_data() else { continue };
        if whole.len() + first.len() + data.len() > limit {
            ignore(body, Patience::usual()).await;
            return Err(Failure::TooLarge { limit });
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(claimed.min(MAX_PREPARED));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// How much is read of a body that nobody wants, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    bytes: usize,
    time: Duration,
}

impl Patience {
    /// With a client of ours.
    pub(super) fn usual() -> Self {
        Self { bytes: MAX_IGNORED, time: IGNORE_FOR }
    }

    /// With somebody from another machine whom we don't know: a refusal may cost next to nothing.
    pub(super) fn with_a_stranger(limits: &Limits) -> Self {
        Self { bytes: STRANGERS_BYTES, time: STRANGERS_TIME.min(limits.client()) }
    }
}

/// Reads on without keeping anything: a client that is still writing would see a broken connection
/// instead of our answer.
pub(super) async fn ignore(mut body: Incoming, patience: Patience) {
    let reading = async {
        let mut ignored = 0;
        while ignored < patience.bytes {
            match body.frame().await {
                Some(Ok(frame)) => ignored += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => return,
            }
        }
    };
    // Late or not, the client gets its answer next.
    let _ = tokio::time::timeout(patience.time, reading).await;
}

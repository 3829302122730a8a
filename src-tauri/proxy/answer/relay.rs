//! The answer on its way to the client: each piece goes on as it came, while the tally listens. The relay
//! owns the record, the lease and the upstream; when it ends, or the client leaves, its drop settles all.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Version, header, response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;

use super::record::Record;
use crate::{
    domain::{AccountId, Ending},
    formats::{self, ErrorKind},
    metering::Tally,
    proxy::{
        AnswerBody,
        door::{meant::quotes_a_key, unread},
        headers,
        seldom::Wait,
        upstream::UpstreamBody,
    },
    routing::Lease,
    secrets::Sensitive,
};

/// The answer stops before its end; the connection to the client is cut, as the upstream's was.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cut(pub Arc<str>);

/// An upstream's answer that has not been passed on yet.
pub struct Answer {
    /// Status and headers as they came.
    pub head: response::Parts,
    /// What was read of an error's body to understand it.
    pub begun: Bytes,
    /// The rest of it.
    pub body: UpstreamBody,
    /// Whose answer it is.
    pub account: AccountId,
    /// Counts the request among the account's for as long as it lives; `None` once another one is asked.
    pub lease: Option<Lease>,
    /// What it was asked with, so that it is not written down if the upstream repeats it.
    pub key: Arc<Sensitive<String>>,
    /// Who has heard what has begun, if somebody has.
    pub tally: Option<Tally>,
    /// What was changed in the request that it answers.
    pub change: Option<Arc<str>>,
    /// Why it failed before its first word.
    pub early_error: Option<Arc<str>>,
}

impl Answer {
    /// Whether it says that this account may not, which concerns nobody who has another one.
    pub fn blames_the_credential(&self) -> bool {
        matches!(self.head.status.as_u16(), 401..=403)
    }

    /// An error of its stream in the few words that are kept.
    pub fn in_short(&self, kind: &str, message: &str) -> Arc<str> {
        in_short(&self.key, kind, message)
    }

    /// Passes it on. From here on no other account can take over.
    pub fn relay(
        self,
        mut record: Box<Record>,
        method: &Method,
        idle_limit: Duration,
    ) -> Response<AnswerBody> {
        let status = self.head.status;
        record.answers(self.account, status.as_u16());
        if let Some(change) = self.change {
            record.changed(change);
        }
        let is_heard = self.tally.is_some();
        let tally = self.tally.unwrap_or_else(|| listener(method, status, &self.head.headers));
        let framing = Framing::of(&self.head);
        let may_supply = record.limits().supply_message_stop && framing == Framing::Marked;
        let is_page = record.asks_a_model() && headers::is_page(&self.head.headers);
        let relay = Relay {
            begun: self.begun,
            is_heard,
            may_supply,
            body: self.body,
            tally,
            record,
            status,
            idle_limit,
            silence: Wait::default(),
            has_had_last_word: false,
            cut: None,
            error_text: Vec::new(),
            _lease: self.lease,
            key: self.key,
            framing,
            is_page,
        };
        let mut answer = Response::new(relay.boxed_unsync());
        *answer.status_mut() = status;
        if let Some(reason) = self.head.extensions.get::<ReasonPhrase>() {
            answer.extensions_mut().insert(reason.clone());
        }
        *answer.headers_mut() = headers::downstream(self.head.headers);
        answer
    }
}

/// How the transport tells where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Its length was promised: nothing may be added.
    Length,
    /// By a mark behind its last piece. Towards the client it ends where we say, and an end is not a cut.
    Marked,
    /// Not at all: the connection is closed. Towards the client it ends where we say, too.
    Close,
}

impl Framing {
    fn of(head: &response::Parts) -> Self {
        match &head.headers {
            headers if headers.contains_key(header::CONTENT_LENGTH) => Self::Length,
            headers if head.version == Version::HTTP_2 || headers.contains_key(header::TRANSFER_ENCODING) => {
                Self::Marked
            }
            _ => Self::Close,
        }
    }
}

/// Whoever understands an answer with this head.
pub(in crate::proxy) fn listener(method: &Method, status: StatusCode, headers: &HeaderMap) -> Tally {
    let has_body =
        method != Method::HEAD && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED;
    let bytes = |name| headers.get(name).map(header::HeaderValue::as_bytes);
    Tally::new(bytes(header::CONTENT_TYPE).filter(|_| has_body), bytes(header::CONTENT_ENCODING))
}

struct Relay {
    // The upstream and the account are let go, in this order, before the record tells that it is over.
    body: UpstreamBody,
    _lease: Option<Lease>,
    begun: Bytes,
    /// The tally has heard what has begun.
    is_heard: bool,
    /// A `message_stop` that is missing at the proper end of the body may be added.
    may_supply: bool,
    tally: Tally,
    record: Box<Record>,
    status: StatusCode,
    idle_limit: Duration,
    /// For the upstream's next word. Time that the client takes is not its silence.
    silence: Wait,
    /// The last frame was our own: it is over.
    has_had_last_word: bool,
    /// Why the answer is cut, once the client's side has had time to send what came before.
    cut: Option<Cut>,
    error_text: Vec<u8>,
    key: Arc<Sensitive<String>>,
    framing: Framing,
    /// A web page stands where a model should have answered.
    is_page: bool,
}

/// How long an upstream that has said its last word may take to end the body.
const LINGER: Duration = Duration::from_secs(1);
/// How many characters of an upstream's error are kept.
const MAX_ERROR: usize = 256;
/// How much of an error's body is read for its message.
const MAX_ERROR_TEXT: usize = 16 * 1024;

impl Relay {
    fn pass(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.record.first_byte();
        if !std::mem::take(&mut self.is_heard) {
            self.tally.hear(&data);
        }
        if self.status.as_u16() >= 400 {
            let room = MAX_ERROR_TEXT.saturating_sub(self.error_text.len());
            self.error_text.extend_from_slice(&data[..data.len().min(room)]);
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    /// The ending of a body that the upstream has finished.
    fn ending(&self) -> (Ending, Option<Arc<str>>) {
        if self.status.as_u16() >= 400 {
            let said = formats::error_in(&self.error_text)
                .map(|(kind, message)| in_short(&self.key, &kind, &message));
            return (
                Ending::UpstreamError,
                said.or_else(|| Some(format!("status {}", self.status.as_u16()).into())),
            );
        }
        if let Some((kind, message)) = self.tally.error() {
            return (Ending::UpstreamError, Some(in_short(&self.key, kind, message)));
        }
        if self.is_page {
            return (Ending::UpstreamError, Some("it answered with a web page".into()));
        }
        let is_whole = if self.tally.is_stream() {
            self.tally.is_whole()
        } else {
            (self.framing != Framing::Close && !self.tally.broke_off()) || self.tally.is_whole()
        };
        if is_whole {
            return (Ending::Complete, None);
        }
        (Ending::UpstreamCut, Some("the answer stopped before its end".into()))
    }

    /// The upstream has finished. Of a stream that lacks nothing but its `message_stop`, which clients would
    /// take for a cut, the end is supplied.
    fn finish(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let missing = if self.may_supply { self.tally.lacks_only_its_stop() } else { Vec::new() };
        if missing.is_empty() {
            self.end();
            return Poll::Ready(None);
        }
        self.tally.hear(&missing);
        // Whether the client has taken it shows when this is dropped.
        self.record.changed("message_stop supplied");
        self.has_had_last_word = true;
        Poll::Ready(Some(Ok(Frame::data(missing.into()))))
    }

    fn end(&mut self) {
        let (ending, error) = self.ending();
        self.record.end(ending, error);
    }

    /// Whether a stream has come to its last event. Whatever becomes of the connection then, nothing is lost.
    fn has_said_all(&self) -> bool {
        self.framing != Framing::Length && self.tally.is_plain_stream() && self.tally.has_said_its_last()
    }

    fn finish_early(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.end();
        self.has_had_last_word = true;
        Poll::Ready(None)
    }

    /// The upstream has been silent for too long. A stream ends with an error event, which tells the client
    /// to ask again; any other body is cut.
    fn stall(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let why = format!("The upstream sent nothing for {:.0} s.", self.idle_limit.as_secs_f64());
        self.record.end(Ending::UpstreamStalled, Some(why.as_str().into()));
        // A length that was promised leaves no room for an event, and half an event is not ended as if it
        // were whole.
        let Some(before) = self.tally.room_for_an_event().filter(|_| self.framing != Framing::Length) else {
            return Poll::Ready(Some(Err(Cut(why.into()))));
        };
        self.record.changed("error event supplied");
        self.has_had_last_word = true;
        let body = formats::error_body(ErrorKind::TimeoutError, &why, None);
        let event = format!("event: error\ndata: {body}\n\n");
        Poll::Ready(Some(Ok(Frame::data([before, event.as_bytes()].concat().into()))))
    }

    /// Ready once the upstream has been silent for as long as it may.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = if self.has_said_all() { LINGER.min(self.idle_limit) } else { self.idle_limit };
        self.silence.poll_too_long(limit, cx)
    }
}

/// An upstream's error in the few words that are kept: without the key, should it be repeated there, and
/// without anything that could steer a terminal.
fn in_short(key: &Sensitive<String>, kind: &str, message: &str) -> Arc<str> {
    let text: String = format!("{kind}: {message}").chars().filter(|c| !c.is_control()).collect();
    // Control characters go first: a key with one in its middle would be whole again without it.
    let key = key.expose().as_str();
    let text = if key.is_empty() { text } else { text.replace(key, "…") };
    text.chars().take(MAX_ERROR).collect::<String>().into()
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.has_had_last_word {
            return Poll::Ready(None);
        }
        if let Some(cut) = self.cut.take() {
            return Poll::Ready(Some(Err(cut)));
        }
        if !self.begun.is_empty() {
            let begun = std::mem::take(&mut self.begun);
            return self.pass(begun);
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                // Whatever comes behind the last event, a comment each second say, keeps nobody waiting.
                if !self.has_said_all() {
                    self.silence.over();
                }
                self.pass(frame.into_data().unwrap_or_default())
            }
            Poll::Ready(Some(Err(_))) if self.has_said_all() => self.finish_early(),
            Poll::Ready(Some(Err(error))) => {
                let why: Arc<str> = format!("the upstream's answer broke off: {error}").into();
                self.record.end(Ending::UpstreamCut, Some(Arc::clone(&why)));
                // The server throws away what it has not sent when a body fails, and the client would lose
                // the head and all that came before the cut: it may send first.
                self.cut = Some(Cut(why));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => self.finish(),
            Poll::Pending if self.poll_silence(cx).is_pending() => Poll::Pending,
            Poll::Pending if self.has_said_all() => self.finish_early(),
            Poll::Pending => self.stall(),
        }
    }

    fn is_end_stream(&self) -> bool {
        let may_go_on = self.may_supply && self.tally.is_plain_stream() && !self.tally.is_whole();
        self.begun.is_empty() && (self.has_had_last_word || (self.body.is_end_stream() && !may_go_on))
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let begun = self.begun.len() as u64;
        if let Some(exact) = hint.exact() {
            hint.set_exact(exact + begun);
        }
        hint
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The server does not ask again once a length is fulfilled, and many clients hang up as soon as
        // they have read the last event: neither of them left early. Who has stopped reading has not read that.
        let was_delivered = !unread::is_let_go()
            && self.begun.is_empty()
            && (self.body.has_ended() || self.tally.has_said_its_last());
        if was_delivered {
            self.end();
        }
        let mut heard = self.tally.heard();
        heard.model = heard.model.filter(|model| !repeats_a_key(model, &self.key));
        self.record.hear(heard);
    }
}

/// Whether an upstream names its model by the account's key, or by one of ours that it was asked for.
fn repeats_a_key(model: &str, key: &Sensitive<String>) -> bool {
    let key = key.expose().as_str();
    // A key is longer than any model's name, so that nearly none is searched.
    let has_the_accounts = !key.is_empty() && model.len() >= key.len() && model.contains(key);
    has_the_accounts || quotes_a_key(model.as_bytes())
}

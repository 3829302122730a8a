//! One request to the sandbox: read whole, noted, and answered, refused or broken as the script has it.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::{
    account::{Account, Cue, Then, UsageReply},
    answer::{self, Asked, Turn},
    listen::Line,
    pieces::{End, Gates, Pieces},
    recorder::{Arrival, Open, Recorder},
    scenario::{Answer, Behaviour},
    windows::tell_retry,
};
use crate::clock::Clock;

/// What Anthropic takes at most.
const MOST_BYTES: usize = 32 << 20;

/// What Anthropic says of a spent window.
const SPENT: &str = "This request would exceed your account's rate limit. Please try again later.";

/// What it says of too many requests at once.
const THROTTLED: &str = "Number of requests has exceeded your per-minute rate limit";

const MODELS: &str = r#"{"data":[
{"type":"model","id":"claude-opus-5-5","display_name":"Claude Opus 5.5","created_at":"2026-09-01T00:00:00Z"},
{"type":"model","id":"claude-sonnet-5-5","display_name":"Claude Sonnet 5.5","created_at":"2026-09-01T00:00:00Z"},
{"type":"model","id":"claude-haiku-5-5","display_name":"Claude Haiku 5.5","created_at":"2026-09-01T00:00:00Z"}
],"has_more":false,"first_id":"claude-opus-5-5","last_id":"claude-haiku-5-5"}"#;

/// Everything the connections share.
#[derive(Debug)]
pub struct Stage {
    pub accounts: Vec<Account>,
    pub recorder: Recorder,
    pub gates: Gates,
    pub clock: Clock,
}

impl Stage {
    pub fn account(&self, key: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.key == key)
    }
}

/// The reply that is being made.
struct Desk {
    number: u64,
    line: Line,
    open: Open,
    headers: HeaderMap,
}

/// Answers one request. An error ends the connection without a byte of a reply.
pub async fn reply(
    stage: Arc<Stage>,
    request: Request<Incoming>,
    line: Line,
) -> io::Result<Response<Pieces>> {
    let (head, body) = request.into_parts();
    let (body, too_large) = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => (body.to_bytes(), false),
        Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), true),
        Err(error) => return Err(io::Error::other(error)),
    };
    let key = credential(&head.headers);
    let (number, open) = stage.recorder.note(|number| arrival(number, key, &head, &body));
    let mut desk = Desk { number, line, open, headers: HeaderMap::new() };
    if too_large {
        return Ok(desk.refuse(StatusCode::PAYLOAD_TOO_LARGE, "Request exceeds the maximum size"));
    }
    if head.uri.path() == "/api/hello" {
        return Ok(desk.json(StatusCode::OK, Bytes::from_static(b"{}")));
    }
    let Some(account) = stage.account(key) else {
        return Ok(desk.refuse(StatusCode::UNAUTHORIZED, "invalid x-api-key"));
    };
    desk.headers.extend(account.headers.clone());
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/v1/messages") => messages(&stage, account, &body, desk).await,
        (&Method::POST, "/v1/messages/count_tokens") => Ok(desk.count(&body)),
        (&Method::GET, "/v1/models") => Ok(desk.json(StatusCode::OK, Bytes::from_static(MODELS.as_bytes()))),
        (&Method::GET, "/v1/key") => usage(&stage, account, desk).await,
        _ => Ok(desk.refuse(StatusCode::NOT_FOUND, "Not found")),
    }
}

/// What an account has used, as OpenRouter tells it.
async fn usage(stage: &Stage, account: &Account, desk: Desk) -> io::Result<Response<Pieces>> {
    let Some(UsageReply { status, body, gate }) = account.usage() else {
        return Ok(desk.refuse(StatusCode::NOT_FOUND, "Not found"));
    };
    if let Some(gate) = gate {
        stage.gates.pass(&gate).await;
    }
    Ok(desk.json(status, Bytes::from(body)))
}

fn arrival(number: u64, key: &str, head: &Parts, body: &Bytes) -> Arrival {
    Arrival {
        number,
        key: key.to_owned(),
        method: head.method.clone(),
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: head.headers.clone(),
        body: body.clone(),
    }
}

/// The key in `x-api-key`, or else the bearer.
fn credential(headers: &HeaderMap) -> &str {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = || text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    text("x-api-key").or_else(bearer).unwrap_or_default()
}

async fn messages(
    stage: &Stage,
    account: &Account,
    body: &Bytes,
    mut desk: Desk,
) -> io::Result<Response<Pieces>> {
    let asked: Asked = match serde_json::from_slice(body) {
        Ok(asked) => asked,
        Err(error) => return Ok(desk.refuse(StatusCode::BAD_REQUEST, &error.to_string())),
    };
    let Cue { windows, then } = account.cue(&asked.model, stage.clock.now());
    match then {
        Then::Spent(wait) => {
            desk.headers.extend(windows);
            Ok(desk.spent(wait))
        }
        Then::Play(behaviour) => {
            if behaviour.tells_windows() {
                desk.headers.extend(windows);
            }
            let turn = Turn { number: desk.number, asked: &asked, bytes: body.len() };
            play(&stage.gates, behaviour, &turn, desk).await
        }
    }
}

async fn play(
    gates: &Gates,
    behaviour: Behaviour,
    turn: &Turn<'_>,
    mut desk: Desk,
) -> io::Result<Response<Pieces>> {
    if let Some(delay) = behaviour.answer().map(|answer| answer.delay).filter(|delay| !delay.is_zero()) {
        tokio::time::sleep(delay).await;
    }
    Ok(match behaviour {
        Behaviour::Answer(answer) => desk.answer(&answer, turn),
        Behaviour::SlowHead { gate, answer } => {
            gates.pass(&gate).await;
            desk.answer(&answer, turn)
        }
        Behaviour::Hold { gate, after, answer } => {
            desk.in_pieces(&answer, turn).map(|pieces| pieces.held(after, gates, gate))
        }
        Behaviour::CutMidStream { after, reset, answer } => {
            desk.in_pieces(&answer, turn).map(|pieces| pieces.ending(End::Cut { after, reset }))
        }
        Behaviour::Stall { after, answer } => {
            desk.in_pieces(&answer, turn).map(|pieces| pieces.ending(End::Stall(after)))
        }
        Behaviour::InStreamError { after, answer } if turn.asked.stream => desk.failing(&answer, turn, after),
        Behaviour::Overloaded | Behaviour::InStreamError { .. } => desk.refuse(overloaded(), "Overloaded"),
        Behaviour::CredentialRefused => desk.refuse(StatusCode::UNAUTHORIZED, "invalid x-api-key"),
        Behaviour::Error { status, body: Some(body), .. } => desk.json(status, body.into()),
        Behaviour::Error { status, message, body: None } => desk.refuse(status, &message),
        Behaviour::DropBeforeHead { reset } => {
            if reset {
                desk.line.reset();
            }
            desk.open.close();
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the script drops here"));
        }
        Behaviour::QuotaSpent { resets_in, .. } => desk.spent(resets_in),
        Behaviour::RateLimited { retry_after, .. } => {
            if let Some(wait) = retry_after {
                tell_retry(&mut desk.headers, wait);
            }
            desk.refuse(StatusCode::TOO_MANY_REQUESTS, THROTTLED)
        }
    })
}

impl Desk {
    fn answer(self, answer: &Answer, turn: &Turn) -> Response<Pieces> {
        if turn.asked.stream || !answer.pace.is_zero() {
            return self.in_pieces(answer, turn);
        }
        self.json(StatusCode::OK, answer::document(answer, turn))
    }

    /// The answer in pieces that can be held and cut: events, or quarters of the document.
    fn in_pieces(self, answer: &Answer, turn: &Turn) -> Response<Pieces> {
        let pace = answer.pace;
        let response = if turn.asked.stream {
            self.stream(answer::events(answer, turn))
        } else {
            let document = answer::document(answer, turn);
            self.respond(StatusCode::OK, "application/json", |line, open| {
                Pieces::quarters(&document, line, open)
            })
        };
        response.map(|pieces| pieces.paced(pace))
    }

    /// A stream that ends in order after so many events, the last of which is an error.
    fn failing(self, answer: &Answer, turn: &Turn, after: usize) -> Response<Pieces> {
        let mut events = answer::events(answer, turn);
        events.truncate(after);
        events.push(answer::error_event());
        self.stream(events).map(|pieces| pieces.paced(answer.pace))
    }

    fn stream(self, events: Vec<Bytes>) -> Response<Pieces> {
        self.respond(StatusCode::OK, "text/event-stream; charset=utf-8", |line, open| {
            Pieces::events(events, line, open)
        })
    }

    fn count(self, body: &Bytes) -> Response<Pieces> {
        let said = format!(r#"{{"input_tokens":{}}}"#, answer::count(body.len()));
        self.json(StatusCode::OK, said.into())
    }

    fn spent(mut self, wait: Duration) -> Response<Pieces> {
        tell_retry(&mut self.headers, wait);
        self.refuse(StatusCode::TOO_MANY_REQUESTS, SPENT)
    }

    fn refuse(self, status: StatusCode, message: &str) -> Response<Pieces> {
        let (kind, message, id) = (error_type(status), serde_json::Value::from(message), self.id());
        let error = format!(r#"{{"type":"{kind}","message":{message}}}"#);
        self.json(status, format!(r#"{{"type":"error","error":{error},"request_id":"{id}"}}"#).into())
    }

    fn json(self, status: StatusCode, document: Bytes) -> Response<Pieces> {
        self.respond(status, "application/json", |line, open| Pieces::whole(document, line, open))
    }

    fn respond(
        self,
        status: StatusCode,
        kind: &'static str,
        body: impl FnOnce(Line, Open) -> Pieces,
    ) -> Response<Pieces> {
        let id = self.id();
        let mut response = Response::new(body(self.line, self.open));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Ok(id) = HeaderValue::try_from(id) {
            headers.insert("request-id", id);
        }
        headers.extend(self.headers);
        response
    }

    fn id(&self) -> String {
        format!("req_sandbox_{:06}", self.number)
    }
}

fn overloaded() -> StatusCode {
    StatusCode::from_u16(529).expect("529 lies between 100 and 999")
}

/// The error types of Anthropic's documentation.
fn error_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

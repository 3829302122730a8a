//! The sandbox as a client sees it, over real sockets.

use std::io;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::*;

const KEY: &str = "sandbox-one";
const STREAM: &str = r#"{"model":"claude-opus-5-5","stream":true,"messages":[]}"#;
const PLAIN: &str = r#"{"model":"claude-opus-5-5","messages":[]}"#;

struct Play {
    sandbox: Sandbox,
    tasks: Tasks,
    clock: Clock,
}

impl Play {
    async fn of(account: ScriptedAccount) -> Self {
        let (tasks, clock) = (Tasks::default(), Clock::movable());
        let sandbox = Sandbox::start(&Scenario::of([account]), &clock, &tasks).await.unwrap();
        Self { sandbox, tasks, clock }
    }

    async fn with(behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        let play = Self::of(ScriptedAccount::new("One", KEY)).await;
        play.sandbox.script(KEY, behaviours).unwrap();
        play
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let address = self.sandbox.base_url().strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        self.tasks.spawn(async move {
            let _ = connection.await;
        });
        sender.send_request(request).await
    }

    async fn post(&self, path: &str, key: &str, body: &'static str) -> hyper::Result<Response<Incoming>> {
        let request = Request::post(path).header("host", "sandbox").header("x-api-key", key);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn ask(&self, body: &'static str) -> Response<Incoming> {
        self.post("/v1/messages?beta=true", KEY, body).await.unwrap()
    }
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// What came before the end, and the error it ended with.
async fn until_broken(response: Response<Incoming>) -> (String, hyper::Error) {
    let mut body = response.into_body();
    let mut whole = Vec::new();
    loop {
        match body.frame().await.expect("the body ends with an error") {
            Ok(frame) => whole.extend(frame.into_data().unwrap()),
            Err(error) => return (String::from_utf8(whole).unwrap(), error),
        }
    }
}

fn count(stream: &str) -> usize {
    stream.matches("event: ").count()
}

fn is_reset(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
        {
            return true;
        }
        source = error.source();
    }
    false
}

#[tokio::test]
async fn a_stream_is_answered_with_events_and_a_plain_request_with_a_document() {
    let play = Play::with([]).await;
    let stream = play.ask(STREAM).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(stream.headers()["request-id"], "req_sandbox_000001");
    assert!(text(stream).await.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    let document = play.ask(PLAIN).await;
    assert!(document.headers().contains_key("content-length"));
    let document: serde_json::Value = serde_json::from_str(&text(document).await).unwrap();
    assert_eq!(document["model"], "claude-opus-5-5");
    assert_eq!(document["stop_reason"], "end_turn");
}

#[tokio::test]
async fn what_arrived_is_kept_byte_for_byte() {
    let play = Play::with([]).await;
    let odd = r#"{ "stream":true , "model":"x",  "n":1e3}"#;
    play.ask(odd).await;
    let bearer =
        Request::post("/v1/messages/count_tokens?beta=true").header("authorization", "Bearer sandbox-one");
    let counted = play.send(bearer.body(PLAIN.into()).unwrap()).await.unwrap();
    assert_eq!(text(counted).await, r#"{"input_tokens":11}"#);
    let seen = play.sandbox.seen(KEY);
    assert_eq!(seen[0].body, odd);
    assert_eq!(seen[0].path, "/v1/messages?beta=true");
    assert_eq!(seen[0].headers["x-api-key"], KEY);
    assert_eq!(seen[1].path, "/v1/messages/count_tokens?beta=true", "a bearer is a key as well");
    assert!(play.sandbox.seen("another").is_empty());
}

#[tokio::test]
async fn every_refusal_has_anthropics_shape() {
    let play = Play::with([
        Behaviour::Overloaded,
        Behaviour::CredentialRefused,
        Behaviour::Error { status: StatusCode::BAD_GATEWAY, message: "bad \"air\"".into(), body: None },
        Behaviour::RateLimited { retry_after: Some(std::time::Duration::from_secs(3)), unified: false },
    ])
    .await;
    let mut said = Vec::new();
    for key in [KEY, KEY, KEY, KEY, "nobody"] {
        let response = play.post("/v1/messages", key, PLAIN).await.unwrap();
        let (status, wait) = (response.status().as_u16(), response.headers().get(RETRY_AFTER).cloned());
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["type"], "error");
        said.push((status, body["error"]["type"].as_str().unwrap().to_owned(), wait.is_some()));
    }
    let kinds =
        ["overloaded_error", "authentication_error", "api_error", "rate_limit_error", "authentication_error"];
    let expected = [529, 401, 502, 429, 401].into_iter().zip(kinds);
    let expected: Vec<_> = expected.map(|(status, kind)| (status, kind.to_owned(), status == 429)).collect();
    assert_eq!(said, expected);
}

#[tokio::test]
async fn nonsense_is_refused_and_spends_no_step_of_the_script() {
    let play = Play::with([Behaviour::Overloaded]).await;
    for body in ["", "{", "[]", r#"{"stream":true}"#] {
        assert_eq!(play.ask(body).await.status(), 400, "{body:?}");
    }
    let elsewhere = play.post("/v1/nothing", KEY, PLAIN).await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    assert_eq!(play.ask(PLAIN).await.status().as_u16(), 529);
}

#[tokio::test]
async fn a_window_fills_before_the_clients_eyes_until_it_is_spent() {
    let hour = std::time::Duration::from_hours(1);
    let play = Play::of(ScriptedAccount::new("One", KEY).with_window("5h", 0.985, hour)).await;
    let mut used = Vec::new();
    for _ in 0..3 {
        let response = play.ask(STREAM).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let used_now = header("anthropic-ratelimit-unified-5h-utilization");
        used.push((response.status().as_u16(), header("anthropic-ratelimit-unified-status"), used_now));
    }
    let line = |status, word: &str, used: &str| (status, word.to_owned(), used.to_owned());
    let expected = [
        line(200, "allowed_warning", "0.995"),
        line(200, "allowed_warning", "1.005"),
        line(429, "rejected", "1.005"),
    ];
    assert_eq!(used, expected);
    let wait = play.ask(STREAM).await.headers()[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap();
    assert!((3590..=3600).contains(&wait), "until the reset: {wait}");
    play.clock.advance(hour);
    assert_eq!(play.ask(STREAM).await.status(), 200, "it starts anew at its reset");
}

#[tokio::test]
async fn a_drop_before_the_head_sends_no_byte() {
    let play = Play::with([false, true].map(|reset| Behaviour::DropBeforeHead { reset })).await;
    let closed = play.post("/v1/messages", KEY, STREAM).await.unwrap_err();
    assert!(closed.is_incomplete_message(), "{closed:?}");
    let reset = play.post("/v1/messages", KEY, STREAM).await.unwrap_err();
    assert!(is_reset(&reset), "{reset:?}");
    assert_eq!(play.sandbox.counts().ended, 2, "a scripted fault is no client that left");
}

#[tokio::test]
async fn a_cut_stream_ends_after_its_events_and_never_in_order() {
    let answer = Answer::default();
    let play = Play::with([false, true].map(|reset| Behaviour::CutMidStream {
        after: 5,
        reset,
        answer: answer.clone(),
    }))
    .await;
    let (before, error) = until_broken(play.ask(STREAM).await).await;
    assert_eq!(count(&before), 5, "{error:?}");
    // A reset may overtake what was sent before it, so only the error is certain.
    let (before, error) = until_broken(play.ask(STREAM).await).await;
    assert!(is_reset(&error) && count(&before) <= 5, "{error:?}");
}

#[tokio::test]
async fn a_plain_reply_can_be_cut_as_well() {
    let play =
        Play::with([Behaviour::CutMidStream { after: 99, reset: false, answer: Answer::default() }]).await;
    let response = play.ask(PLAIN).await;
    let promised: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let (before, _) = until_broken(response).await;
    assert!(before.len() < promised, "the last quarter never comes");
}

#[tokio::test]
async fn a_stream_can_fail_in_order_with_an_error_event() {
    let play = Play::with([Behaviour::InStreamError { after: 4, answer: Answer::default() }]).await;
    let stream = text(play.ask(STREAM).await).await;
    assert_eq!(count(&stream), 5);
    assert!(
        stream.contains(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)
    );
}

#[tokio::test]
async fn a_stalled_stream_waits_for_the_client_to_leave() {
    let play = Play::with([Behaviour::Stall { after: 3, answer: Answer::default() }]).await;
    let mut body = play.ask(STREAM).await.into_body();
    let mut before = Vec::new();
    while count(str::from_utf8(&before).unwrap()) < 3 {
        before.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    assert_eq!(play.sandbox.counts().open, 1);
    drop(body);
    play.sandbox.await_client_gone(1).await.unwrap();
    assert_eq!(play.sandbox.counts().open, 0);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_noticed() {
    let play = Play::with([Behaviour::SlowHead { gate: "head".into(), answer: Answer::default() }]).await;
    tokio::select! {
        _ = play.ask(STREAM) => panic!("the head is held"),
        held = play.sandbox.await_held("head") => held.unwrap(),
    }
    play.sandbox.await_client_gone(1).await.unwrap();
}

#[tokio::test]
async fn a_held_stream_goes_on_when_its_gate_is_released() {
    let play =
        Play::with([Behaviour::Hold { gate: "middle".into(), after: 3, answer: Answer::default() }]).await;
    let response = play.ask(STREAM).await;
    play.sandbox.await_held("middle").await.unwrap();
    play.sandbox.release("middle");
    assert!(text(response).await.contains("message_stop"));
    assert_eq!(play.sandbox.counts(), Counts { arrived: 1, open: 0, ended: 1, left: 0 });
}

#[tokio::test]
async fn a_sandbox_that_is_dropped_leaves_no_task_behind() {
    let play = Play::with([Behaviour::Stall { after: 1, answer: Answer::default() }]).await;
    let response = play.ask(STREAM).await;
    drop(play.sandbox);
    until_broken(response).await;
    play.tasks.stop();
    play.tasks.ended().await;
}

#[tokio::test]
async fn models_are_listed_and_a_warm_up_is_answered() {
    let play = Play::with([]).await;
    let listed =
        Request::get("/v1/models?limit=1000").header("x-api-key", KEY).body(Full::default()).unwrap();
    let listed: serde_json::Value =
        serde_json::from_str(&text(play.send(listed).await.unwrap()).await).unwrap();
    assert_eq!(listed["data"][0]["id"], "claude-opus-5-5");
    let warm_up = Request::head("/api/hello").body(Full::default()).unwrap();
    assert_eq!(play.send(warm_up).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_scenario_without_memory_still_counts() {
    let (tasks, clock) = (Tasks::default(), Clock::system());
    let scenario = Scenario { keeps: 0, ..Scenario::of([ScriptedAccount::new("One", KEY)]) };
    let sandbox = Sandbox::start(&scenario, &clock, &tasks).await.unwrap();
    let play = Play { sandbox, tasks, clock };
    text(play.ask(STREAM).await).await;
    assert_eq!((play.sandbox.counts().arrived, play.sandbox.arrivals().len()), (1, 0));
}

//! What upstreams say of their limits, from the wire to the choice and the page.

use std::time::Duration;

use headgate::{
    accounts::NewAccount, events::Event, sandbox::Behaviour, secrets::Sensitive, settings::Limits,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::harness::{House, Wire, ask, wire};

const OPUS: &str = "claude-opus-5-5";
const SONNET: &str = "claude-sonnet-5-5";
const FABLE: &str = "claude-fable-5-2";

fn reply(status: &str, headers: &[(&str, String)], body: &str) -> wire::Reply {
    let lines =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    wire::Reply::Keep(wire::answer(status, "application/json", body).replacen(
        "\r\n",
        &format!("\r\n{lines}"),
        1,
    ))
}

fn fine(headers: &[(&str, String)]) -> wire::Reply {
    reply("200 OK", headers, r#"{"type":"message","content":[]}"#)
}

fn limited(headers: &[(&str, String)]) -> wire::Reply {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed a limit."}}"#;
    reply("429 Too Many Requests", headers, body)
}

async fn house() -> House {
    House::within(Limits { comeback_seconds: 0.0, ..Limits::default() }, &[]).await
}

/// An account at an endpoint that may answer in any dialect.
fn compatible(house: &House, upstream: &Wire) {
    let new = NewAccount {
        name: "work".into(),
        provider: "anthropic-compatible".into(),
        base_url: Some(upstream.base_url.clone()),
        plain_http: headgate::accounts::PlainHttp::default(),
        priority: 0,
        key: Some(Sensitive::new("key-work".into())),
    };
    house.app.api().gateway.roster.add(new).unwrap();
}

async fn asked(house: &mut House, model: &str) -> (u16, Vec<String>) {
    let reply = house.client.post("/v1/messages", ask(model, false)).await;
    let status = reply.status.as_u16();
    reply.bytes().await;
    let exchange = house.ended().await;
    (status, house.tried(&exchange))
}

async fn windows(house: &House) -> Vec<Value> {
    let accounts =
        house.client.call(house.token(), http::Method::GET, "/api/v1/accounts", "").await.json().await;
    let mut windows = accounts[0]["windows"].as_array().unwrap().clone();
    windows.sort_by_key(|window| window["name"].as_str().unwrap().to_owned());
    windows
}

fn in_minutes(house: &House, minutes: i64) -> Timestamp {
    house.clock.now() + SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn a_reset_that_trembles_is_neither_news_nor_written_again() {
    let mut house = house().await;
    let reset = in_minutes(&house, 60).as_second();
    let told = |off: i64| {
        fine(&[
            ("anthropic-ratelimit-unified-5h-utilization", "0.5".into()),
            ("anthropic-ratelimit-unified-5h-reset", (reset + off).to_string()),
        ])
    };
    let upstream = Wire::saying([0, 1, -2, 2, 61].map(told)).await;
    upstream.account(&house, "work", 0);
    asked(&mut house, OPUS).await;
    let mut events = house.app.api().events.subscribe();
    let rung = |events: &mut tokio::sync::broadcast::Receiver<Event>| {
        std::iter::from_fn(|| events.try_recv().ok()).filter(|event| matches!(event, Event::Accounts)).count()
    };
    for _ in 0..3 {
        asked(&mut house, OPUS).await;
    }
    assert_eq!(rung(&mut events), 0, "it is the same window");
    let flush = async |house: &House| {
        let store = house.app.api().store.clone();
        tokio::task::spawn_blocking(move || store.flush().and_then(|()| store.windows()))
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(flush(&house).await[0].1.resets_at.unwrap().as_second(), reset);
    asked(&mut house, OPUS).await;
    assert_eq!(rung(&mut events), 1, "a minute later is another one");
    assert_eq!(flush(&house).await[0].1.resets_at.unwrap().as_second(), reset + 61);
}

#[tokio::test]
async fn a_full_window_without_a_reset_rests_the_account_and_is_asked_again_after_a_while() {
    let mut house = house().await;
    let full = fine(&[("anthropic-ratelimit-unified-5h-utilization", "1.0".into())]);
    let free = fine(&[("anthropic-ratelimit-unified-5h-utilization", "0.1".into())]);
    let upstream = Wire::saying([full.clone(), full, free]).await;
    upstream.account(&house, "work", 0);
    assert_eq!(asked(&mut house, OPUS).await.0, 200);
    let (status, tried) = asked(&mut house, OPUS).await;
    assert_eq!((status, tried.len()), (429, 0), "it is full, and nobody is asked");
    let told = windows(&house).await;
    assert_eq!((&told[0]["spent"], &told[0]["resets_at"]), (&true.into(), &Value::Null));
    for _ in 0..2 {
        // It still serves, so the second pause is no longer than the first.
        house.clock.advance(Duration::from_secs(331));
        assert_eq!(asked(&mut house, OPUS).await.0, 200);
    }
    assert_eq!(windows(&house).await[0]["spent"], false);
}

#[tokio::test]
async fn one_models_week_keeps_out_that_model_alone() {
    let mut house = house().await;
    let reset = in_minutes(&house, 60 * 24).as_second().to_string();
    let spent = [
        ("anthropic-ratelimit-unified-status", "rejected".to_owned()),
        ("anthropic-ratelimit-unified-5h-status", "allowed".into()),
        ("anthropic-ratelimit-unified-7d_oi-status", "rejected".into()),
        ("anthropic-ratelimit-unified-7d_oi-utilization", "1.0".into()),
        ("anthropic-ratelimit-unified-7d_oi-reset", reset.clone()),
        ("anthropic-ratelimit-unified-reset", reset),
    ];
    let upstream = Wire::saying([limited(&spent), fine(&[]), fine(&[])]).await;
    upstream.account(&house, "work", 0);
    assert_eq!(asked(&mut house, FABLE).await.0, 429);
    assert_eq!(asked(&mut house, SONNET).await.0, 200);
    assert_eq!(asked(&mut house, OPUS).await.0, 200);
    assert_eq!(asked(&mut house, FABLE).await, (429, vec![]), "it is not asked for this one");
    assert_eq!(upstream.heard(), 3);
    let told = windows(&house).await;
    assert_eq!((&told[1]["name"], &told[1]["family"]), (&"7d_fable".into(), &"fable".into()));
    let accounts =
        house.client.call(house.token(), http::Method::GET, "/api/v1/accounts", "").await.json().await;
    assert_eq!(accounts[0]["standing"]["state"], "ready");
    let out = accounts[0]["families_out"].as_array().unwrap();
    assert_eq!(
        (out.len(), &out[0]["family"], &out[0]["reason"]),
        (1, &"fable".into(), &"its 7d_fable window is spent".into())
    );
    assert!(out[0]["until"].is_string());
}

#[tokio::test]
async fn what_is_spent_until_nobody_knows_when_is_tried_again_after_a_while() {
    let mut house = house().await;
    let spent = [
        ("anthropic-ratelimit-unified-status", "rejected".to_owned()),
        ("anthropic-ratelimit-unified-5h-status", "rejected".into()),
    ];
    let upstream = Wire::saying([limited(&spent), limited(&spent), fine(&[])]).await;
    upstream.account(&house, "work", 0);
    assert_eq!(asked(&mut house, OPUS).await.0, 429);
    assert_eq!(asked(&mut house, OPUS).await, (429, vec![]), "it rests");
    let told = windows(&house).await;
    assert_eq!((&told[0]["spent"], &told[0]["resets_at"]), (&true.into(), &Value::Null), "nobody said when");
    assert!(told[0]["again_at"].is_string());
    house.clock.advance(Duration::from_mins(6));
    assert_eq!(asked(&mut house, OPUS).await.1, ["work"]);
    house.clock.advance(Duration::from_mins(6));
    assert_eq!(asked(&mut house, OPUS).await.1, [""; 0], "the second rest is longer");
    house.clock.advance(Duration::from_mins(6));
    assert_eq!(asked(&mut house, OPUS).await, (200, vec!["work".into()]));
    assert!(windows(&house).await.is_empty(), "what only a refusal has told says nothing now");
}

#[tokio::test]
async fn who_has_paid_resumes_the_account_and_it_is_tried_at_once() {
    let mut house = house().await;
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low."}}"#;
    let upstream = Wire::saying([reply("400 Bad Request", &[], body), fine(&[])]).await;
    upstream.account(&house, "work", 0);
    assert_eq!(asked(&mut house, OPUS).await.0, 400);
    assert_eq!(house.standing("work").await["state"], "cooling");
    house.client.call(house.token(), http::Method::POST, "/api/v1/accounts/1/resume", "{}").await;
    assert_eq!(asked(&mut house, OPUS).await.0, 200);
}

#[tokio::test]
async fn an_account_was_called_resumed_and_its_spent_window_kept_it_out() {
    let mut house = house().await;
    let reset = in_minutes(&house, 30).as_second().to_string();
    let spent = [
        ("anthropic-ratelimit-unified-status", "rejected".to_owned()),
        ("anthropic-ratelimit-unified-5h-status", "rejected".into()),
        ("anthropic-ratelimit-unified-5h-utilization", "1.0".into()),
        ("anthropic-ratelimit-unified-5h-reset", reset),
    ];
    let upstream = Wire::saying([limited(&spent), fine(&[]), limited(&spent)]).await;
    upstream.account(&house, "work", 0);
    let resume = "/api/v1/accounts/1/resume";
    assert_eq!(asked(&mut house, OPUS).await.0, 429);
    assert_eq!(asked(&mut house, OPUS).await, (429, vec![]), "it rests until its reset");
    house.client.call(house.token(), http::Method::POST, resume, "{}").await;
    assert_eq!(house.standing("work").await["state"], "ready");
    assert_eq!(asked(&mut house, OPUS).await, (200, vec!["work".into()]), "a person wants it tried");
    assert_eq!(asked(&mut house, OPUS).await.0, 429);
    assert_eq!(house.standing("work").await["state"], "cooling", "what its upstream says next is the truth");
}

#[tokio::test]
async fn a_bucket_is_estimated_between_two_replies() {
    let mut house = house().await;
    let upstream = Wire::saying([fine(&[
        ("x-ratelimit-limit-tokens", "1000".into()),
        ("x-ratelimit-remaining-tokens", "0".into()),
        ("x-ratelimit-reset-tokens", "10m0s".into()),
    ])])
    .await;
    compatible(&house, &upstream);
    assert_eq!(asked(&mut house, OPUS).await.0, 200);
    house.clock.advance(Duration::from_mins(5));
    let told = windows(&house).await;
    assert_eq!((&told[0]["name"], &told[0]["source"]), (&"tokens_opus".into(), &"estimate".into()));
    let used = told[0]["utilization"].as_f64().unwrap();
    assert!((0.4..=0.5).contains(&used), "half of it has come back: {used}");
    assert_eq!(house.standing("work").await["state"], "ready", "what comes back all the time is never shut");
}

#[tokio::test]
async fn a_refusal_that_names_its_end_in_words_is_believed() {
    let mut house = house().await;
    let china = in_minutes(&house, 90 + 8 * 60).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let body = format!(
        r#"{{"type":"error","error":{{"type":"1308","message":"Usage limit reached for 5 hour. Your limit will reset at {china}"}}}}"#
    );
    let upstream = Wire::saying([reply("429 Too Many Requests", &[], &body), fine(&[])]).await;
    compatible(&house, &upstream);
    assert_eq!(asked(&mut house, OPUS).await.0, 429);
    house.clock.advance(Duration::from_mins(85));
    assert_eq!(asked(&mut house, OPUS).await, (429, vec![]));
    house.clock.advance(Duration::from_mins(6));
    assert_eq!(asked(&mut house, OPUS).await.0, 200);
}

#[tokio::test]
async fn counts_are_not_spent_with_the_messages() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::QuotaSpent { window: "5h".into(), resets_in: Duration::from_hours(1) }]);
    assert_eq!(asked(&mut house, OPUS).await.0, 429);
    assert_eq!(asked(&mut house, OPUS).await, (429, vec![]));
    let body = format!(r#"{{"model":"{OPUS}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    let counted = house.client.post("/v1/messages/count_tokens", body).await;
    assert_eq!((counted.status.as_u16(), counted.header("x-headgate-estimated")), (200, ""));
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work"], "the upstream itself has counted");
}

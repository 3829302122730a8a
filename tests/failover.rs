//! A request moves to another account before its user notices, and only then.

use std::time::Duration;

use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour},
    settings::Limits,
};
use http::StatusCode;

use crate::harness::House;

fn refusal(status: u16) -> Behaviour {
    Behaviour::Error { status: StatusCode::from_u16(status).unwrap(), message: "trouble".into(), body: None }
}

fn throttled(seconds: u64) -> Behaviour {
    Behaviour::RateLimited { retry_after: Some(Duration::from_secs(seconds)), unified: false }
}

/// The first account does this; the client sees an answer from the second. Returns the first's verdict.
async fn rescued_from(behaviour: Behaviour) -> String {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [behaviour]);
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::OK, "the client sees the second account's answer");
    reply.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::Complete));
    assert_eq!(house.tried(&exchange), ["work", "spare"]);
    assert_eq!(exchange.attempts[1].verdict.word(), "fine");
    assert_eq!(house.written().await.len(), 1, "one request is one record");
    exchange.attempts[0].verdict.word().to_owned()
}

#[tokio::test]
async fn a_rate_limited_account_is_passed_over() {
    assert_eq!(rescued_from(throttled(30)).await, "throttled");
}

#[tokio::test]
async fn a_spent_window_is_passed_over() {
    let spent = Behaviour::QuotaSpent { window: "5h".into(), resets_in: Duration::from_hours(1) };
    assert_eq!(rescued_from(spent).await, "quota_spent");
}

#[tokio::test]
async fn a_broken_upstream_is_passed_over() {
    for status in [500, 502, 503, 504] {
        assert_eq!(rescued_from(refusal(status)).await, "weather");
    }
}

#[tokio::test]
async fn a_refused_credential_is_passed_over() {
    assert_eq!(rescued_from(Behaviour::CredentialRefused).await, "credential_refused");
    assert_eq!(rescued_from(refusal(403)).await, "forbidden");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_head_is_passed_over() {
    assert_eq!(rescued_from(Behaviour::DropBeforeHead { reset: false }).await, "weather");
    assert_eq!(rescued_from(Behaviour::DropBeforeHead { reset: true }).await, "weather");
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_passed_over() {
    let limits = Limits { head_seconds: 0.3, ..Limits::default() };
    let mut house = House::within(limits, &["work", "spare"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "never".into(), answer: Answer::default() }]);
    assert_eq!(house.ask().await.status, StatusCode::OK);
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work", "spare"]);
    assert!(exchange.attempts[0].error.as_deref().unwrap().contains("no answer within"));
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_passed_over() {
    let mut house = House::with(&["work", "spare"]).await;
    let nowhere = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let roster = house.app.api().gateway.roster.clone();
    let work = roster.snapshot().contenders[0].account.id;
    roster
        .change(work, headgate::accounts::Change { base_url: Some(nowhere), ..Default::default() })
        .unwrap();
    assert_eq!(house.ask().await.status, StatusCode::OK);
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work", "spare"]);
}

#[tokio::test]
async fn a_throttled_account_rests_as_long_as_it_asked_and_then_returns() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [throttled(30)]);
    house.ask().await.bytes().await;
    house.ended().await;
    assert_eq!(house.standing("work").await["state"], "cooling");
    house.ask().await.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["spare"], "a resting account is not asked");
    house.clock.advance(Duration::from_secs(31));
    house.ask().await.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work"], "the better account is back");
}

#[tokio::test]
async fn e34_a_throttled_stream_rests_its_account_as_any_other_request() {
    for streams in [false, true] {
        let mut house = House::with(&["work", "spare"]).await;
        house.script("work", [throttled(30)]);
        let reply = if streams { house.ask_stream().await } else { house.ask().await };
        reply.bytes().await;
        let exchange = house.ended().await;
        assert_eq!(house.tried(&exchange), ["work", "spare"], "streams: {streams}");
        let standing = house.standing("work").await;
        assert_eq!(standing["state"], "cooling", "streams: {streams}");
    }
}

#[tokio::test]
async fn when_all_fail_the_client_sees_the_upstreams_own_words() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [refusal(500)]);
    house.script("spare", [throttled(7)]);
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reply.header("retry-after"), "7");
    assert_eq!(reply.json().await["error"]["type"], "rate_limit_error");
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::UpstreamError));
    assert_eq!(house.tried(&exchange), ["work", "spare"]);
}

#[tokio::test]
async fn the_requests_own_fault_is_told_at_once() {
    let mut house = House::with(&["work", "spare"]).await;
    for status in [400, 404, 413, 422] {
        house.script("work", [refusal(status)]);
        let reply = house.ask().await;
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(reply.json().await["error"]["message"], "trouble", "in the upstream's own words");
        let exchange = house.ended().await;
        assert_eq!(house.tried(&exchange), ["work"], "another account would say the same");
    }
}

#[tokio::test]
async fn a_429_that_names_no_time_benches_nobody() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [Behaviour::RateLimited { retry_after: None, unified: false }]);
    house.ask().await.bytes().await;
    house.ended().await;
    assert_eq!(house.standing("work").await["state"], "ready");
}

#[tokio::test]
async fn after_the_first_byte_nothing_is_tried_again() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [Behaviour::CutMidStream { after: 3, reset: false, answer: Answer::default() }]);
    let (text, was_cut) = house.ask_stream().await.until_end_or_cut().await;
    assert!(was_cut, "a cut upstream is passed on as a cut: {text}");
    assert!(!text.contains("message_stop"));
    assert_eq!(house.sandbox.seen("key-spare").len(), 0);
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::UpstreamCut));
    assert_eq!(house.tried(&exchange), ["work"]);
}

#[tokio::test]
async fn a_request_that_was_sent_over_a_warm_connection_is_not_sent_twice() {
    let mut house = House::with(&["work"]).await;
    house.ask().await.bytes().await;
    house.ended().await;
    for reset in [false, true] {
        let arrived = house.sandbox.counts().arrived;
        house.script("work", [Behaviour::DropBeforeHead { reset }]);
        let reply = house.ask().await;
        assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "the client may decide to ask again");
        assert_eq!(house.ended().await.attempts.len(), 1);
        assert_eq!(house.sandbox.counts().arrived, arrived + 1, "one attempt is one request upstream");
        house.ask().await.bytes().await;
        house.ended().await;
    }
}

#[tokio::test]
async fn an_idle_connection_that_the_upstream_has_closed_is_not_used() {
    let mut house = House::with(&["work"]).await;
    for _ in 0..5 {
        assert_eq!(house.ask().await.status, StatusCode::OK);
        assert_eq!(house.ended().await.ending, Some(Ending::Complete));
    }
}

#[tokio::test]
async fn while_another_account_only_rests_nobody_is_told_to_sign_in() {
    let house = House::with(&["work", "spare"]).await;
    house.script("work", [throttled(20)]);
    house.script("spare", [Behaviour::CredentialRefused]);
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "in 20 s it can be served");
}

#[tokio::test]
async fn a_limit_of_the_requests_own_is_taken_to_one_other_account_and_benches_nobody() {
    let mut house = House::with(&["work", "spare", "third"]).await;
    for name in ["work", "spare"] {
        house.script(name, [Behaviour::RateLimited { retry_after: None, unified: false }]);
    }
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "in the upstream's own words");
    reply.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work", "spare"], "one hop, and no more");
    for name in ["work", "spare"] {
        assert_eq!(house.standing(name).await["state"], "ready");
    }
}

fn says(status: u16, kind: &str, message: &str) -> Behaviour {
    let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
    Behaviour::Error {
        status: StatusCode::from_u16(status).unwrap(),
        message: String::new(),
        body: Some(body),
    }
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_not_taken_to_another_account() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [says(400, "invalid_request_error", "prompt is too long: 2 > 1 maximum")]);
    assert!(house.ask().await.text().await.contains("prompt is too long"), "the client matches these words");
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work"]);
    assert_eq!(exchange.attempts[0].verdict.word(), "context_too_long");
}

#[tokio::test]
async fn extra_usage_that_is_spent_rests_its_family_alone_and_not_for_ever() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [says(400, "invalid_request_error", "You're out of extra usage.")]);
    let serves = async |house: &mut House, model: &str| {
        house.client.post("/v1/messages", crate::harness::ask(model, false)).await.bytes().await;
        let exchange = house.ended().await;
        house.tried(&exchange)
    };
    assert_eq!(serves(&mut house, "claude-opus-5-5").await, ["work", "spare"]);
    assert_eq!(serves(&mut house, "claude-opus-5-5").await, ["spare"]);
    assert_eq!(serves(&mut house, "claude-sonnet-5-5").await, ["work"], "the plan has room");
    house.clock.advance(Duration::from_secs(301));
    assert_eq!(serves(&mut house, "claude-opus-5-5").await, ["work"]);
}

#[tokio::test]
async fn a_model_that_one_account_lacks_and_a_spend_cap_are_passed_over() {
    assert_eq!(rescued_from(says(404, "not_found_error", "model: claude-opus-5-5")).await, "model_missing");
    let cap = says(429, "rate_limit_error", "You have reached your spend limit.");
    assert_eq!(rescued_from(cap).await, "quota_spent");
    let disabled = says(403, "permission_error", "This organization has been disabled.");
    assert_eq!(rescued_from(disabled).await, "organisation_disabled");
}

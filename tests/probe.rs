//! The connection test: what it asks, what it finds, and that nothing that fails is held against an account.

use std::time::Duration;

use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour, Sandbox, Scenario, ScriptedAccount, ScriptedWindow},
    settings::Limits,
    tasks::Tasks,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    House, Program, Wire, aside,
    secure::{Authority, Handshake},
    soon, wire,
};

async fn test(house: &House, name: &str, order: Value) -> Value {
    house.done(Method::POST, &format!("/api/v1/accounts/{}/test", house.id(name)), order).await
}

#[tokio::test]
async fn a_test_asks_one_account_for_one_token_under_our_own_name_and_is_recorded() {
    let mut house = House::with(&["work", "spare"]).await;
    let found = test(&house, "spare", json!({})).await;
    assert_eq!((&found["works"], &found["finding"]), (&true.into(), &"works".into()), "{found}");
    assert_eq!(
        (&found["status"], &found["http"], &found["tls"]),
        (&200.into(), &"HTTP/1.1".into(), &Value::Null)
    );
    assert_eq!(found["url"], format!("{}/v1/messages", house.sandbox.base_url()));
    assert_eq!(found["next"], Value::Null, "{found}");
    assert!(found["first_byte_ms"].as_f64().is_some());
    let says = found["says"].as_str().unwrap();
    assert!(says.starts_with("spare works: claude-opus-5-5 answered after "), "{says}");

    assert!(house.sandbox.seen("key-work").is_empty(), "nobody else is asked, first in line or not");
    let arrival = &house.sandbox.seen("key-spare")[0];
    let agent = arrival.headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("headgate/") && agent.ends_with(" (+connection test)"), "{agent}");
    let body: Value = serde_json::from_slice(&arrival.body).unwrap();
    assert_eq!((&body["max_tokens"], &body["model"]), (&1.into(), &"claude-opus-5-5".into()));
    assert_eq!(body.get("stream"), None);

    let exchange = house.ended().await;
    assert_eq!((exchange.ending, house.tried(&exchange)), (Some(Ending::Complete), vec!["spare".into()]));
    let written = house.written().await;
    assert_eq!(written.len(), 1);
    assert_eq!(found["request_id"], written[0].id);
    assert_eq!(written[0].client.as_deref(), Some(agent), "whoever reads the list sees whose it is");
    assert_eq!((written[0].account.as_deref(), written[0].path.as_str()), (Some("spare"), "/v1/messages"));
    assert_eq!(written[0].usage.output, Some(1), "it is paid for: {written:?}");
}

#[tokio::test]
async fn what_an_upstream_refuses_is_told_and_takes_nobody_out_of_service() {
    let missing = r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-opus-5-5"}}"#;
    let error = |status, body: Option<&str>| Behaviour::Error {
        status: StatusCode::from_u16(status).unwrap(),
        message: "no".into(),
        body: body.map(Into::into),
    };
    let hour = Duration::from_hours(1);
    for (behaviour, finding, next) in [
        (Behaviour::CredentialRefused, "credential_refused", "Replace the key"),
        (Behaviour::RateLimited { retry_after: Some(hour), unified: true }, "throttled", "Wait a minute"),
        (Behaviour::QuotaSpent { window: "5h".into(), resets_in: hour }, "quota_spent", "after the reset"),
        (Behaviour::Overloaded, "weather", "Try again"),
        (error(500, None), "weather", "Try again"),
        (error(403, None), "forbidden", "console"),
        (error(404, Some(missing)), "model_missing", "another model"),
        (error(404, Some("{}")), "not_found", "base URL"),
        (error(400, None), "request_refused", "another model"),
        (Behaviour::DropBeforeHead { reset: false }, "broke_off", "Try again"),
    ] {
        let mut house = House::with(&["work", "spare"]).await;
        house.script("work", [behaviour]);
        let found = test(&house, "work", json!({})).await;
        assert_eq!((&found["works"], &found["finding"]), (&false.into(), &finding.into()), "{found}");
        assert!(found["next"].as_str().unwrap().contains(next), "{finding}: {found}");
        assert_eq!(house.sandbox.counts().arrived, 1, "{finding}: it is asked once, and nobody takes over");
        assert_eq!(house.standing("work").await["state"], "ready", "{finding}: it is not held against it");
        house.ended().await;
        house.ask().await.bytes().await;
        let next = house.ended().await;
        assert_eq!(house.tried(&next)[0], "work", "{finding}: it is asked first, as before");
    }
}

#[tokio::test]
async fn a_success_teaches_windows_and_a_failure_does_not() {
    let window = ScriptedWindow {
        name: "5h".into(),
        used: 0.4,
        per_request: 0.0,
        resets_in: Duration::from_hours(2),
        every: None,
    };
    let mut account = ScriptedAccount::new("work", "key-work");
    account.windows = vec![window];
    let house = House::of(Limits::default(), Scenario::of([account])).await;
    let windows = async || {
        let account =
            house.done(Method::GET, &format!("/api/v1/accounts/{}", house.id("work")), json!({})).await;
        account["windows"].as_array().unwrap().len()
    };
    house.script("work", [Behaviour::RateLimited { retry_after: None, unified: true }]);
    assert_eq!(test(&house, "work", json!({})).await["finding"], "throttled");
    assert_eq!(windows().await, 0);
    assert_eq!(test(&house, "work", json!({})).await["finding"], "works");
    assert_eq!(windows().await, 1);
}

#[tokio::test]
async fn a_paused_account_is_tested_and_stays_paused() {
    let house = House::with(&["work"]).await;
    let path = format!("/api/v1/accounts/{}/pause", house.id("work"));
    house.done(Method::POST, &path, json!({ "reason": "saving it" })).await;
    let found = test(&house, "work", json!({})).await;
    assert_eq!(found["finding"], "works");
    assert_eq!(found["next"], "It still gets no requests: saving it. Resume it to use it now.");
    assert_eq!(house.standing("work").await["state"], "paused");
}

#[tokio::test]
async fn the_model_is_the_one_that_was_named_as_the_account_knows_it() {
    let house = House::with(&["work"]).await;
    let path = format!("/api/v1/accounts/{}", house.id("work"));
    house.done(Method::PATCH, &path, json!({ "models": { "claude-haiku-4-5": "glm-5.2" } })).await;
    let found = test(&house, "work", json!({ "model": " claude-haiku-4-5 " })).await;
    assert_eq!((&found["works"], &found["model"]), (&true.into(), &"glm-5.2".into()), "{found}");
    let written = house.written().await;
    assert_eq!(written[0].model.as_deref(), Some("claude-haiku-4-5"));
    assert_eq!(written[0].changes, ["model: claude-haiku-4-5 → glm-5.2"]);

    let wrong = house.api(Method::POST, &format!("{path}/test"), json!({ "model": "two words" })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text().await.contains("is no name of a model"));
    assert_eq!(house.sandbox.counts().arrived, 1);
    let nobody = house.api(Method::POST, "/api/v1/accounts/999/test", json!({})).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn where_no_model_is_known_one_has_to_be_named() {
    let house = House::with(&[]).await;
    let new = json!({ "name": "gateway", "provider": "anthropic-compatible", "base_url": house.sandbox.base_url(), "key": "k" });
    house.done(Method::POST, "/api/v1/accounts", new).await;
    let path = format!("/api/v1/accounts/{}/test", house.id("gateway"));
    let refused = house.api(Method::POST, &path, json!({})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().await.contains("no model of gateway is known yet: say which one"));
    assert_eq!(house.sandbox.counts().arrived, 0);
}

#[tokio::test]
async fn a_sign_in_that_clients_bring_can_not_be_tested_without_the_client() {
    let house = House::with(&[]).await;
    house.done(Method::POST, "/api/v1/accounts", json!({ "name": "mine", "provider": "claude-login" })).await;
    let path = format!("/api/v1/accounts/{}/test", house.id("mine"));
    let refused = house.api(Method::POST, &path, json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let problem = refused.json().await;
    assert_eq!(problem["code"], "not_testable");
    assert!(problem["message"].as_str().unwrap().contains("can't be tested without the client"), "{problem}");
    assert!(house.written().await.is_empty());
}

#[tokio::test]
async fn what_lies_between_here_and_the_upstream_is_told_by_name() {
    let authority = Authority::new();
    let mut house = House::on(Limits::default(), authority.network(), &["work"]).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let page = wire::answer("200 OK", "text/html", "<html>Sign in to the network</html>");
    let status = wire::answer("200 OK", "application/json", r#"{"status":"ok"}"#);
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"type\":\"message\"";
    let wire = Wire::saying([
        wire::Reply::Close(page),
        wire::Reply::Close(status),
        wire::Reply::Close(moved.into()),
        wire::Reply::Close("SSH-2.0-OpenSSH_9.9\r\n\r\n".into()),
        wire::Reply::Close(cut.into()),
    ])
    .await;
    let (stranger, expired) =
        (authority.failing(Handshake::Stranger).await, authority.failing(Handshake::Expired).await);
    for (address, finding, told) in [
        ("https://nobody.invalid".into(), "unknown_host", "nobody.invalid:443 can't be reached"),
        (format!("http://{closed}"), "refused", "can't be reached"),
        (stranger.url(), "tls_failed", "does not trust"),
        (expired.url(), "tls_failed", "has expired"),
        (wire.base_url.clone(), "web_page", ""),
        (wire.base_url.clone(), "no_message", ""),
        (wire.base_url.clone(), "redirected", ""),
        (wire.base_url.clone(), "no_http", "not HTTP"),
        (wire.base_url.clone(), "broke_off", ""),
    ] {
        house.lead("work", &address);
        let found = test(&house, "work", json!({})).await;
        assert_eq!((&found["works"], &found["finding"]), (&false.into(), &finding.into()), "{found}");
        assert!(found["told"].as_str().unwrap_or_default().contains(told), "{found}");
        assert!(found["next"].as_str().is_some_and(|next| next.len() > 10), "{found}");
        assert_eq!(house.standing("work").await["state"], "ready", "{finding}");
        let exchange = house.ended().await;
        assert_ne!(exchange.ending, Some(Ending::ClientLeft), "{finding}: {:?}", exchange.error);
    }
}

#[tokio::test]
async fn a_test_that_failed_was_recorded_as_complete() {
    let mut house = House::with(&["work"]).await;
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
    let endless = format!(r#"{{"type":"message","content":"{}"}}"#, "x".repeat(300 * 1024));
    let wire = Wire::saying([
        wire::Reply::Close(moved.into()),
        wire::Reply::Close(wire::answer("200 OK", "application/json", r#"{"status":"ok"}"#)),
        wire::Reply::Close(wire::answer("204 No Content", "application/json", "")),
        wire::Reply::Close(wire::answer("200 OK", "application/json", &endless)),
    ])
    .await;
    house.lead("work", &wire.base_url);
    for (finding, why) in [
        ("redirected", "it answered with a redirection"),
        ("no_message", "it answered with no message"),
        ("no_message", "it answered with no message"),
        ("no_message", "it answered with no message"),
    ] {
        let found = test(&house, "work", json!({})).await;
        assert_eq!(found["finding"], finding, "{found}");
        let exchange = house.ended().await;
        assert_eq!(
            (exchange.ending, exchange.error.as_deref()),
            (Some(Ending::UpstreamError), Some(why)),
            "{finding}"
        );
    }
}

#[tokio::test]
async fn http2_and_the_version_of_tls_are_told() {
    let authority = Authority::new();
    let upstream = authority.upstream(&["127.0.0.1"]).await;
    let house = House::on(Limits::default(), authority.network(), &["work"]).await;
    house.lead("work", &upstream.url());
    let found = test(&house, "work", json!({})).await;
    assert_eq!(
        (&found["works"], &found["http"], &found["tls"]),
        (&true.into(), &"HTTP/2".into(), &"TLS 1.3".into())
    );
}

#[tokio::test]
async fn an_upstream_that_stays_silent_is_given_up() {
    let mut house = House::within(Limits { head_seconds: 0.2, ..Limits::default() }, &["work"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "silent".into(), answer: Answer::default() }]);
    let found = soon("the end of the test", test(&house, "work", json!({}))).await;
    assert_eq!(found["finding"], "late", "{found}");
    assert_eq!(house.ended().await.ending, Some(Ending::UpstreamError));
    assert_eq!(house.standing("work").await["state"], "ready");
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up_as_late() {
    let mut house = House::within(Limits { idle_seconds: 0.2, ..Limits::default() }, &["work"]).await;
    house.script("work", [Behaviour::Stall { after: 1, answer: Answer::default() }]);
    let found = soon("the end of the test", test(&house, "work", json!({}))).await;
    assert_eq!((&found["finding"], &found["status"]), (&"late".into(), &200.into()), "{found}");
    assert_eq!(house.ended().await.ending, Some(Ending::UpstreamStalled));
}

#[tokio::test]
async fn a_key_that_the_upstream_repeats_is_not_told_on() {
    let house = House::with(&["work"]).await;
    let error = Behaviour::Error {
        status: StatusCode::BAD_REQUEST,
        message: "your key key-work is odd".into(),
        body: None,
    };
    house.script("work", [error]);
    let found = test(&house, "work", json!({})).await;
    assert!(found["told"].as_str().unwrap().contains("your key … is odd"), "{found}");
    assert!(!found.to_string().contains("key-work"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_tested_by_one_at_a_time_and_another_one_beside_it() {
    let house = House::with(&["work", "spare"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "slow".into(), answer: Answer::default() }]);
    let path = format!("/api/v1/accounts/{}/test", house.id("work"));
    let (client, token, first) = (house.client.clone(), house.token().to_owned(), path.clone());
    let mut running =
        aside(async move { client.call(&token, Method::POST, &first, "{}").await.json().await });
    house.sandbox.await_held("slow").await.unwrap();

    let second = house.api(Method::POST, &path, json!({})).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.text().await.contains("work is being tested"));
    assert_eq!(test(&house, "spare", json!({})).await["works"], true);
    house.sandbox.release("slow");
    let found = soon("the first test", running.join_next()).await.unwrap().unwrap();
    assert_eq!(found["works"], true, "{found}");
    assert_eq!(test(&house, "work", json!({})).await["works"], true, "its turn was given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_ends_the_test_and_gives_its_turn_back() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "slow".into(), answer: Answer::default() }]);
    let path = format!("/api/v1/accounts/{}/test", house.id("work"));
    let (client, token) = (house.client.clone(), house.token().to_owned());
    let asking = aside(async move { drop(client.call(&token, Method::POST, &path, "{}").await) });
    house.sandbox.await_held("slow").await.unwrap();
    drop(asking);
    house.sandbox.await_client_gone(1).await.unwrap();
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::ClientLeft));
    assert_eq!(house.tried(&exchange), ["work"]);
    assert_eq!(test(&house, "work", json!({})).await["works"], true);
}

#[tokio::test]
async fn a_test_counts_against_what_the_account_may_spend() {
    let house = House::with(&["work"]).await;
    let path = format!("/api/v1/accounts/{}", house.id("work"));
    house
        .done(Method::PATCH, &path, json!({ "guards": { "caps": { "day": { "tokens": 1_000_000 } } } }))
        .await;
    test(&house, "work", json!({})).await;
    let account = house.done(Method::GET, &path, json!({})).await;
    assert!(account["guards"]["caps"]["day"]["used_tokens"].as_u64().unwrap() > 0, "{account}");
    assert_eq!(account["in_flight"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_what_was_found_and_fails_where_the_test_does() {
    let tasks = Tasks::default();
    let scenario = Scenario::of([ScriptedAccount::new("work", "sk-canary-work")]);
    let sandbox = Sandbox::start(&scenario, &headgate::clock::Clock::system(), &tasks).await.unwrap();
    let program = Program::new();
    assert!(program.add("work", sandbox.base_url(), "sk-canary-work\n", &[]).status.success());
    let done = program.run(&["accounts", "test", "WORK", "--model", "claude-haiku-4-5"]);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
    assert!(
        text.contains("for one token of claude-haiku-4-5.\nIt answered 200, first byte after "),
        "{text}"
    );
    assert!(text.contains("work works: claude-haiku-4-5 answered after "), "{text}");

    sandbox.script("sk-canary-work", [Behaviour::CredentialRefused]).unwrap();
    let failed = program.run(&["accounts", "test", "work", "--json"]);
    assert_eq!(failed.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(found["finding"], "credential_refused");
    let requests = program.json(&["requests"]);
    assert_eq!(requests.as_array().unwrap().len(), 2, "both are recorded");
    assert_eq!(requests[0]["id"], found["request_id"]);
    for output in [&done, &failed] {
        for text in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(text).contains("canary"));
        }
    }
}

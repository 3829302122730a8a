//! Clients' keys: who may ask, for what, how often and for how much; through the real proxy.

mod limits;

use std::time::Duration;

use bytes::Bytes;
use headgate::{
    domain::{Ending, Exchange},
    sandbox::{Answer, Behaviour, Scenario, ScriptedAccount},
    settings::Limits,
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Client, House, Program, Reply, aside, ask, holds, soon};

async fn call(house: &House, method: Method, path: &str, body: Value) -> Reply {
    house.client.call(house.token(), method, path, &body.to_string()).await
}

/// Makes a key; its id and its secret.
async fn key(house: &House, terms: Value) -> (i64, String) {
    let reply = call(house, Method::POST, "/api/v1/keys", terms).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let minted = reply.json().await;
    (minted["key"]["id"].as_i64().unwrap(), minted["secret"].as_str().unwrap().to_owned())
}

async fn change(house: &House, id: i64, terms: Value) -> Value {
    let reply = call(house, Method::PATCH, &format!("/api/v1/keys/{id}"), terms).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.json().await
}

/// Asks for a message under a key.
async fn ask_with(house: &House, secret: &str, model: &str) -> Reply {
    house.client.call(secret, Method::POST, "/v1/messages", &ask(model, false)).await
}

async fn served(house: &mut House, secret: &str, model: &str) -> std::sync::Arc<Exchange> {
    let reply = ask_with(house, secret, model).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.bytes().await;
    house.ended().await
}

/// Refused in Anthropic's shape, with a sentence that says this.
async fn refused(reply: Reply, status: u16, kind: &str, says: &str) {
    let retry = reply.header("x-should-retry").to_owned();
    assert_eq!(reply.status.as_u16(), status, "{says}");
    let body = reply.json().await;
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!(kind)), "{says}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains(says), "{message:?} should say {says:?}");
    assert!(!message.contains("hg_"), "no error holds a key: {message}");
    if status != 429 {
        assert_eq!(retry, "false", "asking again would not help: {says}");
    }
}

/// An answer of exactly a hundred tokens.
fn hundred() -> Behaviour {
    Behaviour::Answer(Answer { input: Some(60), tokens: 40, ..Answer::default() })
}

fn advance_to(house: &House, moment: jiff::Timestamp) {
    let left: Duration = moment.duration_since(house.clock.now()).try_into().unwrap();
    house.clock.advance(left + Duration::from_secs(1));
}

#[tokio::test]
async fn no_key_is_needed_on_this_machine_but_one_that_is_shown_is_checked() {
    let house = House::with(&["work"]).await;
    assert_eq!(house.ask().await.status, StatusCode::OK);
    assert_eq!(ask_with(&house, "headgate", "m").await.status, StatusCode::OK, "any other text is ignored");
    let stranger = format!("hg_{}", "x".repeat(43));
    for secret in ["hg_", "hg_guess", &stranger] {
        refused(ask_with(&house, secret, "m").await, 401, "authentication_error", "keys add").await;
    }
    assert_eq!(house.sandbox.counts().arrived, 2);
    assert_eq!(house.written().await.len(), 2, "a stranger fills no database");
}

#[tokio::test]
async fn where_a_key_is_required_nothing_else_is_let_in() {
    let scripted = [ScriptedAccount::new("work", "key-work")];
    let house = House::furnished(Scenario::of(scripted), |settings| settings.require_key = true).await;
    refused(house.ask().await, 401, "authentication_error", "ANTHROPIC_AUTH_TOKEN").await;
    refused(ask_with(&house, "sk-ant-oat01-x", "m").await, 401, "authentication_error", "keys add").await;
    let (_, secret) = key(&house, json!({ "name": "laptop" })).await;
    assert_eq!(ask_with(&house, &secret, "m").await.status, StatusCode::OK);
    let large = "x".repeat(3_000_000);
    let reply = house.client.post("/v1/messages", large).await;
    refused(reply, 401, "authentication_error", "keys add").await;
}

#[tokio::test]
async fn a_key_in_an_address_is_refused_and_written_down_nowhere() {
    let house = House::with(&["work"]).await;
    let (_, secret) = key(&house, json!({ "name": "laptop" })).await;
    let escaped = secret.replace("hg_", "%68g%5F");
    for target in [
        format!("/v1/messages?key={secret}"),
        format!("/v1/messages?beta=true&x-api-key={escaped}"),
        format!("/v1/files/{secret}"),
        "/v1/messages?key=hg_of-somebody".into(),
    ] {
        let reply = house.client.call(&secret, Method::POST, &target, &ask("m", false)).await;
        refused(reply, 400, "invalid_request_error", "in this request's address").await;
        let reply = house.client.post(&target, ask("m", false)).await;
        refused(reply, 400, "invalid_request_error", "keys rotate").await;
    }
    assert_eq!(house.sandbox.counts().arrived, 0, "nothing went upstream");
    assert!(house.written().await.is_empty());
    for text in [&secret[3..], "of-somebody"] {
        assert!(!holds(house.folder.path(), text), "neither the address nor the key is kept");
    }
}

#[tokio::test]
async fn a_key_as_a_method_a_model_or_a_client_was_written_into_the_records() {
    let mut house = House::with(&["work"]).await;
    let (_, secret) = key(&house, json!({ "name": "laptop" })).await;
    let method = Method::from_bytes(secret.as_bytes()).unwrap();
    let reply = house.client.call(&secret, method, "/v1/messages", &ask("m", false)).await;
    refused(reply, 400, "invalid_request_error", "or method").await;
    assert_eq!(house.sandbox.counts().arrived, 0, "nothing went upstream");
    // The upstream names the model that it was asked for.
    let request = Request::post("/v1/messages").header("user-agent", format!("mine/1 ({secret})"));
    house.client.send(request.body(Bytes::from(ask(&secret, false))).unwrap()).await.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(
        (&exchange.start.ask.model, &exchange.start.ask.client, &exchange.served_model),
        (&None, &None, &None)
    );
    house.written().await;
    assert!(!holds(house.folder.path(), &secret[3..]), "in no file");
}

#[tokio::test]
async fn a_key_never_reaches_an_upstream_in_whatever_header_it_comes() {
    let house = House::with(&["work"]).await;
    let (_, secret) = key(&house, json!({ "name": "laptop" })).await;
    let bearer = format!("Bearer {secret}");
    let (basic, named) = (format!("Basic {secret}"), format!("a=b; key={secret}"));
    let run_on = format!("token-{secret}");
    let shown = [
        vec![("authorization", bearer.as_str())],
        vec![("x-api-key", secret.as_str())],
        vec![("x-api-key", secret.as_str()), ("authorization", bearer.as_str())],
        vec![("x-api-key", "sk-other"), ("x-api-key", secret.as_str()), ("authorization", "Bearer sk-own")],
        vec![
            ("x-api-key", secret.as_str()),
            ("api-key", secret.as_str()),
            ("x-goog-api-key", bearer.as_str()),
        ],
        vec![
            ("x-api-key", secret.as_str()),
            ("x-foo", basic.as_str()),
            ("anthropic-custom", named.as_str()),
            ("x-run-on", run_on.as_str()),
        ],
    ];
    for headers in shown {
        let mut request = Request::post("/v1/messages");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::from(ask("m", false))).unwrap();
        assert_eq!(house.client.send(request).await.status, StatusCode::OK);
    }
    let seen = house.sandbox.seen("key-work");
    assert_eq!(seen.len(), 6);
    assert!(!format!("{seen:?}").contains(&secret[3..]), "it stays here");
    assert!(house.written().await.iter().all(|request| request.key.as_deref() == Some("laptop")));
}

#[tokio::test]
async fn a_key_at_its_bound_waits_for_itself_and_another_is_served_meanwhile() {
    let limits = Limits { requests_per_key: 1, ..Limits::default() };
    let mut house = House::within(limits, &["work"]).await;
    let (_, laptop) = key(&house, json!({ "name": "laptop" })).await;
    let (_, desktop) = key(&house, json!({ "name": "desktop" })).await;
    house.script("work", [Behaviour::SlowHead { gate: "head".into(), answer: Answer::default() }]);
    let begin = |client: Client, secret: String| {
        aside(async move {
            client.call(&secret, Method::POST, "/v1/messages", &ask("m", false)).await.bytes().await;
        })
    };
    let mut first = begin(house.client.clone(), laptop.clone());
    house.sandbox.await_held("head").await.unwrap();
    let mut second = begin(house.client.clone(), laptop);
    let admission = house.app.api().gateway.admission.clone();
    soon("the second to wait", async {
        while admission.occupancy().waiting != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let exchange = served(&mut house, &desktop, "m").await;
    assert_eq!(exchange.ending, Some(Ending::Complete), "another key has a place");
    assert_eq!(admission.occupancy().waiting, 1);
    assert_eq!(house.sandbox.counts().arrived, 2, "the one that waits has not been sent");
    house.sandbox.release("head");
    for one in [&mut first, &mut second] {
        soon("both answers", one.join_next()).await.unwrap().unwrap();
    }
    assert_eq!(house.sandbox.counts().arrived, 3);
}

#[tokio::test]
async fn two_different_keys_at_once_are_refused() {
    let house = House::with(&["work"]).await;
    let (_, one) = key(&house, json!({ "name": "one" })).await;
    let (_, two) = key(&house, json!({ "name": "two" })).await;
    let request = Request::post("/v1/messages").header("authorization", format!("Bearer {one}"));
    let request = request.header("x-api-key", two).body(Bytes::from(ask("m", false))).unwrap();
    refused(house.client.send(request).await, 401, "authentication_error", "shown two").await;
}

#[tokio::test]
async fn a_key_that_is_off_expired_or_revoked_opens_nothing() {
    let house = House::with(&["work"]).await;
    let end = house.clock.now() + jiff::SignedDuration::from_hours(1);
    let (id, secret) = key(&house, json!({ "name": "laptop", "expires_at": end })).await;
    assert_eq!(ask_with(&house, &secret, "m").await.status, StatusCode::OK);

    assert_eq!(change(&house, id, json!({ "enabled": false })).await["state"], "disabled");
    refused(
        ask_with(&house, &secret, "m").await,
        401,
        "authentication_error",
        "headgate keys set laptop --enable",
    )
    .await;
    change(&house, id, json!({ "enabled": true })).await;
    assert_eq!(ask_with(&house, &secret, "m").await.status, StatusCode::OK);

    house.clock.advance(Duration::from_hours(1));
    refused(
        ask_with(&house, &secret, "m").await,
        401,
        "authentication_error",
        "headgate keys set laptop --expires 30d",
    )
    .await;
    let path = format!("/api/v1/keys/{id}");
    let past = json!({ "expires_at": end - jiff::SignedDuration::from_secs(1) });
    let past = call(&house, Method::PATCH, &path, past).await;
    assert_eq!(past.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(past.text().await.contains("an expiry lies ahead"));
    assert_eq!(
        change(&house, id, json!({ "per_minute": 9 })).await["state"],
        "expired",
        "it can be changed all the same"
    );
    assert_eq!(change(&house, id, json!({ "expires_at": null })).await["state"], "active");
    assert_eq!(ask_with(&house, &secret, "m").await.status, StatusCode::OK);

    let gone = call(&house, Method::DELETE, &format!("/api/v1/keys/{id}"), json!({})).await;
    assert_eq!(gone.json().await["key"]["state"], "revoked");
    refused(ask_with(&house, &secret, "m").await, 401, "authentication_error", "revoked").await;
    let changed =
        call(&house, Method::PATCH, &format!("/api/v1/keys/{id}"), json!({ "enabled": true })).await;
    assert_eq!(changed.status, StatusCode::NOT_FOUND, "revoked is for ever");
    assert_eq!(house.written().await[0].key.as_deref(), Some("laptop"), "history keeps its name");
}

#[tokio::test]
async fn each_scope_opens_its_own_door_and_no_other() {
    let house = House::with(&["work"]).await;
    let doors = [
        (Method::POST, "/v1/messages", ["proxy", "", ""]),
        (Method::GET, "/api/v1/status", ["read", "manage", ""]),
        (Method::GET, "/api/v1/keys", ["read", "manage", ""]),
        (Method::POST, "/api/v1/proxy/resume", ["manage", "", ""]),
        (Method::DELETE, "/api/v1/accounts/99", ["manage", "", ""]),
    ];
    for scope in ["proxy", "read", "manage"] {
        let (_, secret) = key(&house, json!({ "name": scope, "scopes": [scope] })).await;
        for (method, path, open_to) in &doors {
            let reply = house.client.call(&secret, method.clone(), path, &ask("m", false)).await;
            let is_open = open_to.contains(&scope);
            assert_eq!(reply.status != StatusCode::FORBIDDEN, is_open, "{scope}: {method} {path}");
            if !is_open && path.starts_with("/v1/") {
                refused(reply, 403, "permission_error", "--scope proxy").await;
            } else if !is_open {
                let said = reply.text().await;
                assert!(said.contains(&format!("headgate keys set {scope} --scope")), "{said}");
            }
        }
    }
    let reply = house.client.call(&format!("hg_{}", "x".repeat(43)), Method::GET, "/api/v1/status", "").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_key_asks_for_its_models_alone_and_never_without_naming_one() {
    let mut house = House::with(&["work"]).await;
    let terms = json!({ "name": "cheap", "models": ["claude-haiku-*", "claude-sonnet-5"] });
    let (_, secret) = key(&house, terms).await;
    for model in ["claude-haiku-4-5", "claude-sonnet-5"] {
        served(&mut house, &secret, model).await;
    }
    for model in ["claude-sonnet-5-5", "claude-opus-5", "Claude-haiku-4-5"] {
        refused(ask_with(&house, &secret, model).await, 403, "permission_error", model).await;
        assert_eq!(
            house.ended().await.ending,
            Some(Ending::Refused),
            "what a known key was refused is on record"
        );
    }
    // Some upstreams go by the first, some by the last, and some know no letter case.
    for again in ["model", "mod\\u0065l", "Model", "MODEL", "mode\\u004c"] {
        for (first, last) in [("model", again), (again, "model")] {
            let twice = format!(r#"{{"{first}":"claude-haiku-4-5","messages":[],"{last}":"claude-opus-5"}}"#);
            let reply = house.client.call(&secret, Method::POST, "/v1/messages", &twice).await;
            refused(reply, 403, "permission_error", "does not name one model").await;
        }
    }
    let cased = r#"{"Model":"claude-haiku-4-5","messages":[]}"#;
    let reply = house.client.call(&secret, Method::POST, "/v1/messages", cased).await;
    refused(reply, 403, "permission_error", "does not name one model").await;
    let odd = r#"{"model":["claude-opus-5"],"messages":[]}"#;
    let reply = house.client.call(&secret, Method::POST, "/v1/messages", odd).await;
    refused(reply, 403, "permission_error", "does not name one model").await;
    let within = r#""requests":[{"custom_id":"a","params":{"model":"claude-opus-5","max_tokens":9}}]"#;
    for batch in [format!("{{{within}}}"), format!(r#"{{"model":"claude-haiku-4-5",{within}}}"#)] {
        let reply = house.client.call(&secret, Method::POST, "/v1/messages/batches", &batch).await;
        refused(reply, 403, "permission_error", "does not name one model").await;
    }
    assert_eq!(house.sandbox.counts().arrived, 2);
}

#[tokio::test]
async fn a_key_is_served_by_its_accounts_alone() {
    let mut house = House::with(&["work", "spare"]).await;
    let (id, secret) = key(&house, json!({ "name": "guest", "accounts": [2] })).await;
    let exchange = served(&mut house, &secret, "m").await;
    assert_eq!(house.tried(&exchange), ["spare"], "although work is first in line");

    let spent = Behaviour::QuotaSpent { window: "5h".into(), resets_in: Duration::from_secs(30) };
    house.script("spare", [spent]);
    ask_with(&house, &secret, "m").await.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["spare"], "nor is it rescued by work");
    let reply = ask_with(&house, &secret, "m").await;
    assert_eq!(reply.header("retry-after"), "30");
    refused(reply, 429, "rate_limit_error", "work: the key of this request does not allow it").await;

    change(&house, id, json!({ "accounts": null })).await;
    let _ = house.ended().await;
    let exchange = served(&mut house, &secret, "m").await;
    assert_eq!(house.tried(&exchange), ["work"]);
    let wrong = call(&house, Method::PATCH, &format!("/api/v1/keys/{id}"), json!({ "accounts": [7] })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_rotated_key_is_the_same_key_with_another_secret() {
    let mut house = House::with(&["work"]).await;
    let (id, old) = key(&house, json!({ "name": "laptop", "daily_tokens": 150 })).await;
    house.script("work", [hundred(), hundred()]);
    served(&mut house, &old, "m").await;
    let reply = call(&house, Method::POST, &format!("/api/v1/keys/{id}/rotate"), json!({})).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let minted = reply.json().await;
    let new = minted["secret"].as_str().unwrap().to_owned();
    assert_eq!(minted["key"]["prefix"].as_str().unwrap(), &new[..7]);
    refused(ask_with(&house, &old, "m").await, 401, "authentication_error", "does not know this key").await;
    served(&mut house, &new, "m").await;
    refused(ask_with(&house, &new, "m").await, 402, "billing_error", "daily token budget").await;
}

#[tokio::test]
async fn what_a_person_gets_wrong_is_said_and_nothing_is_kept() {
    let house = House::with(&["work"]).await;
    key(&house, json!({ "name": "Laptop" })).await;
    for (terms, status) in [
        (json!({ "name": "lapTOP" }), 409),
        (json!({ "name": " " }), 422),
        (json!({ "name": "x", "scopes": [] }), 422),
        (json!({ "name": "x", "scopes": ["everything"] }), 422),
        (json!({ "name": "x", "accounts": [] }), 422),
        (json!({ "name": "x", "accounts": [7] }), 422),
        (json!({ "name": "x", "models": ["a*b"] }), 422),
        (json!({ "name": "x", "per_minute": 0 }), 422),
        (json!({ "name": "x", "daily_tokens": 0 }), 422),
        (json!({ "name": "x", "daily_tokens": -1 }), 422),
        (json!({ "name": "x", "monthly_usd": -0.5 }), 422),
        (json!({ "name": "x", "monthly_usd": 1e300 }), 422),
        (json!({ "name": "x", "monthly_usd": 0.0 }), 422),
        (json!({ "name": "x", "expires_at": "soon" }), 422),
        (json!({ "name": "x", "expires_at": "2020-01-01T00:00:00Z" }), 422),
        (json!({ "name": "x", "expires_at": house.clock.now() }), 422),
        (json!({ "name": "x", "secret": "hg_mine" }), 422),
    ] {
        let reply = call(&house, Method::POST, "/api/v1/keys", terms.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{terms}");
    }
    let keys = call(&house, Method::GET, "/api/v1/keys", json!({})).await.json().await;
    assert_eq!(keys.as_array().unwrap().len(), 1);
    assert!(!keys.to_string().contains("secret"), "no list holds a secret");
}

#[test]
fn the_command_line_makes_lists_changes_and_revokes_keys() {
    let program = Program::new();
    for (arguments, code) in [
        (&["keys", "add", "ci", "--account", "nobody"][..], 3),
        (&["keys", "add", "ci", "--expires", "someday"], 2),
        (&["keys", "add", "ci", "--scope", "everything"], 2),
        (&["keys", "add", "ci", "--per-minute", "0"], 1),
        (&["keys", "add", "ci", "--daily-usd", "nan"], 2),
        (&["keys", "add", "ci", "--monthly-usd", "inf"], 2),
        (&["keys", "add", "ci", "--daily-usd", "0"], 2),
        (&["keys", "add", "ci", "--daily-usd", "0.0000001"], 1),
        (&["keys", "add", "ci", "--expires", "2020-01-31"], 1),
        (&["keys", "set", "ci"], 2),
        (&["accounts", "set", "work"], 2),
        (&["keys", "rotate", "ci"], 3),
    ] {
        assert_eq!(program.run(arguments).status.code(), Some(code), "{arguments:?}");
    }
    let terms = ["--scope", "proxy", "--scope", "read", "--model", "claude-haiku-*", "--expires", "30d"];
    let made = program.run(&[&["keys", "add", "CI", "--daily-usd", "5"][..], &terms].concat());
    let said = String::from_utf8(made.stdout).unwrap();
    let secret = said.lines().find(|line| line.starts_with("hg_")).unwrap();
    assert_eq!(secret.len(), 46);
    let listed = String::from_utf8(program.run(&["keys"]).stdout).unwrap();
    assert!(listed.contains(&secret[..7]) && !listed.contains(secret), "{listed}");
    assert!(listed.contains("$0.00 of $5.00") && listed.contains("claude-haiku-*, until "), "{listed}");

    let terms = ["--per-minute", "9", "--model", "any", "--daily-usd", "none", "--expires", "none"];
    let changed =
        program.json(&[&["keys", "set", "ci", "--disable", "--name", "Build"][..], &terms].concat());
    assert_eq!((&changed["state"], &changed["name"]), (&json!("disabled"), &json!("Build")));
    assert_eq!((&changed["per_minute"], &changed["models"]), (&json!(9), &Value::Null));
    assert_eq!((&changed["daily"]["usd"], &changed["expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["scopes"], json!(["proxy", "read"]), "what was not said stays");

    assert_eq!(program.run(&["keys", "revoke", "build"]).status.code(), Some(1), "nobody is there to ask");
    assert!(program.run(&["pools", "add", "ci"]).status.success());
    assert!(program.run(&["bindings", "add", "--key", "build", "--pool", "ci"]).status.success());
    let revoked = program.json(&["keys", "revoke", "build", "--yes"]);
    assert_eq!(revoked["key"]["state"], "revoked", "as it is now, and not as it was");
    assert_eq!(revoked["bindings"][0]["what"], "key Build", "and what is bound to nothing by that");
    assert_eq!(program.json(&["keys"]), json!([]));
}

#[tokio::test]
async fn the_settings_file_can_require_a_key_and_the_environment_can_lift_that() {
    let program = Program::new();
    std::fs::write(program.folder.path().join("settings.toml"), "require_key = true").unwrap();
    let tasks = headgate::tasks::Tasks::default();
    let served = program.serve();
    let reply = crate::harness::Client::to(&served.url, &tasks).post("/v1/messages", ask("m", false)).await;
    refused(reply, 401, "authentication_error", "keys add").await;
    served.stop();
    let lifted = headgate::settings::Choices {
        data_dir: Some(program.folder.path().to_owned()),
        require_key: Some(false),
        ..Default::default()
    };
    assert!(!headgate::settings::Settings::load(lifted).unwrap().require_key);
}

#[tokio::test]
async fn a_key_its_history_and_its_budget_survive_a_restart_and_its_secret_is_nowhere() {
    let house = House::with(&["work"]).await;
    house.script("work", [hundred()]);
    let program = Program::new();
    program.add("work", house.sandbox.base_url(), "key-work", &[]);
    let minted = program.json(&["keys", "add", "laptop", "--daily-tokens", "100", "--model", "claude-*"]);
    let secret = minted["secret"].as_str().unwrap().to_owned();
    let tasks = headgate::tasks::Tasks::default();
    let ask_at = async |url: &str| {
        let client = crate::harness::Client::to(url, &tasks);
        client.call(&secret, Method::POST, "/v1/messages", &ask("claude-opus-4-8", false)).await
    };
    let first = program.serve();
    let reply = ask_at(&first.url).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.bytes().await;
    first.stop();

    let second = program.serve();
    refused(ask_at(&second.url).await, 402, "billing_error", "--daily-tokens AMOUNT`").await;
    let rotated = program.json(&["keys", "rotate", "laptop"]);
    assert_eq!(rotated["key"]["daily"]["used_tokens"], 100);
    refused(ask_at(&second.url).await, 401, "authentication_error", "does not know this key").await;
    second.stop();
    for secret in [&secret, rotated["secret"].as_str().unwrap()] {
        assert!(!holds(program.folder.path(), &secret[3..]), "neither database nor log hold it");
        assert!(
            holds(program.folder.path(), &secret[..7]) == (secret == rotated["secret"].as_str().unwrap())
        );
    }
}

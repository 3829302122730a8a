//! Accounts: what a person does with them, by the API.

use headgate::sandbox::Behaviour;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, Reply, holds};

async fn call(house: &House, method: Method, path: &str, body: Value) -> Reply {
    house.client.call(house.token(), method, path, &body.to_string()).await
}

fn new_account(house: &House, name: &str) -> Value {
    json!({ "name": name, "provider": "anthropic", "base_url": house.sandbox.base_url(), "key": "key-work" })
}

#[tokio::test]
async fn an_account_is_added_changed_paused_resumed_and_removed() {
    let house = House::with(&[]).await;
    let added = call(&house, Method::POST, "/api/v1/accounts", new_account(&house, "Work")).await;
    assert_eq!(added.status, StatusCode::CREATED);
    let added = added.json().await;
    let path = format!("/api/v1/accounts/{}", added["id"]);
    assert_eq!(added["standing"]["state"], "ready");

    let changed =
        call(&house, Method::PATCH, &path, json!({ "name": "Office", "priority": 7 })).await.json().await;
    assert_eq!(
        (&changed["name"], &changed["priority"], &changed["id"]),
        (&json!("Office"), &json!(7), &added["id"])
    );

    let paused = call(&house, Method::POST, &format!("{path}/pause"), json!({ "reason": "on holiday" }))
        .await
        .json()
        .await;
    assert_eq!(
        paused["standing"],
        json!({ "state": "paused", "reason": "on holiday", "until": null, "paused_by": "user" })
    );
    assert_eq!(house.ask().await.status, StatusCode::PAYMENT_REQUIRED, "a paused account takes nothing");

    let resumed = call(&house, Method::POST, &format!("{path}/resume"), json!({})).await.json().await;
    assert_eq!(resumed["standing"]["state"], "ready");
    assert_eq!(call(&house, Method::DELETE, &path, json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(&house, Method::GET, &path, json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_removed_accounts_name_stays_in_history_and_is_free_again() {
    let mut house = House::with(&["work"]).await;
    house.ask().await.bytes().await;
    house.ended().await;
    assert_eq!(
        call(&house, Method::DELETE, "/api/v1/accounts/1", json!({})).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(house.written().await[0].account.as_deref(), Some("work"));
    let again =
        call(&house, Method::POST, "/api/v1/accounts", new_account(&house, "work")).await.json().await;
    assert_ne!(again["id"], 1, "an id is never given twice");
}

#[tokio::test]
async fn bad_input_changes_nothing_and_says_what_to_do() {
    let house = House::with(&["work"]).await;
    let base = new_account(&house, "Other");
    let with = |field: &str, value: Value| {
        let mut body = base.clone();
        body[field] = value;
        body
    };
    let cases = [
        (with("name", json!("WORK")), StatusCode::CONFLICT),
        (with("name", json!("  ")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("name", json!("x".repeat(65))), StatusCode::UNPROCESSABLE_ENTITY),
        (with("name", json!("a\u{7}b")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("provider", json!("nobody")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("provider", json!(7)), StatusCode::UNPROCESSABLE_ENTITY),
        (with("base_url", json!("http://gateway.example.com")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("base_url", json!("https://user:pw@gateway.example.com")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("base_url", json!("nonsense")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("priority", json!(5000)), StatusCode::UNPROCESSABLE_ENTITY),
        (with("key", json!("")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("key", json!("two words")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("typo", json!(1)), StatusCode::UNPROCESSABLE_ENTITY),
        (
            json!({ "name": "Bare", "provider": "anthropic-compatible", "key": "k" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!([]), StatusCode::UNPROCESSABLE_ENTITY),
    ];
    for (body, status) in cases {
        let reply = call(&house, Method::POST, "/api/v1/accounts", body.clone()).await;
        assert_eq!(reply.status, status, "{body}");
        let problem = reply.json().await;
        assert!(problem["code"].is_string() && problem["message"].as_str().unwrap().len() > 10, "{problem}");
    }
    for (method, path) in [
        (Method::PATCH, "/api/v1/accounts/99"),
        (Method::DELETE, "/api/v1/accounts/99"),
        (Method::POST, "/api/v1/accounts/99/resume"),
    ] {
        assert_eq!(call(&house, method, path, json!({})).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        call(&house, Method::GET, "/api/v1/accounts/abc", json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        call(&house, Method::GET, "/api/v1/accounts", json!({})).await.json().await.as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_change_that_is_refused_changes_nothing_the_key_included() {
    let house = House::with(&["work", "spare"]).await;
    let body = json!({ "name": "SPARE", "priority": 9, "key": "sk-wrong" });
    assert_eq!(call(&house, Method::PATCH, "/api/v1/accounts/1", body).await.status, StatusCode::CONFLICT);
    let account = call(&house, Method::GET, "/api/v1/accounts/1", json!({})).await.json().await;
    assert_eq!((&account["name"], &account["priority"]), (&json!("work"), &json!(0)));
    assert_eq!(house.ask().await.status, StatusCode::OK);
    assert_eq!(house.sandbox.seen("key-work").len(), 1, "the old key is still in use");
}

#[tokio::test]
async fn a_refused_key_asks_for_a_new_one_and_a_new_one_helps() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::CredentialRefused]);
    let refused = house.ask().await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "the upstream's own answer");
    refused.bytes().await;
    house.ended().await;
    assert_eq!(house.standing("work").await["state"], "needs_sign_in");
    assert_eq!(house.ask().await.status, StatusCode::PAYMENT_REQUIRED);
    let changed =
        call(&house, Method::PATCH, "/api/v1/accounts/1", json!({ "key": "key-work" })).await.json().await;
    assert_eq!(changed["standing"]["state"], "ready");
    assert_eq!(house.ask().await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_key_is_ever_sent_back_or_written_to_the_data_folder() {
    let house = House::with(&[]).await;
    let mut new = new_account(&house, "Work");
    new["key"] = json!("sk-canary-4711");
    let added = call(&house, Method::POST, "/api/v1/accounts", new).await.text().await;
    let listed = call(&house, Method::GET, "/api/v1/accounts", json!({})).await.text().await;
    house.ask().await.bytes().await;
    house.written().await;
    assert!(!added.contains("canary") && !listed.contains("canary"));
    assert!(!holds(house.folder.path(), "sk-canary-4711"), "a key has one home, and this is not it");
}

//! Accounts: what a person does with them, by the API.

use headgate::sandbox::Behaviour;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, Reply, Wire, aside, ask, holds, wire};

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
        json!({ "state": "paused", "reason": "on holiday", "until": null, "paused_by": "program" })
    );
    assert_eq!(house.ask().await.status, StatusCode::PAYMENT_REQUIRED, "a paused account takes nothing");

    let resumed = call(&house, Method::POST, &format!("{path}/resume"), json!({})).await.json().await;
    assert_eq!(resumed["standing"]["state"], "ready");
    let to_it = json!({ "name": "Mine", "models": "opus", "slots": [{ "account_id": 1 }] });
    call(&house, Method::POST, "/api/v1/routes", to_it).await;
    call(&house, Method::POST, "/api/v1/keys", json!({ "name": "laptop", "accounts": [1] })).await;
    let removed = call(&house, Method::DELETE, &path, json!({})).await.json().await;
    assert_eq!((&removed["routes"], &removed["keys"]), (&json!(["Mine"]), &json!(["laptop"])), "{removed}");
    assert_eq!(call(&house, Method::GET, &path, json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_paused_an_account_is_told_by_the_door_they_came_through() {
    let house = House::with(&["work"]).await;
    let new = json!({ "name": "night shift", "scopes": ["manage"] });
    let key = house.done(Method::POST, "/api/v1/keys", new).await["secret"].as_str().unwrap().to_owned();
    let ticket = house.app.api().keys.ticket(house.clock.now()).unwrap().expose().clone();
    let page =
        house.done(Method::POST, "/api/v1/session", json!({ "ticket": ticket })).await["token"].clone();
    let page = page.as_str().unwrap().to_owned();
    for (token, by, reason) in [
        (house.token(), json!("program"), "paused by a command or a script"),
        (&page, json!("page"), "paused on the page"),
        (&key, json!({ "key": "night shift" }), "paused with the key night shift"),
    ] {
        let path = "/api/v1/accounts/1/pause";
        let paused = house.client.call(token, Method::POST, path, r#"{"reason":""}"#).await.json().await;
        let standing = &paused["standing"];
        assert_eq!((&standing["paused_by"], &standing["reason"]), (&by, &json!(reason)));
        let store = house.app.api().store.clone();
        let kept = store.accounts().unwrap().remove(0).pause.unwrap().by;
        assert_eq!(serde_json::to_value(kept).unwrap(), by, "it is kept");
    }
}

#[tokio::test]
async fn a_list_was_read_as_a_change_that_changes_nothing() {
    let house = House::with(&["work"]).await;
    let path = "/api/v1/accounts/1";
    let refused = call(&house, Method::PATCH, path, json!([])).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.json().await.to_string().contains("an object"), "it says what is read");
    let unread = call(&house, Method::PATCH, path, json!({ "spill_to": "sometimes" })).await;
    assert_eq!(unread.status, StatusCode::UNPROCESSABLE_ENTITY);
    let said = unread.json().await.to_string();
    assert!(said.contains("say `all`, `none`") && !said.contains("untagged"), "{said}");
}

#[tokio::test]
async fn a_removed_accounts_name_stays_in_history_and_is_free_again() {
    let mut house = House::with(&["work"]).await;
    house.ask().await.bytes().await;
    house.ended().await;
    let removed = call(&house, Method::DELETE, "/api/v1/accounts/1", json!({})).await.json().await;
    assert_eq!((&removed["account"]["name"], &removed["routes"]), (&json!("work"), &json!([])));
    assert_eq!(house.written().await[0].account.as_deref(), Some("work"));
    let again =
        call(&house, Method::POST, "/api/v1/accounts", new_account(&house, "work")).await.json().await;
    assert_ne!(again["id"], 1, "an id is never given twice");
}

#[tokio::test]
async fn an_address_of_ours_is_refused_when_it_is_added_and_when_it_is_set() {
    let house = House::with(&["work"]).await;
    let own = house.app.api().status().address.unwrap();
    let port = own.rsplit(':').next().unwrap();
    for address in [own.clone(), format!("{own}/v1"), format!("http://localhost:{port}")] {
        let mut new = new_account(&house, "itself");
        new["base_url"] = json!(address);
        let change = json!({ "base_url": address });
        for refused in [
            call(&house, Method::POST, "/api/v1/accounts", new).await,
            call(&house, Method::PATCH, "/api/v1/accounts/1", change).await,
        ] {
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
            let problem = refused.json().await;
            assert!(problem["message"].as_str().unwrap().contains("Headgate's own address"), "{problem}");
        }
    }
    let accounts = call(&house, Method::GET, "/api/v1/accounts", json!({})).await.json().await;
    assert_eq!(accounts.as_array().unwrap().len(), 1);
    assert_eq!(house.ask().await.status, StatusCode::OK, "the account that was there is as it was");
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
        (with("key", json!(format!("hg_{}", "a".repeat(43)))), StatusCode::UNPROCESSABLE_ENTITY),
        (
            with("base_url", json!("https://gateway.example.com/v1/messages")),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
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

#[tokio::test]
async fn a_change_that_is_refused_changes_nothing_the_key_neither() {
    let house = House::with(&["work", "spare"]).await;
    let accounts = call(&house, Method::GET, "/api/v1/accounts", json!(null)).await.json().await;
    let path = format!("/api/v1/accounts/{}", accounts[0]["id"]);
    let change = json!({ "name": "spare", "key": "key-of-another" });
    assert_eq!(call(&house, Method::PATCH, &path, change).await.status, StatusCode::CONFLICT);
    house.ask().await.bytes().await;
    assert_eq!(house.sandbox.seen("key-work").len(), 1, "the old key is still the one in use");
}

#[tokio::test]
async fn a_refusal_of_the_old_key_says_nothing_of_the_new_one() {
    let mut house = House::with(&[]).await;
    let refused = wire::answer("401 Unauthorized", "application/json", "{}");
    let wire = Wire::saying([wire::Reply::Held(refused)]).await;
    let id = wire.account(&house, "work", 0);
    let client = house.client.clone();
    let mut asking = aside(async move { client.post("/v1/messages", ask("m", false)).await.bytes().await });
    wire.arrival().await;
    let path = format!("/api/v1/accounts/{}", id.0);
    let changed = call(&house, Method::PATCH, &path, json!({ "key": "key-new" })).await;
    assert_eq!(changed.status, StatusCode::OK);
    wire.let_go();
    asking.join_next().await.unwrap().unwrap();
    house.ended().await;
    assert_eq!(house.standing("work").await["state"], "ready", "nobody has tried the new key yet");
}

#[tokio::test]
async fn a_key_that_an_upstream_repeats_in_its_error_is_not_kept() {
    let mut house = House::with(&["work"]).await;
    let message = "Invalid token passed. Received API Key = key-work".into();
    house.script("work", [Behaviour::Error { status: StatusCode::UNAUTHORIZED, message, body: None }]);
    house.ask().await.bytes().await;
    house.ended().await;
    let kept = house.written().await;
    assert!(!serde_json::to_string(&kept).unwrap().contains("key-work"), "the API tells it: {kept:?}");
    assert!(!holds(house.folder.path(), "key-work"), "it is on disk");
}

#[tokio::test]
async fn an_account_that_has_just_served_is_ready_whatever_else_is_used_up() {
    let mut account = headgate::sandbox::ScriptedAccount::new("work", "key-work");
    let prefix = "anthropic-ratelimit-unified-";
    let headers = [
        ("status", "allowed"),
        ("5h-status", "allowed"),
        ("5h-utilization", "0.1"),
        // A subscription without extra usage says so on every reply that it serves.
        ("overage-status", "rejected"),
    ];
    account.headers = headers.map(|(name, value)| (format!("{prefix}{name}"), value.to_owned())).into();
    account.headers.insert(format!("{prefix}overage-reset"), {
        let soon = headgate::clock::Clock::system().now() + jiff::SignedDuration::from_hours(5);
        soon.as_second().to_string()
    });
    let house =
        House::of(headgate::settings::Limits::default(), headgate::sandbox::Scenario::of([account])).await;
    for _ in 0..2 {
        assert_eq!(house.ask().await.status, StatusCode::OK, "it serves");
        assert_eq!(house.standing("work").await["state"], "ready");
    }
}

//! Pools: who serves what is bound to them, what becomes of their accounts, and keys that are limited to them.

use headgate::{
    clock::Clock,
    sandbox::{Answer, Behaviour, Sandbox, Scenario, ScriptedAccount},
    tasks::Tasks,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Client, House, Program, Reply, ask};

async fn pool(house: &House, name: &str, accounts: &[&str]) -> i64 {
    let ids: Vec<i64> = accounts.iter().map(|name| house.id(name)).collect();
    let made = house.done(Method::POST, "/api/v1/pools", json!({ "name": name, "accounts": ids })).await;
    made["id"].as_i64().unwrap()
}

async fn key(house: &House, terms: Value) -> (i64, String) {
    let minted = house.done(Method::POST, "/api/v1/keys", terms).await;
    (minted["key"]["id"].as_i64().unwrap(), minted["secret"].as_str().unwrap().to_owned())
}

async fn ask_with(house: &House, secret: &str) -> Reply {
    house.client.call(secret, Method::POST, "/v1/messages", &ask("claude-opus-5-5", false)).await
}

async fn pause(house: &House, name: &str, what: &str) {
    let path = format!("/api/v1/accounts/{}/{what}", house.id(name));
    house.done(Method::POST, &path, json!({})).await;
}

#[tokio::test]
async fn what_is_bound_to_a_pool_is_served_there_first_and_nothing_else_is() {
    let mut house = House::with(&["work", "spare"]).await;
    let spare = pool(&house, "spare", &["spare"]).await;
    let (id, secret) = key(&house, json!({ "name": "ci" })).await;
    let bound = json!({ "subject": { "key": id }, "pool_id": spare });
    let bound = house.done(Method::POST, "/api/v1/bindings", bound).await;
    assert_eq!((&bound["what"], &bound["pool"]), (&json!("key ci"), &json!("spare")));

    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work", "main's own");
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "spare");
    pause(&house, "spare", "pause").await;
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "work", "it is not strict");
    pause(&house, "spare", "resume").await;
    pause(&house, "work", "pause").await;
    let reply = house.ask().await;
    let why = house.refused(reply).await;
    assert!(why.contains("spare: it is in the pool spare, to which nothing leads this request"), "{why}");
}

#[tokio::test]
async fn a_pool_chooses_by_its_own_policy() {
    let mut house = House::with(&["a", "b"]).await;
    house.done(Method::PATCH, "/api/v1/pools/1", json!({ "policy": "round_robin" })).await;
    let mut served = Vec::new();
    for _ in 0..4 {
        let reply = house.ask().await;
        served.push(house.answered_by(reply).await);
    }
    served.sort();
    assert_eq!(served, ["a", "a", "b", "b"]);
}

#[tokio::test]
async fn a_removed_pool_gives_its_accounts_back_says_what_points_at_nothing_and_can_be_put_back() {
    let mut house = House::with(&["work", "spare"]).await;
    let spare = pool(&house, "spare", &["spare"]).await;
    let (id, secret) = key(&house, json!({ "name": "ci" })).await;
    key(&house, json!({ "name": "limited", "pools": [spare] })).await;
    let bound = json!({ "subject": { "key": id }, "pool_id": spare, "strict": true });
    house.done(Method::POST, "/api/v1/bindings", bound).await;
    let route = json!({ "name": "cheap", "models": "haiku", "slots": [{ "pool_id": spare }] });
    house.done(Method::POST, "/api/v1/routes", route).await;

    let path = format!("/api/v1/pools/{spare}");
    let removed = house.done(Method::DELETE, &path, json!({})).await;
    assert_eq!(removed["pool"]["accounts"], json!([house.id("spare")]));
    assert_eq!((&removed["routes"], &removed["keys"]), (&json!(["cheap"]), &json!(["limited"])));
    assert_eq!(removed["bindings"][0]["what"], "key ci");
    let accounts = house.api(Method::GET, "/api/v1/accounts", json!({})).await.json().await;
    assert_eq!((&accounts[1]["name"], &accounts[1]["pool"]), (&json!("spare"), &json!("main")));
    let bindings = house.api(Method::GET, "/api/v1/bindings", json!({})).await.json().await;
    assert_eq!(bindings[0]["pool"], Value::Null, "it is kept, and points at nothing");
    let routes = house.api(Method::GET, "/api/v1/routes", json!({})).await.json().await;
    assert_eq!(routes[0]["slots"], json!([{ "pool_id": spare }]), "without a name");
    let reply = ask_with(&house, &secret).await;
    let why = house.refused(reply).await;
    assert!(why.contains("bound to a pool that is gone"), "{why}");

    let was = &removed["pool"];
    let back =
        json!({ "name": was["name"], "policy": was["policy"], "accounts": was["accounts"], "id": spare });
    assert_eq!(house.done(Method::POST, "/api/v1/pools", back.clone()).await["accounts"], was["accounts"]);
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "spare");
    let again = house.api(Method::POST, "/api/v1/pools", back).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_key_that_is_limited_to_a_pool_is_served_there_and_nowhere_else() {
    let mut house = House::with(&["work", "spare", "other"]).await;
    let spare = pool(&house, "spare", &["spare"]).await;
    let (id, secret) = key(&house, json!({ "name": "ci", "pools": [spare] })).await;
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "spare");
    let served = house.written().await[0].id.clone();
    let told = house.done(Method::GET, &format!("/api/v1/requests/{served}"), json!(null)).await;
    let of = |name: &str| {
        let all = told["decision"]["candidates"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap()["outcome"].clone()
    };
    assert_eq!((of("spare"), of("work")), (json!("chosen"), json!("passed_over")), "{told}");
    pause(&house, "spare", "pause").await;
    let reply = ask_with(&house, &secret).await;
    let why = house.refused(reply).await;
    assert!(why.contains("spare: paused"), "{why}");

    // Whoever comes into the pool serves it with the next request.
    let path = format!("/api/v1/accounts/{}", house.id("other"));
    house.done(Method::PATCH, &path, json!({ "pool_id": spare })).await;
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "other");
    let path = format!("/api/v1/keys/{id}");
    let changed = house.done(Method::PATCH, &path, json!({ "accounts": [house.id("work")] })).await;
    assert_eq!((&changed["pools"], &changed["accounts"]), (&json!([spare]), &json!([house.id("work")])));
    pause(&house, "other", "pause").await;
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "work", "an account that is named besides");
    house.done(Method::PATCH, &path, json!({ "pools": null, "accounts": null })).await;
    let unknown = house.api(Method::PATCH, &path, json!({ "pools": [99] })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_can_not_be_meant_of_a_pool_is_refused_with_a_next_step() {
    let house = House::with(&["work"]).await;
    pool(&house, "spare", &[]).await;
    for (method, path, body, status, says) in [
        (Method::POST, "/api/v1/pools", json!({ "name": "SPARE" }), 409, "already called"),
        (Method::POST, "/api/v1/pools", json!({ "name": " " }), 422, "a name has 1 to 64"),
        (Method::POST, "/api/v1/pools", json!({ "name": "x", "accounts": [99] }), 422, "no account 99"),
        (Method::POST, "/api/v1/pools", json!({ "name": "x", "policy": "fastest" }), 422, "unknown variant"),
        (Method::POST, "/api/v1/pools", json!({ "name": "x", "id": 77 }), 404, "no such id"),
        (Method::PATCH, "/api/v1/pools/99", json!({ "name": "x" }), 404, "headgate pools"),
        (Method::DELETE, "/api/v1/pools/1", json!({}), 422, "always there"),
        (Method::PATCH, "/api/v1/accounts/1", json!({ "pool_id": 99 }), 422, "headgate pools"),
    ] {
        let reply = house.api(method, path, body.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{path} {body}");
        let text = reply.text().await;
        assert!(text.contains(says), "{path} {body}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_made_on_the_command_line_and_survives_a_restart_with_what_was_spent() {
    let tasks = Tasks::default();
    let scenario = Scenario::of(["work", "spare"].map(|name| ScriptedAccount::new(name, name)));
    let sandbox = Sandbox::start(&scenario, &Clock::system(), &tasks).await.unwrap();
    let program = Program::new();
    for name in ["work", "spare"] {
        assert!(program.add(name, sandbox.base_url(), &format!("{name}\n"), &[]).status.success());
    }
    let run = |arguments: &[&str]| {
        let output = program.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let served = program.serve();
    run(&["pools", "add", "Spare", "--policy", "round-robin", "--account", "spare"]);
    run(&[
        "routes",
        "add",
        "cheap",
        "--for",
        "opus",
        "--slot",
        "work",
        "--slot",
        "pool:spare=claude-haiku-4-5",
    ]);
    run(&["routes", "set", "cheap", "--falls-through", "true"]);
    run(&["routes", "disable", "cheap"]);
    run(&["routes", "asked-only", "off"]);
    run(&["keys", "add", "ci", "--pool", "spare"]);
    run(&["bindings", "add", "--project", "gate", "--pool", "spare", "--strict"]);
    run(&[
        "accounts",
        "set",
        "work",
        "--reserve",
        "90",
        "--reserve",
        "5h=80",
        "--cap",
        "day=100",
        "--cap",
        "month=$50",
    ]);
    run(&["accounts", "set", "spare", "--peak", "Mon-Fri 09:00-17:00 Europe/Berlin last", "--pool", "Spare"]);
    let shown = run(&["accounts"]);
    for says in
        ["5h stops at 80 %", "day: 0 of 100 tokens", "last Mon,Tue,Wed,Thu,Fri 09:00-17:00 Europe/Berlin"]
    {
        assert!(shown.contains(says), "{says}: {shown}");
    }
    assert!(run(&["routes"]).contains("work → pool Spare as claude-haiku-4-5"));
    assert!(run(&["bindings"]).contains("project gate"));
    assert!(run(&["keys"]).contains("pool Spare"));

    let answer = Behaviour::Answer(Answer { input: Some(60), tokens: 40, ..Answer::default() });
    sandbox.script("work", [answer]).unwrap();
    let client = Client::to(&served.url, &tasks);
    let reply = client.post("/v1/messages", ask("claude-opus-5-5", false)).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.bytes().await;
    let lists = || ["pools", "routes", "bindings"].map(|list| program.json(&[list]));
    let before = lists();
    assert!(served.stop().success());
    let served = program.serve();
    assert_eq!(lists(), before);
    let client = Client::to(&served.url, &tasks);
    let reply = client.post("/v1/messages", ask("claude-opus-5-5", false)).await;
    assert_ne!(reply.status, StatusCode::OK, "what was spent before the restart counts");
    assert!(reply.text().await.contains("its daily cap is reached"));
    assert!(run(&["accounts"]).contains("kept back"), "no list says that it is ready");
    assert!(run(&["status"]).contains("work: its daily cap is reached, back "));
    let removed = run(&["pools", "remove", "spare"]);
    assert!(removed.contains("In main again: spare.") && removed.contains("cheap"), "{removed}");
    assert!(run(&["bindings"]).contains("by nobody"), "a strict binding to a pool that is gone");
    let back = removed.lines().find_map(|line| line.strip_prefix("To put it back: headgate ")).unwrap();
    run(&back.replace('\'', "").split(' ').collect::<Vec<_>>());
    let [pools, plan @ ..] = lists();
    assert_eq!(plan, before[1..], "what the answer says puts all of it back");
    let spare = (&pools[1]["id"], &pools[1]["policy"], &pools[1]["accounts"]);
    assert_eq!(spare, (&before[0][1]["id"], &before[0][1]["policy"], &before[0][1]["accounts"]));
    run(&["routes", "enable", "cheap"]);
    let second = run(&["routes", "add", "later", "--for", "opus", "--slot", "work"]);
    assert!(second.contains("cheap is for opus too and leads"), "{second}");
    let renamed = program.run(&["pools", "set", "main", "--name", "mine"]);
    assert_eq!(renamed.status.code(), Some(1), "it is found as main for ever: {renamed:?}");
    run(&["accounts", "set", "work", "--cap", "none", "--reserve", "none"]);
    assert_eq!(program.json(&["accounts"])[0]["guards"], Value::Null);
    let usage = program.run(&["bindings", "add", "--pool", "main"]);
    assert_eq!(usage.status.code(), Some(2), "what is bound has to be named");
    assert_eq!(program.run(&["pools", "set", "main"]).status.code(), Some(2), "nothing to change");
    assert_eq!(program.run(&["routes", "enable", "other"]).status.code(), Some(3), "no such route");
    assert!(served.stop().success());
}

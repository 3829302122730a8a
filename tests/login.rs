//! Claude Code's own sign-in, passed through: forwarded for the one request that it came with, known by a
//! digest alone, and moved on to accounts that cost money only where that was allowed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use headgate::{
    accounts::NewAccount,
    domain::{Ending, Exchange},
    sandbox::{Behaviour, Scenario, ScriptedAccount},
    settings::Limits,
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, Program, Reply, ask, holds};

const MINE: &str = "sk-ant-oat01-canary-mine";
const YOURS: &str = "sk-ant-oat01-canary-yours";
const MODEL: &str = "claude-opus-5-5";

/// An account `mine` that passes sign-ins on, before accounts with keys of these names. The upstream knows two
/// sign-ins, and each has windows of its own.
async fn house(names: &[&str]) -> House {
    furnished(names, false).await
}

async fn furnished(names: &[&str], require_key: bool) -> House {
    let keys = names.iter().map(|name| ScriptedAccount::new(name, &format!("key-{name}")));
    let logins = [("first", MINE), ("second", YOURS)];
    let logins = logins.map(|(name, login)| ScriptedAccount::new(name, login));
    let house = House::furnished(Scenario::of(keys.chain(logins)), |settings| {
        settings.require_key = require_key;
        settings.limits = Limits { models_hours: 0.0, ..Limits::default() };
    })
    .await;
    let roster = &house.app.api().gateway.roster;
    // The house makes an account of each; the sign-ins are to have none of their own.
    for id in roster.snapshot().contenders.iter().map(|known| known.account.id).skip(names.len()) {
        roster.remove(id).unwrap();
    }
    roster.add(passing(&house, -1)).unwrap();
    house
}

fn passing(house: &House, priority: i32) -> NewAccount {
    NewAccount {
        name: "mine".into(),
        provider: "claude-login".into(),
        base_url: Some(house.sandbox.base_url().into()),
        plain_http: headgate::accounts::PlainHttp::default(),
        priority,
        key: None,
    }
}

fn script(house: &House, login: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
    house.sandbox.script(login, behaviours).unwrap();
}

fn spent(minutes: u64) -> Behaviour {
    Behaviour::QuotaSpent { window: "5h".into(), resets_in: Duration::from_mins(minutes) }
}

async fn ask_as(house: &House, login: &str) -> Reply {
    house.client.call(login, Method::POST, "/v1/messages", &ask(MODEL, false)).await
}

/// Asks, reads the answer, and tells the status, the accounts that were tried and the story.
async fn served(house: &mut House, login: &str) -> (u16, Vec<String>, Arc<Exchange>) {
    let reply = ask_as(house, login).await;
    let status = reply.status.as_u16();
    reply.bytes().await;
    let exchange = house.ended().await;
    (status, house.tried(&exchange), exchange)
}

async fn call(house: &House, method: Method, path: &str, body: Value) -> Reply {
    house.client.call(house.token(), method, path, &body.to_string()).await
}

async fn account(house: &House, name: &str) -> Value {
    let accounts = call(house, Method::GET, "/api/v1/accounts", json!(null)).await.json().await;
    accounts.as_array().unwrap().iter().find(|account| account["name"] == name).unwrap().clone()
}

async fn allow(house: &House, to: Value) -> Value {
    let path = format!("/api/v1/accounts/{}", account(house, "mine").await["id"]);
    let reply = call(house, Method::PATCH, &path, json!({ "spill_to": to })).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.json().await
}

#[tokio::test]
async fn a_sign_in_goes_on_as_it_came_for_its_one_request_and_stays_nowhere() {
    let mut house = house(&["work"]).await;
    let request = Request::post("/v1/messages")
        .header("authorization", format!("Bearer {MINE}"))
        .header("anthropic-beta", "oauth-2025-04-20,other")
        .body(Bytes::from(ask(MODEL, false)))
        .unwrap();
    let reply = house.client.send(request).await;
    assert_eq!(reply.status, StatusCode::OK);
    let answer = reply.text().await;
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["mine"]);
    let seen = house.sandbox.seen(MINE);
    assert_eq!(seen.len(), 1, "once");
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {MINE}"));
    assert_eq!(seen[0].headers["anthropic-beta"], "oauth-2025-04-20,other", "untouched");
    assert!(!seen[0].headers.contains_key("x-api-key"));

    let plain = house.ask().await;
    assert_eq!(plain.status, StatusCode::OK);
    plain.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work"], "the next request has no use of it");
    let work = house.sandbox.seen("key-work");
    assert!(!format!("{:?}", work[0].headers).contains("canary"));

    let mut told = format!("{answer} {exchange:?}");
    told += &serde_json::to_string(&house.written().await).unwrap();
    for path in ["accounts", "overview", "requests", "status", "keys"] {
        told += &call(&house, Method::GET, &format!("/api/v1/{path}"), json!(null)).await.text().await;
    }
    assert!(!told.contains("canary"), "somebody tells it");
    assert!(!holds(house.folder.path(), "canary"), "it is on disk");
}

#[tokio::test]
async fn a_sign_in_that_comes_as_an_api_key_goes_on_as_one() {
    let mut house = house(&[]).await;
    let request = Request::post("/v1/messages")
        .header("x-api-key", MINE)
        .header("authorization", "Bearer headgate")
        .body(Bytes::from(ask(MODEL, false)))
        .unwrap();
    assert_eq!(house.client.send(request).await.status, StatusCode::OK);
    house.ended().await;
    let seen = house.sandbox.seen(MINE);
    assert_eq!(seen[0].headers["x-api-key"], MINE);
    assert!(!seen[0].headers.contains_key("authorization"), "the placeholder is no sign-in");
}

#[tokio::test]
async fn a_spent_sign_in_moves_on_where_that_was_allowed_and_is_back_at_its_reset() {
    let mut house = house(&["work", "spare"]).await;
    let work = account(&house, "work").await["id"].clone();
    let allowed = allow(&house, json!([work])).await;
    let path = &allowed["spill"]["accounts"][0];
    assert_eq!((&path["id"], &allowed["spill"]["all"]), (&work, &json!(null)));
    let since: jiff::Timestamp = path["allowed_at"].as_str().unwrap().parse().unwrap();
    assert!(house.clock.now().duration_since(since) < jiff::SignedDuration::from_mins(1));

    assert_eq!(served(&mut house, MINE).await.1, ["mine"], "the sign-in first");
    script(&house, MINE, [spent(30)]);
    let (status, tried, _) = served(&mut house, MINE).await;
    assert_eq!((status, tried), (200, vec!["mine".to_owned(), "work".to_owned()]));
    assert_eq!(served(&mut house, MINE).await.1, ["work"], "it is known to be spent");
    assert_eq!(account(&house, "mine").await["standing"]["state"], "cooling");
    house.script("work", [Behaviour::DropBeforeHead { reset: false }]);
    let (_, tried, _) = served(&mut house, MINE).await;
    assert_eq!(tried, ["work"], "nobody opened the path to spare");
    house.clock.advance(Duration::from_mins(31));
    assert_eq!(served(&mut house, MINE).await.1, ["mine"], "back at the reset");
    let paid = house.sandbox.seen("key-work");
    assert!(!paid.iter().any(|arrival| format!("{:?}", arrival.headers).contains("canary")));
}

#[tokio::test]
async fn where_no_path_was_allowed_nobody_else_is_asked_and_the_upstreams_words_are_told() {
    let mut house = house(&["work"]).await;
    script(&house, MINE, [spent(30)]);
    for _ in 0..2 {
        let reply = ask_as(&house, MINE).await;
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(reply.header("anthropic-ratelimit-unified-5h-status"), "rejected", "the upstream's own");
        assert!(reply.header("retry-after").parse::<u64>().unwrap() > 60);
        reply.bytes().await;
        let exchange = house.ended().await;
        assert_eq!(
            house.tried(&exchange),
            ["mine"],
            "a second time it is asked too: it may have been extended"
        );
    }
    assert_eq!(house.sandbox.seen("key-work").len(), 0, "no key account is asked");

    script(
        &house,
        YOURS,
        [Behaviour::RateLimited { retry_after: Some(Duration::from_secs(40)), unified: false }],
    );
    ask_as(&house, YOURS).await.bytes().await;
    house.ended().await;
    let refused = ask_as(&house, YOURS).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!((30..=40).contains(&refused.header("retry-after").parse().unwrap()));
    let message = refused.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("mine") && message.contains(r#"accounts set "mine" --spill-to "work""#),
        "{message}"
    );
    assert_eq!(house.ended().await.attempts.len(), 0, "a pause that was asked for is believed");

    let id = account(&house, "mine").await["id"].clone();
    call(&house, Method::POST, &format!("/api/v1/accounts/{id}/pause"), json!({})).await;
    let paused = ask_as(&house, MINE).await;
    assert_eq!(paused.status, StatusCode::PAYMENT_REQUIRED, "a pause is no leave to pay");
    assert_eq!(house.sandbox.seen("key-work").len(), 0);
}

#[tokio::test]
async fn two_sign_ins_share_neither_windows_nor_rests() {
    let mut house = house(&["work"]).await;
    allow(&house, json!("all")).await;
    script(&house, MINE, [spent(30)]);
    served(&mut house, MINE).await;
    assert_eq!(served(&mut house, MINE).await.1, ["work"]);
    assert_eq!(served(&mut house, YOURS).await.1, ["mine"], "nothing is known against this one");
    assert_eq!(served(&mut house, MINE).await.1, ["work"], "and the other one is spent as before");
    let pause = Some(Duration::from_secs(50));
    script(&house, YOURS, [Behaviour::RateLimited { retry_after: pause, unified: false }]);
    served(&mut house, YOURS).await;
    assert_eq!(served(&mut house, YOURS).await.1, ["work"], "this one rests now");
    house.clock.advance(Duration::from_mins(2));
    assert_eq!(served(&mut house, YOURS).await.1, ["mine"]);
    assert_eq!(served(&mut house, MINE).await.1, ["work"]);
}

#[tokio::test]
async fn a_refused_sign_in_is_told_to_the_client_alone_and_the_next_one_works() {
    let mut house = house(&["work"]).await;
    allow(&house, json!("all")).await;
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        let message = format!("OAuth token {MINE} has been revoked");
        script(&house, MINE, [Behaviour::Error { status, message, body: None }]);
        let reply = ask_as(&house, MINE).await;
        assert_eq!(reply.status, status, "so that Claude Code renews it");
        assert_eq!(reply.json().await["error"]["message"], format!("OAuth token {MINE} has been revoked"));
        let exchange = house.ended().await;
        assert_eq!(house.tried(&exchange), ["mine"], "it is no reason to pay");
        assert_eq!(account(&house, "mine").await["standing"]["state"], "ready");
    }
    let kept = serde_json::to_string(&house.written().await).unwrap();
    assert!(kept.contains("has been revoked") && !kept.contains("canary"), "an upstream repeats it: {kept}");
    assert_eq!(served(&mut house, "sk-ant-oat01-unknown").await.0, 401);
    assert_eq!(served(&mut house, YOURS).await.1, ["mine"]);
    assert_eq!(served(&mut house, MINE).await.1, ["mine"]);
}

#[tokio::test]
async fn a_request_without_a_sign_in_passes_the_account_over_and_says_why() {
    let mut house = house(&[]).await;
    for bearer in [None, Some("headgate")] {
        let reply = match bearer {
            None => house.ask().await,
            Some(bearer) => ask_as(&house, bearer).await,
        };
        assert_eq!(reply.status, StatusCode::PAYMENT_REQUIRED);
        let message = reply.json().await["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("mine") && message.contains("without a sign-in"), "{message}");
        let exchange = house.ended().await;
        assert_eq!((exchange.ending, exchange.attempts.len()), (Some(Ending::Refused), 0));
    }
    assert_eq!(house.sandbox.counts().arrived, 0);
}

#[tokio::test]
async fn a_key_of_ours_and_a_sign_in_travel_together_and_neither_goes_to_the_wrong_side() {
    let mut house = furnished(&["work"], true).await;
    assert_eq!(ask_as(&house, MINE).await.status, StatusCode::UNAUTHORIZED, "a sign-in is no key of ours");
    let minted = call(&house, Method::POST, "/api/v1/keys", json!({ "name": "Laptop" })).await.json().await;
    let secret = minted["secret"].as_str().unwrap().to_owned();
    let request = || {
        let request = Request::post("/v1/messages")
            .header("x-api-key", &secret)
            .header("authorization", format!("Bearer {MINE}"));
        request.body(Bytes::from(ask(MODEL, false))).unwrap()
    };
    assert_eq!(house.client.send(request()).await.status, StatusCode::OK);
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["mine"]);
    assert!(exchange.start.key.is_some());
    let seen = format!("{:?}", house.sandbox.seen(MINE)[0].headers);
    assert!(seen.contains(MINE) && !seen.contains("hg_"), "{seen}");

    let id = minted["key"]["id"].as_i64().unwrap();
    let work = account(&house, "work").await["id"].clone();
    call(&house, Method::PATCH, &format!("/api/v1/keys/{id}"), json!({ "accounts": [work] })).await;
    assert_eq!(house.client.send(request()).await.status, StatusCode::OK);
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work"], "somebody chose this account for this key");
    let seen = format!("{:?}", house.sandbox.seen("key-work")[0].headers);
    assert!(!seen.contains("canary") && !seen.contains("hg_"), "{seen}");
}

#[tokio::test]
async fn without_such_an_account_a_sign_in_is_dropped_as_before() {
    let mut house = House::with(&["work"]).await;
    assert!(!house.app.api().gateway.roster.has_ignored_a_login());
    let (status, tried, _) = served(&mut house, MINE).await;
    assert_eq!((status, tried), (200, vec!["work".to_owned()]));
    assert!(!format!("{:?}", house.sandbox.seen("key-work")[0].headers).contains("canary"));
    assert!(house.app.api().gateway.roster.has_ignored_a_login(), "and the page can say so");
}

#[tokio::test]
async fn a_count_goes_under_the_sign_in_and_the_list_of_models_is_for_whoever_has_one() {
    let mut house = house(&[]).await;
    let count = house.client.call(MINE, Method::POST, "/v1/messages/count_tokens", &ask(MODEL, false)).await;
    assert_eq!((count.status, count.header("x-headgate-estimated")), (StatusCode::OK, ""));
    house.ended().await;
    let count = house.client.post("/v1/messages/count_tokens", ask(MODEL, false)).await;
    assert!(!count.header("x-headgate-estimated").is_empty(), "without one it is estimated");
    house.ended().await;
    assert_eq!(house.sandbox.seen(MINE).len(), 1);
    let list = async |bearer: &str| {
        let reply = house.client.call(bearer, Method::GET, "/v1/models", "").await;
        reply.json().await["data"].as_array().unwrap().len()
    };
    assert!(list(MINE).await > 0);
    assert_eq!(list("headgate").await, 0);
}

#[tokio::test]
async fn no_question_of_our_own_uses_anybodys_sign_in() {
    let house = House::asking(Limits::default(), Scenario::of([ScriptedAccount::new("mine", MINE)])).await;
    let roster = &house.app.api().gateway.roster;
    let id = roster.snapshot().contenders[0].account.id;
    roster.remove(id).unwrap();
    roster.add(passing(&house, 0)).unwrap();
    assert_eq!(roster.unasked_for(Duration::ZERO).len(), 0);
    assert_eq!(ask_as(&house, MINE).await.status, StatusCode::OK);
    assert_eq!(roster.unasked_for(Duration::ZERO).len(), 0, "not after one came by either");
}

#[tokio::test]
async fn an_account_with_a_key_or_a_foreign_address_is_refused_with_a_sentence() {
    let house = house(&["work"]).await;
    let add = async |fields: Value| {
        let mut body = json!({ "name": "other", "provider": "claude-login" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = call(&house, Method::POST, "/api/v1/accounts", body).await;
        (reply.status.as_u16(), reply.json().await["message"].as_str().unwrap_or_default().to_owned())
    };
    let (status, why) = add(json!({ "key": "sk-1" })).await;
    assert!(status == 422 && why.contains("no key of its own"), "{why}");
    for foreign in [
        "https://gateway.example.com",
        "https://api.anthropic.com.evil.example",
        "https://api.anthropic.com:444",
    ] {
        let (status, why) = add(json!({ "base_url": foreign })).await;
        assert!(
            status == 422 && why.contains("https://api.anthropic.com and nowhere else"),
            "{foreign}: {why}"
        );
    }
    assert_eq!(add(json!({ "base_url": "https://api.anthropic.com" })).await.0, 201);
    let (status, why) = add(json!({ "name": "bare", "provider": "anthropic" })).await;
    assert!(status == 422 && why.contains("needs a key"), "{why}");

    let path = |id: &Value| format!("/api/v1/accounts/{id}");
    let mine = account(&house, "mine").await["id"].clone();
    let work = account(&house, "work").await["id"].clone();
    for (id, change) in [
        (&mine, json!({ "key": "sk-1" })),
        (&mine, json!({ "base_url": "https://gateway.example.com" })),
        (&mine, json!({ "spill_to": [mine] })),
        (&mine, json!({ "spill_to": [999] })),
        (&mine, json!({ "spill_to": "everybody" })),
        (&work, json!({ "paid": "use", "spill_to": "all" })),
    ] {
        let reply = call(&house, Method::PATCH, &path(id), change.clone()).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{change}");
    }
    let mine = account(&house, "mine").await;
    assert_eq!((&mine["spill"], &mine["standing"]["state"]), (&json!(null), &json!("ready")));
}

#[tokio::test]
async fn a_path_that_was_allowed_keeps_its_date_until_it_is_another_one() {
    let house = house(&["work", "spare"]).await;
    let [work, spare] =
        [account(&house, "work").await["id"].clone(), account(&house, "spare").await["id"].clone()];
    let first = allow(&house, json!([work])).await["spill"]["accounts"][0]["allowed_at"].clone();
    house.clock.advance(Duration::from_hours(1));
    let both = allow(&house, json!([spare, work])).await["spill"]["accounts"].clone();
    assert_eq!(
        (&both[1]["id"], &both[1]["allowed_at"]),
        (&work, &first),
        "one was added, and had dated the other anew"
    );
    assert_ne!(both[0]["allowed_at"], first);
    let all = allow(&house, json!("all")).await["spill"]["all"].clone();
    house.clock.advance(Duration::from_hours(1));
    assert_eq!(allow(&house, json!("all")).await["spill"]["all"], all);
    let one = allow(&house, json!([spare])).await["spill"].clone();
    assert_eq!((&one["accounts"][0]["allowed_at"], &one["all"]), (&all, &json!(null)), "it was among all");
    assert_eq!(allow(&house, json!("none")).await["spill"], json!(null));
}

#[tokio::test]
async fn a_restart_keeps_the_account_and_its_paths_and_nothing_of_a_sign_in() {
    let tasks = headgate::tasks::Tasks::default();
    let mut scripted = ScriptedAccount::new("mine", MINE);
    scripted.script = vec![headgate::sandbox::Step { times: 1, behaviour: spent(30) }];
    let scenario = Scenario::of([scripted, ScriptedAccount::new("work", "key-work")]);
    let sandbox = headgate::sandbox::Sandbox::start(&scenario, &headgate::clock::Clock::system(), &tasks)
        .await
        .unwrap();
    let program = Program::new();
    let url = sandbox.base_url();
    let added = program.run(&["accounts", "add", "mine", "--provider", "claude-login", "--base-url", url]);
    assert!(added.status.success(), "no key is asked for: {}", String::from_utf8_lossy(&added.stderr));
    assert!(program.add("work", url, "key-work", &["--priority", "1"]).status.success());
    assert!(program.run(&["accounts", "set", "mine", "--spill-to", "work"]).status.success());
    let list = String::from_utf8(program.run(&["accounts"]).stdout).unwrap();
    assert!(list.contains("may spill over to work, allowed"), "{list}");

    let served = program.serve();
    let ask_it = async |url: &str| {
        let client = crate::harness::Client::to(url, &tasks);
        let reply = client.call(MINE, Method::POST, "/v1/messages", &ask(MODEL, false)).await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.bytes().await;
    };
    ask_it(&served.url).await;
    ask_it(&served.url).await;
    let windows = || program.json(&["accounts"])[0]["windows"].as_array().unwrap().len();
    assert!(windows() > 0, "the windows of the sign-in that was used last");
    assert_eq!(sandbox.seen(MINE).len(), 1, "known to be spent");
    assert!(served.stop().success());

    let served = program.serve();
    assert_eq!(windows(), 0, "nothing of it outlives the process");
    ask_it(&served.url).await;
    assert_eq!(sandbox.seen(MINE).len(), 2, "it is asked again, and learned from the first answer");
    assert!(!holds(program.folder.path(), "canary") && !program.log().contains("canary"));
    assert!(program.run(&["accounts", "set", "mine", "--spill-to", "none"]).status.success());
    assert_eq!(program.json(&["accounts"])[0]["spill"], json!(null));
    tasks.stop();
}

#[tokio::test]
async fn what_was_kept_from_costing_money_is_counted_by_path() {
    let mut house = house(&["work"]).await;
    script(&house, MINE, [spent(30), spent(30)]);
    for _ in 0..2 {
        let (_, tried, _) = served(&mut house, MINE).await;
        assert_eq!(tried, ["mine"]);
    }
    house.written().await;
    let told = call(&house, Method::GET, "/api/v1/prevented", Value::Null).await.json().await;
    let [row] = &told.as_array().unwrap()[..] else { panic!("{told}") };
    assert_eq!((&row["from"], &row["to"], &row["requests"]), (&json!("mine"), &json!("work"), &json!(2)));
    assert!(
        call(&house, Method::PATCH, &path_of(&house, "mine").await, json!({"spill_to": "all"}))
            .await
            .status
            .is_success()
    );
    let (_, tried, _) = served(&mut house, MINE).await;
    assert_eq!(tried, ["work"], "the path is allowed now");
    house.written().await;
    let told = call(&house, Method::GET, "/api/v1/prevented", Value::Null).await.json().await;
    assert_eq!(told[0]["requests"], 2, "nothing more was prevented");
}

async fn path_of(house: &House, name: &str) -> String {
    format!("/api/v1/accounts/{}", account(house, name).await["id"])
}

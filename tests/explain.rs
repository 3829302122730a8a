//! Why a request went where it went is written down and told, and so is where one would go.

use std::time::Duration;

use bytes::Bytes;
use headgate::{
    domain::{DecisionRecord, Need, Outcome, Verdict, WindowName},
    routing::Lesson,
    sandbox::{Answer, Behaviour},
    settings::Limits,
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, Program, ask, soon};

const MODEL: &str = "claude-opus-5-5";

/// Serves one request and tells why it went where it went.
async fn why(house: &mut House, request: Request<Bytes>) -> Value {
    house.client.send(request).await.bytes().await;
    let id = house.ended().await.start.id;
    house.written().await;
    get(house, &format!("/api/v1/requests/{id}")).await["decision"].take()
}

fn request(headers: &[(&str, &str)]) -> Request<Bytes> {
    let request = Request::post("/v1/messages");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(ask(MODEL, false).into()).unwrap()
}

async fn get(house: &House, path: &str) -> Value {
    let reply = house.client.call(house.token(), Method::GET, path, "").await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.json().await
}

async fn dry(house: &House, token: &str, order: Value) -> (StatusCode, Value) {
    let reply = house.client.call(token, Method::POST, "/api/v1/explain", &order.to_string()).await;
    (reply.status, reply.json().await)
}

fn account(house: &House, name: &str) -> headgate::domain::AccountId {
    let snapshot = house.app.api().gateway.roster.snapshot();
    snapshot.contenders.iter().find(|one| one.account.name.as_str() == name).unwrap().account.id
}

#[tokio::test]
async fn a_burst_of_equal_requests_writes_one_decision() {
    let mut house = House::with(&["work", "spare"]).await;
    let burst = futures_util::future::join_all((0..40).map(|_| async { house.ask().await.bytes().await }));
    burst.await;
    for _ in 0..40 {
        house.ended().await;
    }
    assert_eq!(house.written().await.len(), 40);
    let conn = rusqlite::Connection::open(house.app.api().store.path()).unwrap();
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM decisions"), 1);
    assert_eq!(count("SELECT count(decision_id) FROM exchanges"), 40);
}

#[tokio::test]
async fn a_failover_says_who_was_passed_over_and_until_when() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script(
        "work",
        [Behaviour::RateLimited { retry_after: Some(Duration::from_secs(90)), unified: false }],
    );
    let told = why(&mut house, request(&[])).await;
    let record: DecisionRecord = serde_json::from_value(told).unwrap();
    assert_eq!(record.account, Some(account(&house, "spare")));
    let [first, second] = &record.candidates[..] else { panic!("{record:?}") };
    assert_eq!((&*first.name, first.outcome), ("spare", Outcome::Chosen));
    assert_eq!((&*second.name, second.outcome), ("work", Outcome::PassedOver));
    let rest = second.until.unwrap().duration_since(record.at).as_secs_f64();
    assert!((80.0..=91.0).contains(&rest), "it comes back {rest} s after the decision");
}

#[tokio::test]
async fn a_refusal_says_why_nobody_took_it() {
    let mut house = House::with(&["work"]).await;
    house.app.api().gateway.roster.pause(account(&house, "work"), "for lunch").unwrap();
    let told = why(&mut house, request(&[])).await;
    assert_eq!((&told["account"], &told["choice"]), (&Value::Null, &Value::Null));
    assert_eq!(told["candidates"][0]["outcome"], "passed_over");
    let reason = told["candidates"][0]["why"].as_str().unwrap();
    assert!(reason.contains("for lunch"), "{reason}");
}

#[tokio::test]
async fn a_conversation_that_stays_says_what_a_move_would_have_cost() {
    let mut house = House::with(&["work", "spare"]).await;
    let long = Answer { cache_write: 150_000, ..Answer::default() };
    house.script("spare", [Behaviour::Answer(long)]);
    let roster = house.app.api().gateway.roster.clone();
    let (work, spare) = (account(&house, "work"), account(&house, "spare"));
    roster.pause(work, "").unwrap();
    let headers = [("x-claude-code-session-id", "a")];
    assert_eq!(why(&mut house, request(&headers)).await["choice"], "sole");
    roster.resume(work).unwrap();
    let told = why(&mut house, request(&headers)).await;
    assert_eq!((&told["choice"], &told["account"]), (&json!("kept"), &json!(spare)));
    assert_eq!(told["bound_to"], json!(spare));
    assert_eq!(told["weighed"]["cold_tokens"], 150_000);
    assert_eq!(told["weighed"]["gain"], "order");
    let order = json!({"model": MODEL, "session": "a"});
    let (_, dry) = dry(&house, house.token(), order).await;
    assert_eq!(dry["bound_to"], json!(spare), "the dry run knows where it is bound");
}

#[tokio::test]
async fn a_dry_run_says_what_the_next_request_does_and_spends_nothing() {
    let mut house = House::with(&["work", "spare"]).await;
    let rests = Verdict::Throttled { retry_after: Some(Duration::from_secs(90)) };
    let lesson = Lesson { verdict: Some(&rests), windows: &[], need: Need::default() };
    house.app.api().gateway.roster.learn(account(&house, "work"), &lesson);
    let (status, dry) = dry(&house, house.token(), json!({"model": MODEL, "session": "a"})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(house.sandbox.counts().arrived, 0, "nobody was asked");
    assert!(house.written().await.is_empty());
    let snapshot = house.app.api().gateway.roster.snapshot();
    assert!(snapshot.contenders.iter().all(|one| one.load.bound() == 0), "nothing is bound");
    let told = why(&mut house, request(&[("x-claude-code-session-id", "a")])).await;
    for part in ["account", "choice", "policy", "pool", "candidates", "notes"] {
        assert_eq!(dry[part], told[part], "{part}");
    }
}

#[tokio::test]
async fn a_dry_run_of_a_count_goes_by_the_limits_of_counts() {
    let house = House::with(&["work"]).await;
    let token = house.token();
    let work = account(&house, "work");
    let spent = Verdict::QuotaSpent {
        window: WindowName("5h".into()),
        until: Some(house.clock.now() + jiff::SignedDuration::from_mins(60)),
        again: Duration::from_mins(5),
    };
    let lesson = Lesson { verdict: Some(&spent), windows: &[], need: Need::default() };
    house.app.api().gateway.roster.learn(work, &lesson);
    let (_, message) = dry(&house, token, json!({ "model": "opus" })).await;
    assert_eq!(message["account"], Value::Null, "its messages are spent");
    let (_, count) = dry(&house, token, json!({ "model": "opus", "endpoint": "counts" })).await;
    assert_eq!(count["account"], json!(work), "{count}");
    house.app.api().gateway.roster.pause(work, "").unwrap();
    let (_, nobody) = dry(&house, token, json!({ "model": "opus", "endpoint": "counts" })).await;
    assert!(nobody["notes"].to_string().contains("an estimate of Headgate's own"), "{nobody}");
}

#[tokio::test]
async fn a_dry_run_says_that_it_is_taken_to_come_with_a_sign_in() {
    let house = House::with(&["work"]).await;
    let says = async |order: Value| {
        let (_, record) = dry(&house, house.token(), order).await;
        record["notes"].to_string().contains("login")
    };
    assert!(!says(json!({ "model": MODEL })).await, "nobody passes one on");
    let passing = json!({ "name": "own", "provider": "claude-login" });
    house.done(Method::POST, "/api/v1/accounts", passing).await;
    assert!(says(json!({ "model": MODEL })).await);
    for said in [true, false] {
        assert!(!says(json!({ "model": MODEL, "login": said })).await, "nothing is assumed where it is said");
    }
}

#[tokio::test]
async fn a_dry_run_needs_the_scope_for_looking_and_good_input() {
    let house = House::with(&["work"]).await;
    let mint = async |name: &str, more: Value| {
        let mut new = json!({"name": name});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = house.client.call(house.token(), Method::POST, "/api/v1/keys", &new.to_string()).await;
        assert_eq!(reply.status, StatusCode::CREATED);
        reply.json().await["secret"].as_str().unwrap().to_owned()
    };
    let looks = mint("looks", json!({"scopes": ["read"]})).await;
    let asks = mint("asks", json!({"models": ["claude-haiku-*"]})).await;
    assert_eq!(dry(&house, &looks, json!({})).await.0, StatusCode::OK);
    assert_eq!(dry(&house, &asks, json!({})).await.0, StatusCode::FORBIDDEN);
    for (order, status, says) in [
        (json!({"project": "../etc"}), StatusCode::UNPROCESSABLE_ENTITY, "would be ignored"),
        (json!({"directory": "work"}), StatusCode::UNPROCESSABLE_ENTITY, "whole path"),
        (json!({"betas": ["a\nb"]}), StatusCode::UNPROCESSABLE_ENTITY, "header"),
        (json!({"modell": MODEL}), StatusCode::UNPROCESSABLE_ENTITY, "modell"),
        (json!({"key": "nobody"}), StatusCode::NOT_FOUND, "no such key"),
    ] {
        let (got, problem) = dry(&house, &looks, order.clone()).await;
        assert_eq!(got, status, "{order}");
        assert!(problem["message"].as_str().unwrap().contains(says), "{problem}");
    }
    let (_, denied) = dry(&house, &looks, json!({"key": "Asks", "model": MODEL})).await;
    assert_eq!((&denied["account"], &denied["candidates"]), (&Value::Null, &json!([])));
    assert!(denied["notes"][0].as_str().unwrap().contains("not among those"), "{denied}");
}

#[tokio::test]
async fn what_a_client_says_of_its_request_is_kept_and_never_leaves() {
    let mut house = House::within(Limits::default(), &["work"]).await;
    let said = [
        ("x-claude-code-request-class", "subagent"),
        ("x-claude-code-agent-type", "reviewer"),
        ("x-headgate-project", "shop"),
        ("x-headgate-directory", "/work/shop"),
    ];
    why(&mut house, request(&said)).await;
    let row = &house.written().await[0];
    assert_eq!(row.role.map(headgate::domain::Role::word), Some("subagent"));
    assert_eq!((row.agent_type.as_deref(), row.project.as_deref()), (Some("reviewer"), Some("shop")));
    let arrivals = house.sandbox.seen("key-work");
    for (name, _) in said {
        assert!(!arrivals[0].headers.contains_key(name), "{name} is for us alone");
    }
}

#[tokio::test]
async fn the_command_line_explains_a_request_and_a_dry_run() {
    let house = House::with(&["upstream"]).await;
    let program = Program::new();
    let url = house.sandbox.base_url();
    assert!(program.add("work", url, "key-upstream", &[]).status.success());
    assert!(program.add("spare", url, "key-upstream", &["--priority", "7"]).status.success());
    let text = |arguments: &[&str]| {
        let output = program.run(arguments);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let dry = text(&["explain", "--model", "opus", "--project", "shop"]);
    assert!(dry.starts_with("Would go to work: it has the lowest priority number"), "{dry}");
    assert!(dry.contains("priority 7 comes after 0"), "{dry}");
    assert_eq!(program.json(&["explain", "--model", "opus"])["candidates"][1]["name"], "spare");
    assert!(text(&["explain", "--prevented"]).contains("No request was kept"));
    assert!(text(&["explain", "--model", "opus", "--count"]).starts_with("Would go to work"));
    let set = program.json(&["accounts", "set", "work", "--lacks", "Images,context-1m-"]);
    assert_eq!(set["lacks"], json!({ "images": true, "tools": false, "betas": ["context-1m-"] }));
    assert!(text(&["accounts"]).contains("takes no images, no beta context-1m-…"));
    let image = text(&["explain", "--model", "opus", "--images"]);
    assert!(image.starts_with("Would go to spare") && image.contains("takes no images"), "{image}");
    assert_eq!(program.json(&["accounts", "set", "work", "--lacks", "None"])["lacks"]["images"], false);
    assert!(text(&["explain", "req_0000000000001"]).contains("no such request"));

    let served = program.serve();
    let tasks = headgate::tasks::Tasks::default();
    let client = crate::harness::Client::to(&served.url, &tasks);
    client.post("/v1/messages", ask(MODEL, false)).await.bytes().await;
    let written = async {
        while program.json(&["requests"])[0]["ending"] != "complete" {
            tokio::task::yield_now().await;
        }
    };
    soon("the request to be on disk", written).await;
    let id = program.json(&["requests"])[0]["id"].as_str().unwrap().to_owned();
    assert!(text(&["requests", &id]).contains(&format!("headgate explain {id}")));
    let told = text(&["explain", &id]);
    assert!(told.starts_with("Went to work: it has the lowest priority number"), "{told}");
    tasks.stop();
}

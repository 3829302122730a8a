//! Usage endpoints: asked at their time under the account's key, read by the catalog, and of no consequence for how an
//! account stands, whatever they say and whenever.

use std::time::Duration;

use headgate::{
    accounts::{Change, NewAccount},
    domain::AccountId,
    events::Event,
    sandbox::{Behaviour, Scenario, ScriptedAccount, UsageReply},
    secrets::Sensitive,
    settings::Limits,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, soon};

const HALF: &str =
    r#"{"data":{"label":"sk-or","limit":100,"limit_remaining":50,"limit_reset":"monthly","usage":900}}"#;
const LESS: &str = r#"{"data":{"limit":100,"limit_remaining":25,"limit_reset":"monthly"}}"#;
const NO_LIMIT: &str = r#"{"data":{"limit":null,"limit_remaining":null,"limit_reset":null,"usage":3}}"#;

/// One account at OpenRouter, which the sandbox plays; its endpoint says this.
async fn house(says: &str) -> House {
    let scripted = ScriptedAccount::new("router", "key-router").with_usage(says);
    let house = House::of(Limits::default(), Scenario::of([scripted])).await;
    // The house's own account is at Anthropic, which has no such endpoint.
    let roster = &house.app.api().gateway.roster;
    roster.remove(AccountId(house.id("router"))).unwrap();
    let new = NewAccount {
        name: "router".into(),
        provider: "openrouter".into(),
        base_url: Some(house.sandbox.base_url().into()),
        plain_http: headgate::accounts::PlainHttp::default(),
        priority: 0,
        key: Some(Sensitive::new("key-router".into())),
    };
    roster.add(new).unwrap();
    house
}

fn asked(house: &House) -> usize {
    house.sandbox.arrivals().iter().filter(|arrival| arrival.path == "/v1/key").count()
}

async fn job(house: &House) -> Value {
    house.done(Method::GET, "/api/v1/jobs/windows?settled=true", json!({})).await
}

/// Waits until so many questions were asked, and the run that asked them is over.
async fn until_asked(house: &House, count: usize) -> Value {
    let mut events = house.app.api().events.subscribe();
    soon("the endpoint to be asked", async {
        loop {
            let job = job(house).await;
            if asked(house) >= count && job["last"].is_object() && job["running_since"].is_null() {
                assert_eq!(asked(house), count);
                return job;
            }
            events.recv().await.unwrap();
        }
    })
    .await
}

async fn account(house: &House) -> Value {
    house.done(Method::GET, &format!("/api/v1/accounts/{}", house.id("router")), json!({})).await
}

#[tokio::test]
async fn what_an_account_has_used_is_asked_for_under_its_key_and_our_name_and_shown() {
    let house = house(HALF).await;
    let job = until_asked(&house, 1).await;
    assert_eq!(job["last"]["says"], "Asked about 1 account, and all was told.");
    let question = house.sandbox.arrivals().remove(0);
    assert_eq!((&question.method, question.body.len()), (&Method::GET, 0));
    assert_eq!(question.headers["authorization"], "Bearer key-router");
    assert!(question.headers["user-agent"].to_str().unwrap().starts_with("headgate/"));
    let account = account(&house).await;
    let window = &account["windows"][0];
    assert_eq!((&window["name"], &window["utilization"]), (&json!("credits"), &json!(0.5)));
    assert_eq!((&window["source"], &window["spent"]), (&json!("usage_endpoint"), &json!(false)));
    assert!(window["resets_at"].as_str().unwrap().ends_with("-01T00:00:00Z"), "{window}");
    assert_eq!(account["usage"]["failure"], Value::Null);
    assert!(house.written().await.is_empty(), "it is no request of a client");
}

#[tokio::test]
async fn it_is_asked_again_after_a_quarter_of_an_hour_and_rings_only_where_something_changed() {
    let house = house(HALF).await;
    until_asked(&house, 1).await;
    house.clock.advance(Duration::from_mins(14));
    let next = job(&house).await["next_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let left = next.duration_since(house.clock.now());
    assert!((1..=120).contains(&left.as_secs()), "it is not due before a quarter of an hour: {left}");
    let mut events = house.app.api().events.subscribe();
    house.clock.advance(Duration::from_mins(2));
    until_asked(&house, 2).await;
    let rung = |events: &mut tokio::sync::broadcast::Receiver<Event>| {
        std::iter::from_fn(|| events.try_recv().ok()).filter(|event| matches!(event, Event::Accounts)).count()
    };
    assert_eq!(rung(&mut events), 0, "it said the same");
    house.sandbox.tell_usage("key-router", UsageReply::well(LESS)).unwrap();
    house.clock.advance(Duration::from_mins(16));
    until_asked(&house, 3).await;
    assert_eq!(rung(&mut events), 1);
    assert_eq!(account(&house).await["windows"][0]["utilization"], 0.75);
}

#[tokio::test]
async fn a_pause_that_came_while_the_endpoint_was_asked_keeps_its_reason_and_the_account_out() {
    let house = house(NO_LIMIT).await;
    until_asked(&house, 1).await;
    let held = UsageReply { gate: Some("door".into()), ..UsageReply::well(HALF) };
    house.sandbox.tell_usage("key-router", held).unwrap();
    house.clock.advance(Duration::from_mins(16));
    house.sandbox.await_held("door").await.unwrap();
    let roster = &house.app.api().gateway.roster;
    roster.pause(AccountId(house.id("router")), "on holiday").unwrap();

    house.sandbox.release("door");
    until_asked(&house, 2).await;

    let told = account(&house).await;
    assert_eq!(told["windows"][0]["utilization"], 0.5, "what was said is known");
    let standing = &told["standing"];
    assert_eq!((&standing["state"], &standing["reason"]), (&json!("paused"), &json!("on holiday")));
    assert_eq!(standing["paused_by"], "user");
    assert_ne!(house.ask().await.status, StatusCode::OK, "there was no moment in which it served");
    assert_eq!(job(&house).await["off"], "no account in service is at a provider that tells what was used");
    house.clock.advance(Duration::from_hours(5));
    let refused = house.api(Method::POST, "/api/v1/jobs/windows/run", json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "who is paused is not asked about, whoever wants it");
    assert_eq!(job(&house).await["next_at"], Value::Null);
    roster.resume(AccountId(house.id("router"))).unwrap();
    until_asked(&house, 3).await;
}

#[tokio::test]
async fn a_rest_is_not_ended_by_what_an_endpoint_says() {
    let mut house = house(NO_LIMIT).await;
    until_asked(&house, 1).await;
    house.script(
        "router",
        [Behaviour::QuotaSpent { window: "5h".into(), resets_in: Duration::from_hours(2) }],
    );
    house.ask().await.bytes().await;
    house.ended().await;
    let rest = house.standing("router").await;
    assert_eq!(rest["state"], "cooling", "{rest}");
    house.sandbox.tell_usage("key-router", UsageReply::well(HALF)).unwrap();
    house.clock.advance(Duration::from_mins(16));
    soon("it to be asked about", async {
        while asked(&house) < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let job = job(&house).await;
    assert_eq!(job["last"]["outcome"], "fine");
    let after = house.standing("router").await;
    assert_eq!((&after["state"], &after["until"]), (&rest["state"], &rest["until"]));
}

#[tokio::test]
async fn an_endpoint_that_fails_takes_nobody_out_of_service_and_is_told() {
    let mut house = house(NO_LIMIT).await;
    until_asked(&house, 1).await;
    let mut count = 1;
    for (status, body, why) in [
        (500, "{}", "it answered 500"),
        (429, "{}", "it answered 429"),
        (401, "{}", "it answered 401"),
        (200, "<html>", "it answered with something that is no JSON"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = UsageReply { status, ..UsageReply::well(body) };
        house.sandbox.tell_usage("key-router", reply).unwrap();
        house.clock.advance(Duration::from_hours(5));
        count += 1;
        // What clients ask for stands between the questions.
        let mut events = house.app.api().events.subscribe();
        let job = soon("it to be asked about", async {
            loop {
                let job = job(&house).await;
                if asked(&house) == count
                    && job["running_since"].is_null()
                    && job["last"]["says"].as_str().unwrap().contains(why)
                {
                    return job;
                }
                events.recv().await.unwrap();
            }
        })
        .await;
        assert_eq!(job["last"]["outcome"], "trouble");
        let told = account(&house).await;
        assert_eq!(told["usage"]["failure"], why);
        assert_eq!(told["standing"]["state"], "ready", "{why}");
        let reply = house.ask().await;
        assert_eq!(house.answered_by(reply).await, "router");
    }
    house.sandbox.tell_usage("key-router", UsageReply::well(HALF)).unwrap();
    house.clock.advance(Duration::from_hours(5));
    until_asked(&house, count + 1).await;
    assert_eq!(account(&house).await["usage"]["failure"], Value::Null);
}

#[tokio::test]
async fn where_no_provider_tells_the_job_is_off_and_nobody_is_asked() {
    let house = House::with(&["work"]).await;
    let job = job(&house).await;
    assert_eq!(job["off"], "no account in service is at a provider that tells what was used");
    assert_eq!(job["next_at"], Value::Null);
    house.clock.advance(Duration::from_hours(24));
    let refused = house.api(Method::POST, "/api/v1/jobs/windows/run", json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let job = self::job(&house).await;
    assert_eq!((&job["next_at"], &job["last"]), (&Value::Null, &Value::Null), "nor did a day bring it about");
}

#[tokio::test]
async fn another_key_is_asked_with_at_once_and_what_the_old_one_heard_is_dropped() {
    let house = house(HALF).await;
    until_asked(&house, 1).await;
    let change = Change { key: Some(Sensitive::new("key-other".into())), ..Change::default() };
    house.app.api().gateway.roster.change(AccountId(house.id("router")), change).unwrap();
    let mut events = house.app.api().events.subscribe();
    soon("the new key to be asked with", async {
        while account(&house).await["usage"]["failure"].is_null() {
            events.recv().await.unwrap();
        }
    })
    .await;
    assert_eq!(house.sandbox.seen("key-other").len(), 1);
}

#[tokio::test]
async fn a_new_key_was_shown_to_the_address_that_its_account_had_before() {
    let scripted = |name: &str| ScriptedAccount::new(name, &format!("key-{name}")).with_usage(HALF);
    let house = House::of(Limits::default(), Scenario::of([scripted("first"), scripted("second")])).await;
    let roster = &house.app.api().gateway.roster;
    for name in ["first", "second"] {
        roster.remove(AccountId(house.id(name))).unwrap();
        let new = NewAccount {
            name: name.into(),
            provider: "openrouter".into(),
            base_url: Some(house.sandbox.base_url().into()),
            plain_http: headgate::accounts::PlainHttp::default(),
            priority: 0,
            key: Some(Sensitive::new(format!("key-{name}"))),
        };
        roster.add(new).unwrap();
    }
    soon("both to be asked about", async {
        let mut events = house.app.api().events.subscribe();
        while asked(&house) < 2 || !job(&house).await["running_since"].is_null() {
            events.recv().await.unwrap();
        }
    })
    .await;
    let tasks = headgate::tasks::Tasks::default();
    let elsewhere = Scenario::of([ScriptedAccount::new("moved", "key-moved").with_usage(LESS)]);
    let elsewhere = headgate::sandbox::Sandbox::start(&elsewhere, &house.clock, &tasks).await.unwrap();

    // While the first one's endpoint takes its time, the second moves to another provider's address with another key.
    let held = UsageReply { gate: Some("door".into()), ..UsageReply::well(HALF) };
    house.sandbox.tell_usage("key-first", held).unwrap();
    house.clock.advance(Duration::from_mins(16));
    house.sandbox.await_held("door").await.unwrap();
    let change = Change {
        base_url: Some(elsewhere.base_url().into()),
        key: Some(Sensitive::new("key-moved".into())),
        ..Change::default()
    };
    roster.change(AccountId(house.id("second")), change).unwrap();
    house.sandbox.release("door");
    elsewhere.await_requests(1).await.unwrap();
    let shown = |key: &str| {
        let key = format!("Bearer {key}");
        house.sandbox.arrivals().iter().filter(|one| one.headers["authorization"] == key.as_str()).count()
    };
    assert_eq!(shown("key-moved"), 0, "nobody at the old address has seen the new key");
    tasks.stop();
}

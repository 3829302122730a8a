//! Guards: reserves, caps and peak hours, through the real proxy and with a clock that is moved.

use std::time::Duration;

use headgate::{
    sandbox::{Answer, Behaviour, Scenario, ScriptedAccount, ScriptedWindow},
    settings::Limits,
};
use http::{Method, StatusCode};
use jiff::{SignedDuration, tz::TimeZone};
use serde_json::{Value, json};

use crate::harness::{House, ask};

async fn guard(house: &House, name: &str, guards: Value) -> Value {
    let path = format!("/api/v1/accounts/{}", house.id(name));
    house.done(Method::PATCH, &path, json!({ "guards": guards })).await["guards"].take()
}

/// An answer of exactly a hundred tokens.
fn hundred() -> Behaviour {
    Behaviour::Answer(Answer { input: Some(60), tokens: 40, ..Answer::default() })
}

#[tokio::test]
async fn an_account_stops_at_its_reserve_and_another_takes_over() {
    let hour = Duration::from_hours(1);
    let work = ScriptedAccount::new("work", "key-work").with_window("5h", 0.795, hour);
    let accounts = [work, ScriptedAccount::new("spare", "key-spare")];
    let mut house = House::of(Limits::default(), Scenario::of(accounts)).await;
    let reserves = json!([{ "window": "5h", "stop_at": 80 }, { "window": null, "stop_at": 99 }]);
    let guards = guard(&house, "work", json!({ "reserves": reserves })).await;
    assert_eq!(guards["reserves"], reserves);
    for (turn, by) in ["work", "spare", "spare"].into_iter().enumerate() {
        let reply = house.ask().await;
        assert_eq!(house.answered_by(reply).await, by, "turn {turn}");
    }
    house.clock.advance(hour);
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work", "its window has begun anew");
}

async fn paid(house: &House, path: &str) -> Value {
    house.api(Method::GET, path, json!({})).await.json().await["paid"].take()
}

#[tokio::test]
async fn a_plan_that_was_spent_went_on_to_a_key_that_costs_although_nobody_had_allowed_that() {
    let mut work = ScriptedAccount::new("work", "key-work");
    let (name, resets_in) = ("5h".into(), Duration::from_hours(1));
    work.windows.push(ScriptedWindow { name, used: 0.9, per_request: 0.2, resets_in, every: None });
    let accounts = [work, ScriptedAccount::new("pay", "key-pay")];
    let mut house = House::of(Limits::default(), Scenario::of(accounts)).await;
    let [work, pay] = ["work", "pay"].map(|name| format!("/api/v1/accounts/{}", house.id(name)));
    assert_eq!(paid(&house, &work).await, Value::Null, "nobody has asked it yet, at an address of its own");
    house.done(Method::PATCH, &pay, json!({ "paid": "use" })).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work");
    assert_eq!(
        (paid(&house, &work).await, paid(&house, &pay).await),
        (json!("plan"), json!("use")),
        "its answer told"
    );

    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "its own refusal comes through");
    house.ended().await;
    let reply = house.ask().await;
    let why = house.refused(reply).await;
    assert!(why.contains(r#"headgate accounts set "work" --spill-to "pay""#), "{why}");
    let dry = house.done(Method::POST, "/api/v1/explain", json!({ "model": "claude-opus-5-5" })).await;
    assert_eq!(dry["prevented"]["to"], house.id("pay"), "{dry}");
    house.written().await;
    let prevented = house.api(Method::GET, "/api/v1/prevented", json!({})).await.json().await;
    assert_eq!((&prevented[0]["from"], &prevented[0]["to"]), (&json!("work"), &json!("pay")), "{prevented}");

    // What a person says of it goes before what shows by itself.
    house.done(Method::PATCH, &pay, json!({ "paid": "plan" })).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "pay", "it costs nothing, a person says");
    let auto = house.done(Method::PATCH, &pay, json!({ "paid": "auto" })).await;
    assert_eq!((&auto["paid"], &auto["said_paid"]), (&Value::Null, &Value::Null));
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "pay", "nothing is kept from one of which nobody knows");
    house.done(Method::PATCH, &pay, json!({ "paid": "use" })).await;
    // An order that puts it before every plan is a leave, too; a pause of the plan is none.
    house.done(Method::PATCH, &pay, json!({ "priority": -1 })).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "pay");
    house.done(Method::PATCH, &pay, json!({ "priority": 0 })).await;
    house.done(Method::POST, &format!("{work}/pause"), json!({})).await;
    let reply = house.ask().await;
    house.refused(reply).await;

    let allowed = house.done(Method::PATCH, &work, json!({ "spill_to": [house.id("pay")] })).await;
    assert_eq!(allowed["spill"]["accounts"][0]["id"], house.id("pay"), "{allowed}");
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "pay");
    let refused = house.api(Method::PATCH, &pay, json!({ "spill_to": "all" })).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "it is paid by use itself");
}

#[tokio::test]
async fn a_cap_counts_what_was_spent_before_it_was_set_holds_to_the_token_and_ends_at_midnight() {
    let mut house = House::with(&["work"]).await;
    house.script("work", (0..6).map(|_| hundred()));
    let reply = house.ask().await;
    house.answered_by(reply).await;
    let guards = guard(&house, "work", json!({ "caps": { "day": { "tokens": 201 } } })).await;
    assert_eq!((&guards["caps"]["day"]["used_tokens"], &guards["caps"]["week"]), (&json!(100), &Value::Null));
    for _ in 0..2 {
        let reply = house.ask().await;
        house.answered_by(reply).await;
    }
    let reply = house.ask().await;
    let why = house.refused(reply).await;
    assert!(why.contains("work: its daily cap is reached"), "{why}");
    let overview = house.api(Method::GET, "/api/v1/overview", json!({})).await.json().await;
    let shown = &overview["accounts"][0];
    assert_eq!(shown["kept_back"]["reason"], "its daily cap is reached", "what routing knows is shown");
    assert!(shown["kept_back"]["until"].is_string() && shown["standing"]["state"] == "ready", "{shown}");
    let sentence = overview["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("Nobody can work until") && sentence.contains("work is back"), "{sentence}");
    house.to_midnight();
    let reply = house.ask().await;
    house.answered_by(reply).await;
    let caps = json!({ "day": { "tokens": 500 }, "week": { "tokens": 1 } });
    let guards = guard(&house, "work", json!({ "caps": caps })).await;
    assert_eq!(guards["caps"]["day"]["used_tokens"], 100, "today's alone");
    let reply = house.ask().await;
    assert!(house.refused(reply).await.contains("its weekly cap is reached"));
    assert_eq!(guard(&house, "work", json!({ "caps": {} })).await, Value::Null);
    let reply = house.ask().await;
    house.answered_by(reply).await;
}

#[tokio::test]
async fn a_cap_in_money_holds_by_the_price_list() {
    let mut house = House::with(&["work"]).await;
    let guards = guard(&house, "work", json!({ "caps": { "month": { "usd": 0.000_001 } } })).await;
    assert_eq!(guards["caps"]["month"]["usd"], 0.000_001);
    let priced = ask("claude-opus-5", false);
    let reply = house.client.post("/v1/messages", priced.clone()).await;
    house.answered_by(reply).await;
    let reply = house.client.post("/v1/messages", priced).await;
    assert!(house.refused(reply).await.contains("its monthly cap is reached"));
    let accounts = house.api(Method::GET, "/api/v1/accounts", json!({})).await.json().await;
    let month = &accounts[0]["guards"]["caps"]["month"];
    assert_eq!((&month["unpriced_requests"], &month["unpriced_usd"]), (&json!(0), &json!(0.0)));
}

#[tokio::test]
async fn a_cap_in_money_counts_what_has_no_price_at_the_dearest_of_its_family_and_says_so() {
    let mut house = House::with(&["work"]).await;
    let million = || Behaviour::Answer(Answer { input: Some(1_000_000), tokens: 0, ..Answer::default() });
    house.script("work", [million(), million()]);
    guard(&house, "work", json!({ "caps": { "day": { "usd": 20.0 } } })).await;
    for _ in 0..2 {
        let reply = house.client.post("/v1/messages", ask("claude-opus-99", false)).await;
        house.answered_by(reply).await;
    }
    let reply = house.client.post("/v1/messages", ask("claude-opus-99", false)).await;
    assert!(house.refused(reply).await.contains("its daily cap is reached"));
    let day =
        house.api(Method::GET, "/api/v1/accounts/1", json!({})).await.json().await["guards"]["caps"]["day"]
            .take();
    assert_eq!(
        (&day["used_usd"], &day["unpriced_requests"]),
        (&json!(0.0), &json!(2)),
        "the price is still unknown"
    );
    assert_eq!(day["unpriced_usd"], json!(33.0), "16.50 each: the dearest of its family, in a region");
    let requests = house.written().await;
    assert!(requests.iter().all(|request| request.cost_usd.is_none()), "{requests:?}");
    // As after a restart: from the disk.
    guard(&house, "work", json!({ "caps": {} })).await;
    let caps = guard(&house, "work", json!({ "caps": { "month": { "usd": 20.0 } } })).await;
    assert_eq!(caps["caps"]["month"]["unpriced_usd"], json!(33.0));
}

#[tokio::test]
async fn an_account_is_spared_in_its_peak_hours_and_back_when_they_are_over() {
    let mut house = House::with(&["work", "spare"]).await;
    let now = house.clock.now().to_zoned_datetime(TimeZone::UTC);
    let end = now.checked_add(SignedDuration::from_mins(30)).unwrap();
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let peak = |then: &str| {
        let (from, to) = (now.strftime("%H:%M").to_string(), end.strftime("%H:%M").to_string());
        json!([{ "days": days, "from": from, "to": to, "zone": "Etc/UTC", "then": then }])
    };
    guard(&house, "work", json!({ "peaks": peak("last") })).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "spare", "the other one first");
    let path = format!("/api/v1/accounts/{}/pause", house.id("spare"));
    house.done(Method::POST, &path, json!({})).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work", "better than nobody");
    guard(&house, "work", json!({ "peaks": peak("unused") })).await;
    let reply = house.ask().await;
    assert!(house.refused(reply).await.contains("it is not used at this hour"));
    house.clock.advance(Duration::from_mins(31));
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work");
}

#[tokio::test]
async fn what_an_account_does_not_take_goes_to_another() {
    let mut house = House::with(&["work", "spare"]).await;
    let path = format!("/api/v1/accounts/{}", house.id("work"));
    let image = r#"{"model":"claude-opus-5","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":
        {"type":"base64","media_type":"image/png","data":"AA=="}}]}]}"#;
    let tools = r#"{"model":"claude-opus-5","max_tokens":9,"tools":[{"name":"a","input_schema":{}}],
        "messages":[{"role":"user","content":"hi"}]}"#;
    let plain = ask("claude-opus-5", false);
    let by = async |house: &mut House, body: &str, beta: Option<&str>| {
        let mut request = http::Request::post("/v1/messages");
        if let Some(beta) = beta {
            request = request.header("anthropic-beta", beta);
        }
        let reply = house.client.send(request.body(body.to_owned().into()).unwrap()).await;
        house.answered_by(reply).await
    };
    assert_eq!(by(&mut house, image, None).await, "work", "nobody has said that it takes none");
    let lacks = json!({ "images": true, "betas": ["context-1m-"] });
    let changed = house.done(Method::PATCH, &path, json!({ "lacks": lacks })).await;
    assert_eq!(changed["lacks"], json!({ "images": true, "tools": false, "betas": ["context-1m-"] }));
    assert_eq!(by(&mut house, image, None).await, "spare");
    assert_eq!(by(&mut house, tools, None).await, "work");
    assert_eq!(by(&mut house, &plain, Some("other-1, context-1m-2025-08-07")).await, "spare");
    assert_eq!(by(&mut house, &plain, Some("other-1")).await, "work");
    let dry = json!({ "model": "opus", "images": true });
    let told = house.done(Method::POST, "/api/v1/explain", dry).await;
    let whys: Vec<_> = told["candidates"].as_array().unwrap().iter().map(|one| one["why"].clone()).collect();
    assert!(whys.contains(&json!("its upstream takes no images")), "{whys:?}");
    let store = house.app.api().store.clone();
    assert!(store.accounts().unwrap()[0].lacks.images, "it is kept");
    for bad in [json!({ "betas": [""] }), json!({ "betas": ["a b"] }), json!({ "sound": true })] {
        assert_eq!(house.api(Method::PATCH, &path, json!({ "lacks": bad })).await.status, 422, "{bad}");
    }
    house.done(Method::PATCH, &path, json!({ "lacks": {} })).await;
    assert_eq!(by(&mut house, image, None).await, "work");
}

#[tokio::test]
async fn guards_that_can_not_be_meant_are_refused_with_a_next_step() {
    let house = House::with(&["work"]).await;
    let peak = |zone: &str, days: &[&str]| json!({ "peaks": [{ "days": days, "from": "09:00", "to": "17:00", "zone": zone, "then": "last" }] });
    let many: Vec<Value> = (0..33).map(|_| json!({ "window": null, "stop_at": 90 })).collect();
    for (guards, says) in [
        (peak("Mars/Olympus", &["monday"]), "no time zone"),
        (peak("Europe/Berlin", &[]), "at least one day"),
        (json!({ "reserves": [{ "window": null, "stop_at": 101 }] }), "0 to 100 percent"),
        (json!({ "reserves": [{ "window": null, "stop_at": 0 }] }), "1 % or later"),
        (json!({ "caps": { "day": { "tokens": 0 } } }), "more than nothing"),
        (json!({ "caps": { "month": { "usd": 0.0 } } }), "pause the account"),
        (json!({ "reserves": [{ "window": "5 h", "stop_at": 90 }] }), "as its upstream names it"),
        (json!({ "reserves": many }), "at most 32"),
        (json!({ "caps": { "day": { "usd": -1.0 } } }), "US dollars"),
        (json!({ "caps": { "year": {} } }), "unknown field"),
    ] {
        let path = format!("/api/v1/accounts/{}", house.id("work"));
        let reply = house.api(Method::PATCH, &path, json!({ "guards": guards.clone() })).await;
        assert_eq!(reply.status.as_u16(), 422, "{guards}");
        let text = reply.text().await;
        assert!(text.contains(says), "{guards}: {text}");
    }
    let accounts = house.api(Method::GET, "/api/v1/accounts", json!({})).await.json().await;
    assert_eq!(accounts[0]["guards"], Value::Null, "nothing of it was kept");
}

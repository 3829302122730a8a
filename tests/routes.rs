//! Routes: chains of slots, through the real proxy.

use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour},
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{House, Wire, ask, soon, wire};

async fn route(house: &House, slots: Value, falls_through: bool) -> i64 {
    let new = json!({ "name": "cheap", "models": "opus", "slots": slots, "falls_through": falls_through });
    house.done(Method::POST, "/api/v1/routes", new).await["id"].as_i64().unwrap()
}

async fn pause(house: &House, name: &str, what: &str) {
    let path = format!("/api/v1/accounts/{}/{what}", house.id(name));
    house.done(Method::POST, &path, json!({})).await;
}

#[tokio::test]
async fn a_slot_that_asks_for_another_model_splices_it_into_the_body_and_nothing_else() {
    let mut house = House::with(&["work", "spare"]).await;
    let slots = json!([
        { "account_id": house.id("spare"), "model": "claude-haiku-4-5" },
        { "account_id": house.id("work") },
    ]);
    route(&house, slots, false).await;
    let body = ask("claude-opus-5-5", false).replace('{', "{ ");
    let reply = house.client.post("/v1/messages", body.clone()).await;
    assert_eq!(house.answered_by(reply).await, "spare");
    let sent = &house.sandbox.seen("key-spare")[0].body;
    assert_eq!(*sent, body.replace("claude-opus-5-5", "claude-haiku-4-5"));
    let written = &house.written().await[0];
    assert_eq!(written.changes, ["model: claude-opus-5-5 → claude-haiku-4-5"]);

    let reply = house.client.post("/v1/messages", ask("claude-sonnet-5", false)).await;
    assert_eq!(house.answered_by(reply).await, "work", "the route is for opus");
    pause(&house, "spare", "pause").await;
    let reply = house.client.post("/v1/messages", body.clone()).await;
    assert_eq!(house.answered_by(reply).await, "work", "the next slot");
    assert_eq!(house.sandbox.seen("key-work")[1].body, body, "byte for byte");
}

#[tokio::test]
async fn a_route_falls_through_only_where_that_was_chosen() {
    let mut house = House::with(&["work", "spare"]).await;
    let id = route(&house, json!([{ "account_id": house.id("spare") }]), false).await;
    pause(&house, "spare", "pause").await;
    let reply = house.ask().await;
    let why = house.refused(reply).await;
    assert!(why.contains("work: the route cheap does not lead to it"), "{why}");
    let path = format!("/api/v1/routes/{id}");
    house.done(Method::PATCH, &path, json!({ "falls_through": true })).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work");
    house.done(Method::PATCH, &path, json!({ "falls_through": false, "enabled": false })).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work", "switched off, it is as if it were not there");
}

#[tokio::test]
async fn an_answer_by_a_route_may_be_silent_as_long_as_that_says() {
    let mut house = House::with(&["work"]).await;
    let id = route(&house, json!([{ "account_id": house.id("work") }]), false).await;
    let path = format!("/api/v1/routes/{id}");
    let changed = house.done(Method::PATCH, &path, json!({ "idle_seconds": 1 })).await;
    assert_eq!(changed["idle_seconds"], 1);
    house.script("work", [Behaviour::Stall { after: 3, answer: Answer::default() }]);
    // Of any other it is five minutes.
    let text = soon("the end of the stream", house.ask_stream().await.text()).await;
    assert!(text.contains("The upstream sent nothing for 1 s."), "{text}");
    assert_eq!(house.ended().await.ending, Some(Ending::UpstreamStalled));

    let changed = house.done(Method::PATCH, &path, json!({ "idle_seconds": 0 })).await;
    assert!(changed.get("idle_seconds").is_none(), "as long as any other again: {changed}");
    let refused = house.api(Method::PATCH, &path, json!({ "idle_seconds": 86_401 })).await;
    assert_eq!(refused.status, http::StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_last_answer_of_all_may_be_silent_as_long_as_its_route_says() {
    let mut house = House::with(&[]).await;
    let half =
        "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    let wire =
        Wire::saying([wire::Reply::Steps(vec![wire::Step::Bytes(half.into()), wire::Step::Stall])]).await;
    wire.account(&house, "work", 0);
    let id = route(&house, json!([{ "account_id": house.id("work") }]), false).await;
    house.done(Method::PATCH, &format!("/api/v1/routes/{id}"), json!({ "idle_seconds": 1 })).await;
    let reply = soon("the upstream's own answer", house.ask()).await;
    assert_eq!(reply.status, http::StatusCode::INTERNAL_SERVER_ERROR);
    assert!(soon("its end", reply.until_end_or_cut()).await.1, "it is cut where it fell silent");
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::UpstreamStalled));
    assert_eq!(exchange.error.as_deref(), Some("The upstream sent nothing for 1 s."));
}

#[tokio::test]
async fn a_slot_that_points_at_nothing_is_skipped_and_said_and_a_removed_route_can_be_put_back() {
    let mut house = House::with(&["work", "spare"]).await;
    let slots = json!([{ "account_id": house.id("spare") }, { "account_id": house.id("work") }]);
    let id = route(&house, slots, false).await;
    let gone = format!("/api/v1/accounts/{}", house.id("spare"));
    assert!(house.api(Method::DELETE, &gone, json!({})).await.status.is_success());
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work");
    pause(&house, "work", "pause").await;
    let reply = house.ask().await;
    let why = house.refused(reply).await;
    assert!(why.contains("Slot 1 of the route cheap points at an account that is gone."), "{why}");

    let path = format!("/api/v1/routes/{id}");
    let removed = house.done(Method::DELETE, &path, json!({})).await;
    assert_eq!(removed["slots"][0]["name"], Value::Null);
    let back = json!({ "name": removed["name"], "models": removed["models"], "slots": removed["slots"],
        "falls_through": removed["falls_through"], "enabled": removed["enabled"], "id": id });
    assert_eq!(house.done(Method::POST, "/api/v1/routes", back).await["slots"], removed["slots"]);
    let list = house.api(Method::GET, "/api/v1/routes", json!({})).await.json().await;
    assert_eq!(list[0]["id"], id);
}

#[tokio::test]
async fn only_the_model_that_was_asked_for_is_served_where_that_is_set() {
    let mut house = House::with(&["work"]).await;
    route(&house, json!([{ "pool_id": 1, "model": "claude-haiku-4-5" }]), false).await;
    let on = json!({ "serve_asked_or_refuse": true });
    assert_eq!(house.done(Method::PUT, "/api/v1/settings", on.clone()).await, on);
    assert_eq!(house.api(Method::GET, "/api/v1/settings", json!({})).await.json().await, on);
    let reply = house.ask().await;
    let why = house.refused(reply).await;
    assert!(why.contains("only the model that was asked for is served"), "{why}");
    house.done(Method::PUT, "/api/v1/settings", json!({ "serve_asked_or_refuse": false })).await;
    let reply = house.ask().await;
    assert_eq!(house.answered_by(reply).await, "work");
}

#[tokio::test]
async fn what_can_not_be_meant_of_a_route_is_refused_with_a_next_step() {
    let house = House::with(&["work"]).await;
    let id = route(&house, json!([{ "pool_id": 1 }]), false).await;
    let new = |change: Value| {
        let mut new = json!({ "name": "other", "models": "opus", "slots": [{ "pool_id": 1 }] });
        new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        new
    };
    let many: Vec<Value> = (0..33).map(|_| json!({ "pool_id": 1 })).collect();
    for (change, status, says) in [
        (json!({ "name": "Cheap" }), 409, "already called"),
        (json!({ "models": "claude-*-5" }), 422, "a route is for a family"),
        (json!({ "slots": [] }), 422, "1 to 32 slots"),
        (json!({ "slots": many }), 422, "1 to 32 slots"),
        (json!({ "slots": [{ "pool_id": 1 }, { "account_id": 99 }] }), 422, "slot 2 points at nothing"),
        (json!({ "slots": [{ "pool_id": 1, "account_id": 1 }] }), 422, "one account or one pool"),
        (json!({ "slots": [{ "pool_id": 1, "model": "claude-*" }] }), 422, "a model by its id"),
        (json!({ "id": id }), 409, "there already"),
        (json!({ "id": 99 }), 404, "no such id"),
    ] {
        let reply = house.api(Method::POST, "/api/v1/routes", new(change.clone())).await;
        assert_eq!(reply.status.as_u16(), status, "{change}");
        let text = reply.text().await;
        assert!(text.contains(says), "{change}: {text}");
    }
    let reply = house.api(Method::DELETE, "/api/v1/routes/99", json!({})).await;
    assert_eq!(reply.status.as_u16(), 404);
}

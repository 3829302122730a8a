//! Bindings: what is bound to a pool, and what strict means, through the real proxy.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{House, Reply, ask, holds};

async fn key(house: &House, name: &str) -> (i64, String) {
    let minted = house.done(Method::POST, "/api/v1/keys", json!({ "name": name })).await;
    (minted["key"]["id"].as_i64().unwrap(), minted["secret"].as_str().unwrap().to_owned())
}

async fn ask_with(house: &House, secret: &str) -> Reply {
    house.client.call(secret, Method::POST, "/v1/messages", &ask("claude-opus-5-5", false)).await
}

#[tokio::test]
async fn what_is_bound_strictly_is_refused_rather_than_served_elsewhere_and_says_why() {
    let mut house = House::with(&["work", "spare"]).await;
    let pool = json!({ "name": "spare", "accounts": [house.id("spare")] });
    let spare = house.done(Method::POST, "/api/v1/pools", pool).await["id"].as_i64().unwrap();
    let (id, secret) = key(&house, "ci").await;
    let bound = json!({ "subject": { "key": id }, "pool_id": spare, "strict": true });
    let bound = house.done(Method::POST, "/api/v1/bindings", bound).await;
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "spare");

    let path = format!("/api/v1/accounts/{}/pause", house.id("spare"));
    house.done(Method::POST, &path, json!({ "reason": "holidays" })).await;
    let reply = ask_with(&house, &secret).await;
    let why = house.refused(reply).await;
    for says in ["work: this request does not leave the pool spare", "spare: paused, holidays"] {
        assert!(why.contains(says), "{says}: {why}");
    }
    let path = format!("/api/v1/bindings/{}", bound["id"]);
    let changed = house.done(Method::PATCH, &path, json!({ "strict": false })).await;
    assert_eq!((&changed["strict"], &changed["pool_id"]), (&json!(false), &json!(spare)));
    let reply = ask_with(&house, &secret).await;
    assert_eq!(house.answered_by(reply).await, "work");

    let removed = house.done(Method::DELETE, &path, json!({})).await;
    assert_eq!(removed["subject"], json!({ "key": id }));
    let back = json!({ "subject": removed["subject"], "pool_id": removed["pool_id"], "id": removed["id"] });
    assert_eq!(house.done(Method::POST, "/api/v1/bindings", back).await["id"], bound["id"]);
}

/// Asks with these headers besides, and says who answered.
async fn asked_with(house: &mut House, headers: &[(&'static str, &str)], body: String) -> String {
    let mut request = http::Request::post("/v1/messages").header("x-api-key", "headgate");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = house.client.send(request.body(body.into()).unwrap()).await;
    house.answered_by(reply).await
}

#[tokio::test]
async fn a_key_in_the_wrong_place_of_a_request_is_written_down_nowhere() {
    let house = House::with(&["work"]).await;
    let secret = "sk-ant-api03-x7Qp2LmZ9";
    for path in ["/v1/messages/sk-ant-api03-x7Qp2LmZ9/tail", "/v1/messages/%73k-ant-api03-x7Qp2LmZ9/tail"] {
        let request = http::Request::post(path).header("x-headgate-project", secret);
        house.client.send(request.body(ask("claude-opus-5-5", false).into()).unwrap()).await.bytes().await;
    }
    let written = house.written().await;
    let kept: Vec<_> = written.iter().map(|row| (&*row.path, row.project.as_deref())).collect();
    assert_eq!(kept, [("/v1/messages/…/tail", None); 2]);
    assert!(!holds(house.folder.path(), "api03-x7Qp2LmZ9"), "it is on disk");
}

#[tokio::test]
async fn a_folder_a_project_a_role_and_a_kind_of_agent_are_served_by_the_pool_they_are_bound_to() {
    let mut house = House::with(&["work", "spare"]).await;
    let pool = json!({ "name": "spare", "accounts": [house.id("spare")] });
    let spare = house.done(Method::POST, "/api/v1/pools", pool).await["id"].as_i64().unwrap();
    for subject in [
        json!({ "directory": "/work/gate" }),
        json!({ "project": "shop" }),
        json!({ "role": "subagent" }),
        json!({ "agent_type": "code-reviewer" }),
    ] {
        house.done(Method::POST, "/api/v1/bindings", json!({ "subject": subject, "pool_id": spare })).await;
    }
    let plain = || ask("claude-opus-5-5", false);
    for headers in [
        [("x-headgate-directory", "/work/gate/src")],
        [("x-headgate-project", "shop")],
        [("x-claude-code-request-class", "subagent")],
        [("x-claude-code-agent-type", "code-reviewer")],
    ] {
        assert_eq!(asked_with(&mut house, &headers, plain()).await, "spare", "{headers:?}");
        let seen = house.sandbox.seen("key-spare");
        assert!(seen.last().is_some_and(|seen| !seen.headers.contains_key(headers[0].0)), "it stays here");
    }
    for headers in [
        [("x-headgate-directory", "/work/gatekeeper")],
        [("x-headgate-project", "shops")],
        [("x-claude-code-request-class", "main")],
        [("x-claude-code-agent-type", "reviewer")],
    ] {
        assert_eq!(asked_with(&mut house, &headers, plain()).await, "work", "{headers:?}");
    }
    let told = plain().replacen('{', r#"{"system":"Working directory: /work/gate\n","#, 1);
    assert_eq!(asked_with(&mut house, &[], told).await, "spare", "as Claude Code tells it in its prompt");
}

#[tokio::test]
async fn what_can_not_be_meant_of_a_binding_is_refused_with_a_next_step() {
    let house = House::with(&["work"]).await;
    let bound = json!({ "subject": { "directory": "/work/gate/" }, "pool_id": 1 });
    let bound = house.done(Method::POST, "/api/v1/bindings", bound).await;
    assert_eq!(bound["subject"], json!({ "directory": "/work/gate" }));
    for (subject, pool, status, says) in [
        (json!({ "directory": "/work/gate" }), 1, 409, "bound already"),
        (json!({ "directory": "gate" }), 1, 422, "from the root on"),
        (json!({ "project": "" }), 1, 422, "letters, digits"),
        (json!({ "project": "my shop" }), 1, 422, "no request could belong"),
        (json!({ "agent_type": "prüfer" }), 1, 422, "a header can hold"),
        (json!({ "agent_type": "" }), 1, 422, "1 to 1024 characters"),
        (json!({ "key": 99 }), 1, 422, "headgate keys"),
        (json!({ "role": "dreaming" }), 1, 422, "unknown variant"),
        (json!({ "role": "subagent" }), 99, 404, "headgate pools"),
    ] {
        let new = json!({ "subject": subject, "pool_id": pool });
        let reply = house.api(Method::POST, "/api/v1/bindings", new).await;
        assert_eq!(reply.status.as_u16(), status, "{subject}");
        let text = reply.text().await;
        assert!(text.contains(says), "{subject}: {text}");
    }
    let list: Value = house.api(Method::GET, "/api/v1/bindings", json!({})).await.json().await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    let reply = house.api(Method::PATCH, "/api/v1/bindings/99", json!({ "strict": true })).await;
    assert_eq!(reply.status.as_u16(), 404);
}

#[tokio::test]
async fn a_key_that_is_bound_already_is_told_by_its_name_and_not_by_its_number() {
    let house = House::with(&["work"]).await;
    let (id, _) = key(&house, "Build server").await;
    let bound = json!({ "subject": { "key": id }, "pool_id": 1 });
    house.done(Method::POST, "/api/v1/bindings", bound.clone()).await;
    let reply = house.api(Method::POST, "/api/v1/bindings", bound).await;
    assert_eq!(reply.status.as_u16(), 409);
    let said = reply.text().await;
    assert!(said.contains("key Build server is bound already"), "{said}");
}

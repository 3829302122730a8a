//! The management API by HTTP: who gets in, what the page gets, and the one contract.

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use crate::harness::{House, Wire, soon, wire};

#[tokio::test]
async fn without_a_token_nothing_is_told_and_nothing_is_done() {
    let house = House::with(&["work"]).await;
    for (method, path) in [
        (Method::GET, "/api/v1/status"),
        (Method::GET, "/api/v1/accounts"),
        (Method::DELETE, "/api/v1/accounts/1"),
        (Method::GET, "/api/v1/requests"),
        (Method::GET, "/api/v1/events"),
        (Method::POST, "/api/v1/links"),
        (Method::POST, "/api/v1/proxy/pause"),
        (Method::GET, "/api/v1/jobs"),
        (Method::POST, "/api/v1/jobs/integrity/run"),
    ] {
        for token in ["", "x", "Bearer", "headgate"] {
            let reply = house.client.call(token, method.clone(), path, "{}").await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path} with {token:?}");
            assert_eq!(reply.json().await["code"], "unauthorized");
        }
    }
    assert!(!house.app.api().gateway.is_paused());
}

#[tokio::test]
async fn a_ticket_opens_the_page_once() {
    let house = House::with(&["work"]).await;
    let link = house.client.call(house.token(), Method::POST, "/api/v1/links", "").await.json().await;
    let (page, ticket) = link["url"].as_str().unwrap().split_once("/#ticket=").unwrap();
    assert_eq!(Some(page.to_owned()), house.app.api().status().address);
    let body = serde_json::json!({ "ticket": ticket }).to_string();
    let session = house.client.post("/api/v1/session", body.clone()).await.json().await;
    let token = session["token"].as_str().unwrap();
    assert_eq!(house.client.call(token, Method::GET, "/api/v1/status", "").await.status, StatusCode::OK);
    assert_eq!(
        house.client.post("/api/v1/session", body).await.status,
        StatusCode::UNAUTHORIZED,
        "a second time"
    );
    assert_eq!(
        house.client.call(ticket, Method::GET, "/api/v1/status", "").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_page_is_served_with_its_policy_and_unknown_paths_are_not_the_page() {
    let house = House::with(&[]).await;
    let page = house.client.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.header("content-security-policy").contains("default-src 'self'"));
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(house.client.get("/assets/nothing.js").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.client.get("/api/v2/status").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.client.get("/../Cargo.toml").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn events_tell_of_a_request_from_its_beginning_to_its_end() {
    let house = House::with(&["work"]).await;
    let mut events = house.client.call(house.token(), Method::GET, "/api/v1/events", "").await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    house.ask().await.bytes().await;
    let mut text = String::new();
    while !text.contains(r#""ending":"complete""#) {
        text += &String::from_utf8_lossy(&events.piece().await.unwrap().unwrap());
    }
    let told: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
    let requests: Vec<&serde_json::Value> = told.iter().filter(|event| event["type"] == "request").collect();
    assert!(requests[0]["request"]["ending"].is_null(), "it is told when it begins");
    assert_eq!(requests.last().unwrap()["request"]["account"], "work");
    soon("the core to stop although a page listens", house.app.drain()).await;
}

async fn overview(house: &House) -> serde_json::Value {
    house.client.call(house.token(), Method::GET, "/api/v1/overview", "").await.json().await
}

#[tokio::test]
async fn the_overview_answers_the_first_question_in_one_sentence() {
    let mut house = House::with(&["work", "spare"]).await;
    assert_eq!(overview(&house).await["sentence"], "All 2 accounts are ready.");
    let spent = headgate::sandbox::Behaviour::QuotaSpent {
        window: "5h".into(),
        resets_in: std::time::Duration::from_hours(1),
    };
    house.script("work", [spent]);
    house.ask().await.bytes().await;
    house.ended().await;
    house.written().await;
    let now = overview(&house).await;
    let sentence = now["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("1 of 2 accounts is ready. work is back at "), "{sentence}");
    assert_eq!(now["mood"], "care");
    assert_eq!((&now["today"]["requests"], &now["today"]["rescued"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn requests_are_paged_newest_first_and_filtered() {
    let mut house = House::with(&["work"]).await;
    for _ in 0..5 {
        house.ask().await.bytes().await;
        house.ended().await;
    }
    house.client.post("/v1/messages", "broken").await.bytes().await;
    house.written().await;
    let first =
        house.client.call(house.token(), Method::GET, "/api/v1/requests?limit=4", "").await.json().await;
    assert_eq!(first["requests"].as_array().unwrap().len(), 4);
    assert_eq!(first["requests"][0]["ending"], "refused", "newest first");
    let path = format!("/api/v1/requests?limit=4&before={}", first["next"].as_str().unwrap());
    let second = house.client.call(house.token(), Method::GET, &path, "").await.json().await;
    assert_eq!(
        (second["requests"].as_array().unwrap().len(), &second["next"]),
        (2, &serde_json::Value::Null)
    );
    for (query, count) in
        [("ending=refused", 1), ("account=1", 5), ("running=true", 0), ("ending=upstream_cut", 0)]
    {
        let path = format!("/api/v1/requests?{query}");
        let page = house.client.call(house.token(), Method::GET, &path, "").await.json().await;
        assert_eq!(page["requests"].as_array().unwrap().len(), count, "{query}");
    }
    for query in ["ending=nonsense", "before=1", "limit=x", "typo=1"] {
        let path = format!("/api/v1/requests?{query}");
        let reply = house.client.call(house.token(), Method::GET, &path, "").await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}

#[test]
fn the_openapi_document_in_docs_is_the_one_the_code_makes() {
    let written = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json")).unwrap();
    assert!(written == headgate::api::document(), "run `npm run contract` and commit what it changes");
}

#[test]
fn the_contract_bounds_a_field_as_the_core_does() {
    let document: serde_json::Value = serde_json::from_str(&headgate::api::document()).unwrap();
    let bound = &document["components"]["schemas"]["AccountChange"]["properties"]["keep_warm"]["maximum"];
    assert_eq!(bound.as_f64(), Some(headgate::domain::MOST_REPEATS.into()), "left: the contract");
}

#[tokio::test]
async fn a_request_head_that_is_too_large_is_refused() {
    let house = House::with(&["work"]).await;
    let mut request = Request::post("/v1/messages");
    for number in 0..150 {
        request = request.header(format!("x-{number}"), "y");
    }
    let reply = house.client.send(request.body(Bytes::from_static(b"{}")).unwrap()).await;
    assert_eq!(reply.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn what_is_kept_of_a_request_is_short_whoever_wrote_it() {
    let mut house = House::with(&[]).await;
    let long = "x".repeat(60_000);
    let error = format!(r#"{{"type":"error","error":{{"type":"{}","message":"m"}}}}"#, &long[..10_000]);
    let start = format!(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"model\":\"{long}\"}}}}\n\n\
         event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
    );
    let wire = Wire::saying([
        wire::Reply::Keep(wire::answer("400 Bad Request", "application/json", &error)),
        wire::Reply::Keep(wire::answer("200 OK", "text/event-stream", &start)),
        wire::Reply::Keep(wire::answer("200 OK", "application/json", "{}")),
    ])
    .await;
    wire.account(&house, "work", 0);
    for path in ["/v1/a", "/v1/b", &format!("/v1/{long}")] {
        house.client.get(path).await.bytes().await;
        let exchange = house.ended().await;
        let sizes =
            [&exchange.error, &exchange.served_model, &Some(std::sync::Arc::clone(&exchange.start.path))]
                .map(|text| text.as_ref().map_or(0, |text| text.len()));
        assert!(sizes.iter().all(|size| *size <= 2048), "error, model, path: {sizes:?}");
    }
}

//! The bytes are the client's: what goes up and what comes back, unchanged.

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use crate::harness::{Client, House, ask};
use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour},
    tasks::Tasks,
};

#[tokio::test]
async fn an_odd_body_goes_up_byte_for_byte() {
    let house = House::with(&["work"]).await;
    let body = concat!(
        "{ \"model\" :\t\"claude-opus-5-5\",\"max_tokens\":1e2,\"unknown\":{\"deep\":[1,2,{}]},\r\n",
        "\"n\":123456789012345678901234567890.5e400,\"s\":\"\\ud83d lone, \\u0000 and é\",",
        "\"dup\":1,\"dup\":2,\"messages\":[]  } \n",
    );
    // Whatever the upstream thinks of it: it is for the upstream to say.
    house.client.post("/v1/messages?beta=true&x=%2Fy", body).await.bytes().await;
    let seen = &house.sandbox.seen("key-work")[0];
    assert_eq!(seen.body, Bytes::from(body), "not a byte may differ");
    assert_eq!(seen.path, "/v1/messages?beta=true&x=%2Fy", "nor the query");
}

#[tokio::test]
async fn an_answer_comes_back_as_the_upstream_sent_it() {
    let house = House::with(&["work"]).await;
    let direct = Client::to(house.sandbox.base_url(), &Tasks::default());
    let answer =
        || Behaviour::Answer(Answer { text: Some("Grüße,\nWelt 🌊".into()), ..Answer::default() });
    house.script("work", [answer(), answer()]);
    let request = |_| {
        Request::post("/v1/messages")
            .header("x-api-key", "key-work")
            .body(ask("claude-opus-5-5", true).into())
            .unwrap()
    };
    let straight = direct.send(request(0)).await;
    let through = house.client.send(request(1)).await;
    assert_eq!(straight.header("content-type"), through.header("content-type"));
    let straight = straight.text().await.replace("msg_sandbox_000001", "msg_sandbox_000002");
    assert_eq!(straight, through.text().await);
}

#[tokio::test]
async fn headers_go_up_but_for_ours_and_the_credential() {
    let house = House::with(&["work"]).await;
    let request = Request::post("/v1/messages")
        .header("authorization", "Bearer the-clients-own")
        .header("x-api-key", "the-clients-own-too")
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "claude-code-20250219,a-beta-of-tomorrow-2030-01-01")
        .header("anthropic-new-header", "kept")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("x-claude-code-request-class", "main")
        .header("x-headgate-anything", "control")
        .header("accept-encoding", "gzip, br")
        .body(ask("claude-opus-5-5", false).into())
        .unwrap();
    assert_eq!(house.client.send(request).await.status, StatusCode::OK);
    let headers = house.sandbox.seen("key-work")[0].headers.clone();
    assert_eq!(headers["x-api-key"], "key-work");
    assert_eq!(headers["anthropic-beta"], "claude-code-20250219,a-beta-of-tomorrow-2030-01-01");
    assert_eq!(headers["anthropic-new-header"], "kept");
    assert!(headers.contains_key("traceparent"));
    assert_eq!(headers["accept-encoding"], "identity", "a compressed stream would be held back");
    for gone in ["authorization", "x-claude-code-request-class", "x-headgate-anything"] {
        assert!(!headers.contains_key(gone), "{gone} stays on this machine");
    }
    assert!(!format!("{headers:?}").contains("the-clients-own"));
}

#[tokio::test]
async fn events_arrive_as_they_are_sent_not_when_the_stream_is_over() {
    let mut house = House::with(&["work"]).await;
    let held = Behaviour::Hold { gate: "middle".into(), after: 4, answer: Answer::default() };
    house.script("work", [held]);
    let mut reply = house.ask_stream().await;
    assert_eq!(reply.header("content-type").split(';').next(), Some("text/event-stream"));
    let mut text = String::new();
    while text.matches("\n\n").count() < 4 {
        text += &String::from_utf8_lossy(&reply.piece().await.unwrap().unwrap());
    }
    assert!(!text.contains("message_stop"), "the upstream has not sent it yet: {text}");
    house.sandbox.release("middle");
    assert!(reply.text().await.contains("message_stop"));
    assert_eq!(house.ended().await.ending, Some(Ending::Complete));
}

#[tokio::test]
async fn usage_is_recorded_from_streams_and_from_whole_answers() {
    let mut house = House::with(&["work"]).await;
    let answer = Answer { tokens: 40, input: Some(7), cache_read: 900, cache_write: 30, ..Answer::default() };
    house.script("work", [Behaviour::Answer(answer.clone()), Behaviour::Answer(answer)]);
    for stream in [true, false] {
        house.client.post("/v1/messages", ask("claude-sonnet-5-5", stream)).await.bytes().await;
        let exchange = house.ended().await;
        assert_eq!(exchange.ending, Some(Ending::Complete));
        assert_eq!(exchange.usage.input, Some(7), "stream: {stream}");
        assert_eq!((exchange.usage.cache_read, exchange.usage.cache_write), (Some(900), Some(30)));
        assert!(exchange.usage.output.is_some_and(|output| output > 0));
        assert_eq!(exchange.served_model.as_deref(), Some("claude-sonnet-5-5"));
        assert!(exchange.first_byte.is_some() && exchange.first_byte <= exchange.duration);
    }
}

#[tokio::test]
async fn the_session_is_known_by_header_or_by_metadata() {
    let mut house = House::with(&["work"]).await;
    let request = Request::post("/v1/messages").header("x-claude-code-session-id", "by-header");
    house.client.send(request.body(ask("claude-opus-5-5", false).into()).unwrap()).await.bytes().await;
    assert_eq!(house.ended().await.start.ask.session.as_deref(), Some("by-header"));
    let body = r#"{"model":"m","messages":[],"metadata":{"user_id":"{\"session_id\":\"by-body\"}"}}"#;
    house.client.post("/v1/messages", body).await.bytes().await;
    assert_eq!(house.ended().await.start.ask.session.as_deref(), Some("by-body"));
}

#[tokio::test]
async fn every_other_path_below_v1_is_passed_through() {
    let house = House::with(&["work"]).await;
    let counted =
        house.client.post("/v1/messages/count_tokens?beta=true", ask("claude-opus-5-5", false)).await;
    assert!(counted.json().await["input_tokens"].is_u64());
    let request = Request::builder()
        .method(Method::DELETE)
        .uri("/v1/files/file_1")
        .body(Bytes::from_static(b"\x00\xff"))
        .unwrap();
    house.client.send(request).await.bytes().await;
    let last = house.sandbox.seen("key-work").pop().unwrap();
    assert_eq!(
        (last.method.clone(), last.path.as_str(), last.body.clone()),
        (Method::DELETE, "/v1/files/file_1", Bytes::from_static(b"\x00\xff"))
    );
}

#[tokio::test]
async fn the_warm_up_is_answered_here_and_never_forwarded() {
    let house = House::with(&["work"]).await;
    let request = Request::builder().method(Method::HEAD).uri("/api/hello").body(Bytes::new()).unwrap();
    assert_eq!(house.client.send(request).await.status, StatusCode::OK);
    assert_eq!(house.sandbox.counts().arrived, 0);
}

#[tokio::test]
async fn two_hundred_requests_at_once_are_two_hundred_records() {
    let house = House::with(&["work", "spare"]).await;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..200 {
        let client = house.client.clone();
        running.spawn(async move {
            client.post("/v1/messages", ask("claude-opus-5-5", number % 2 == 0)).await.bytes().await
        });
    }
    assert_eq!(running.join_all().await.len(), 200);
    let written = house.written().await;
    assert_eq!(written.len(), 200);
    assert!(written.iter().all(|request| request.ending == Some(Ending::Complete)));
    assert_eq!(house.app.api().gateway.admission.occupancy().running, 0);
}

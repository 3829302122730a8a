//! Every request ends once, under its right name.

use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour},
    settings::Limits,
};

use tokio::io::AsyncWriteExt;

use crate::harness::{House, Wire, aside, ask, soon, wire};

#[tokio::test]
async fn a_client_that_leaves_mid_stream_cancels_the_upstream_at_once() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::Hold { gate: "middle".into(), after: 3, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    reply.piece().await.unwrap().unwrap();
    drop(reply);
    house.sandbox.await_client_gone(1).await.unwrap();
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::ClientLeft));
    assert_eq!(exchange.status, Some(200));
    assert_eq!(house.app.api().gateway.admission.occupancy().running, 0, "its place is free");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_cancels_the_upstream_at_once() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "head".into(), answer: Answer::default() }]);
    let client = house.client.clone();
    let asking = aside(async move { client.post("/v1/messages", ask("claude-opus-5-5", true)).await });
    house.sandbox.await_held("head").await.unwrap();
    drop(asking);
    house.sandbox.await_client_gone(1).await.unwrap();
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::ClientLeft));
    assert_eq!(exchange.attempts.len(), 1, "a client that hung up is not retried");
    assert_eq!(exchange.attempts[0].verdict.word(), "abandoned");
    assert_eq!(house.standing("work").await["state"], "ready", "it was not the account's fault");
}

#[tokio::test]
async fn e16_who_leaves_before_an_account_was_chosen_reaches_no_upstream() {
    let limits = Limits { concurrent_requests: 1, ..Limits::default() };
    let mut house = House::within(limits, &["work"]).await;
    let mut socket = tokio::net::TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{\"model\":";
    socket.write_all(head.as_bytes()).await.unwrap();
    waits(&house, |status| status.running == 1).await;
    let client = house.client.clone();
    let asking = aside(async move { client.post("/v1/messages", ask("claude-opus-5-5", true)).await });
    waits(&house, |status| status.waiting == 1).await;
    drop(asking);
    waits(&house, |status| status.waiting == 0).await;
    drop(socket);
    assert_ne!(house.ended().await.ending, Some(Ending::Complete), "half a body is no request");
    waits(&house, |status| status.running == 0).await;
    assert_eq!(house.sandbox.counts().arrived, 0);
}

async fn waits(house: &House, until: impl Fn(&headgate::api::views::Status) -> bool) {
    soon("the status to be so", async {
        while !until(&house.app.api().status()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn e94_a_stream_of_many_hours_is_one_whole_record() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::Hold { gate: "middle".into(), after: 3, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    reply.piece().await.unwrap().unwrap();
    house.sandbox.await_held("middle").await.unwrap();
    house.clock.advance(std::time::Duration::from_hours(30));
    house.sandbox.release("middle");
    reply.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::Complete));
    assert!(exchange.usage.output.is_some());
    let written = house.written().await;
    assert_eq!((written.len(), written[0].ending), (1, Some(Ending::Complete)), "on the day after");
}

#[tokio::test]
async fn an_error_event_inside_a_stream_is_an_upstream_error() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::InStreamError { after: 3, answer: Answer::default() }]);
    let text = house.ask_stream().await.text().await;
    assert!(text.contains("event: error"), "it is passed on: {text}");
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::UpstreamError));
    assert!(exchange.error.as_deref().unwrap().contains("overloaded_error"));
}

#[tokio::test]
async fn a_silent_stream_is_ended_as_stalled_with_an_error_event() {
    let mut house = House::within(Limits { idle_seconds: 0.3, ..Limits::default() }, &["work"]).await;
    house.script("work", [Behaviour::Stall { after: 3, answer: Answer::default() }]);
    let text = house.ask_stream().await.text().await;
    let last = text.rsplit("event: error\ndata: ").next().unwrap();
    let told: serde_json::Value = serde_json::from_str(last.trim()).unwrap();
    assert_eq!(told["error"]["type"], "timeout_error");
    assert!(!text.contains("message_stop"), "never a fake success");
    assert_eq!(house.ended().await.ending, Some(Ending::UpstreamStalled));
    house.sandbox.await_client_gone(1).await.unwrap();
}

#[tokio::test]
async fn a_cut_answer_that_was_not_streamed_is_passed_on_as_a_cut() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::CutMidStream { after: 2, reset: true, answer: Answer::default() }]);
    let (_, was_cut) = house.ask().await.until_end_or_cut().await;
    assert!(was_cut);
    assert_eq!(house.ended().await.ending, Some(Ending::UpstreamCut));
}

#[tokio::test]
async fn a_client_that_hangs_up_on_message_stop_has_not_left_early() {
    let mut house = House::with(&["work"]).await;
    let mut reply = house.ask_stream().await;
    let mut text = String::new();
    while !text.contains("message_stop\"}") {
        text += &String::from_utf8_lossy(&reply.piece().await.unwrap().unwrap());
    }
    drop(reply);
    assert_eq!(house.ended().await.ending, Some(Ending::Complete));
}

#[tokio::test]
async fn s01_what_a_request_held_is_free_when_it_ends_in_whatever_way() {
    let mut house = House::with(&["work"]).await;
    let answer = Answer::default;
    house.script(
        "work",
        [
            Behaviour::Answer(answer()),
            Behaviour::CutMidStream { after: 2, reset: false, answer: answer() },
            Behaviour::InStreamError { after: 2, answer: answer() },
            Behaviour::Overloaded,
            Behaviour::DropBeforeHead { reset: true },
        ],
    );
    for _ in 0..5 {
        house.ask_stream().await.until_end_or_cut().await;
        house.ended().await;
    }
    let gateway = &house.app.api().gateway;
    assert_eq!(gateway.admission.occupancy().running, 0);
    assert_eq!(gateway.roster.snapshot().contenders[0].load.count(), 0, "no lease is left");
    assert_eq!(house.written().await.len(), 5);
}

#[tokio::test]
async fn a_whole_json_answer_that_is_no_object_is_complete() {
    let mut house = House::with(&[]).await;
    for body in ["[1,2,3]", "null", "{\"a\":1}\n{\"a\":2}\n", ""] {
        let wire = Wire::saying([wire::Reply::Keep(wire::answer("200 OK", "application/json", body))]).await;
        let id = wire.account(&house, "work", 0);
        assert_eq!(house.client.get("/v1/files/f/content").await.text().await, body);
        let exchange = house.ended().await;
        assert_eq!(exchange.ending, Some(Ending::Complete), "{body:?}: its length says that it is whole");
        house.app.api().gateway.roster.remove(id).unwrap();
    }
}

#[tokio::test]
async fn a_cut_error_answer_is_passed_on_as_a_cut() {
    let house = House::with(&[]).await;
    let cut =
        "HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let wire = Wire::saying([wire::Reply::Close(cut.into())]).await;
    wire.account(&house, "work", 0);
    let (text, was_cut) = house.ask().await.until_end_or_cut().await;
    assert_eq!(text, "hello");
    assert!(was_cut, "half an answer does not look whole");
}

#[tokio::test]
async fn every_request_that_reaches_an_upstream_is_an_attempt_on_record() {
    let mut house = House::with(&[]).await;
    let fine = || wire::answer("200 OK", "application/json", "{}");
    let wire = Wire::saying([
        wire::Reply::Keep(fine()),
        wire::Reply::Close(String::new()),
        wire::Reply::Keep(fine()),
    ])
    .await;
    wire.account(&house, "work", 0);
    let address = house.app.api().status().address.unwrap();
    let authority = address.trim_start_matches("http://");
    // One connection, so that one worker serves both and has a warm line for the second.
    let mut socket = tokio::net::TcpStream::connect(authority).await.unwrap();
    let body = ask("claude-opus-5-5", false);
    let length = body.len();
    let request =
        format!("POST /v1/messages HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut attempts = 0;
    for _ in 0..2 {
        socket.write_all(request.as_bytes()).await.unwrap();
        attempts += house.ended().await.attempts.len();
    }
    assert_eq!(wire.heard(), attempts, "what may be billed is on record");
}

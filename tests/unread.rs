//! A client that stops reading, its connection open: its place, its account and its upstream are free once it has
//! taken nothing for as long as it may.

use headgate::{domain::Ending, settings::Limits};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{House, Wire, aside, ask, soon, wire};

fn ok() -> wire::Reply {
    wire::Reply::Keep(wire::answer("200 OK", "application/json", r#"{"type":"message","content":[]}"#))
}

/// More than the buffers on the way hold, in events.
fn endless() -> wire::Reply {
    let event = format!("event: ping\ndata: {}\n\n", "x".repeat(1 << 20));
    let chunk = [format!("{:x}\r\n", event.len()).as_bytes(), event.as_bytes(), b"\r\n"].concat();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let pieces = std::iter::repeat_n(wire::Step::Bytes(chunk), 48);
    wire::Reply::Steps(std::iter::once(wire::Step::Bytes(head.into())).chain(pieces).collect())
}

/// With one place; what an upstream says comes at once, and silence is no matter.
async fn house() -> House {
    let limits = Limits { concurrent_requests: 1, unread_seconds: 0.4, ..Limits::default() };
    House::within(limits, &[]).await
}

async fn until_it_was_left(house: &mut House) {
    assert_eq!(house.ended().await.ending, Some(Ending::ClientLeft));
    let reply = soon("an answer", house.ask()).await;
    assert_eq!(reply.status, StatusCode::OK, "its place is free");
    assert_eq!(house.ended().await.ending, Some(Ending::Complete));
}

#[tokio::test]
async fn a_client_that_stops_reading_gives_its_place_back() {
    let mut house = house().await;
    let upstream = Wire::saying([endless(), ok()]).await;
    upstream.account(&house, "work", 0);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(house.app.start().unwrap()).await.unwrap();
    let body = ask("claude-opus-5-5", true);
    let head =
        format!("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.unwrap();
    soon("the beginning", socket.read_exact(&mut [0; 100])).await.unwrap();
    until_it_was_left(&mut house).await;
    let mut rest = Vec::new();
    let _ = soon("the end of the connection", socket.read_to_end(&mut rest)).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it is cut, not ended as if it were whole");
}

#[tokio::test]
async fn over_http_2_the_one_stream_that_nobody_reads_is_reset_and_the_others_go_on() {
    let mut house = house().await;
    let upstream = Wire::saying([endless(), ok(), ok()]).await;
    upstream.account(&house, "work", 0);
    let socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    let _running = aside(connection);
    let mut send = || {
        let request = http::Request::post("http://localhost/v1/messages").body(()).unwrap();
        let (answer, mut to) = client.send_request(request, false).unwrap();
        to.send_data(ask("claude-opus-5-5", true).into(), true).unwrap();
        answer
    };
    let mut unread = soon("an answer", send()).await.unwrap().into_body();
    until_it_was_left(&mut house).await;
    let answer = soon("an answer on the same connection", send()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let reset = soon("the reset", async {
        loop {
            match unread.data().await {
                Some(Ok(_)) => {}
                other => return other,
            }
        }
    })
    .await;
    assert!(matches!(reset, Some(Err(error)) if error.is_reset()), "only that stream is gone");
}

#[tokio::test]
async fn a_stream_over_http_2_whose_last_event_nobody_took_is_not_complete() {
    let ping = |size| format!("event: ping\ndata: {}\n\n", "x".repeat(size));
    let chunk = |data: &str| format!("{:x}\r\n{data}\r\n", data.len());
    let bytes = |text: String| wire::Step::Bytes(text.into_bytes());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\"}}\n\n";
    let last = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n";
    let stop = chunk("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    let end = "0\r\n\r\n";
    // The last piece comes alone, with the end of the body, or is supplied.
    for (ends, then) in [("", stop.clone()), ("", stop + end), (end, String::new())] {
        let mut house = house().await;
        // A client that takes nothing has room for 64 KiB. They are full when the last piece comes, and it is kept.
        let steps = vec![
            bytes(head.to_owned() + &chunk(&(start.to_owned() + &ping(40_000)))),
            wire::Step::Wait,
            bytes(chunk(&(ping(26_000) + last)) + ends),
            wire::Step::Wait,
            bytes(then),
            wire::Step::Stall,
        ];
        let upstream = Wire::saying([wire::Reply::Steps(steps), ok()]).await;
        upstream.account(&house, "work", 0);
        let socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
        let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
        let _running = aside(connection);
        let request = http::Request::post("http://localhost/v1/messages").body(()).unwrap();
        let (answer, mut to) = client.send_request(request, false).unwrap();
        to.send_data(ask("claude-opus-5-5", true).into(), true).unwrap();
        let _unread = soon("an answer", answer).await.unwrap().into_body();
        until_it_was_left(&mut house).await;
    }
}

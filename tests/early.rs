//! Upstreams that answer before they have read a request, or that never read it.

use headgate::domain::Ending;
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::harness::{House, aside, ask, soon};

/// More than the buffers of a connection hold.
const LARGE: usize = 24 << 20;

fn large() -> String {
    ask("claude-opus-5-5", false).replace("\"hi\"", &format!("\"{}\"", "x".repeat(LARGE)))
}

async fn upstream(house: &House) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    house.add("work", &format!("http://{}", listener.local_addr().unwrap()), 0);
    listener
}

/// The next connection, with the head of a request read off it and the length of its body.
async fn next(listener: &TcpListener) -> (TcpStream, usize) {
    let (mut socket, _) = soon("a connection", listener.accept()).await.unwrap();
    let length = head(&mut socket).await;
    (socket, length)
}

async fn head(socket: &mut TcpStream) -> usize {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("a head", socket.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap()
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

const TOO_LARGE: &str = r#"{"type":"error","error":{"type":"request_too_large","message":"No"}}"#;

#[tokio::test]
async fn an_answer_that_comes_before_the_request_was_read_is_heard_though_the_connection_is_reset() {
    let mut house = House::with(&[]).await;
    let listener = upstream(&house).await;
    let client = house.client.clone();
    let mut asking = aside(async move {
        let reply = client.post("/v1/messages", large()).await;
        (reply.status, reply.bytes().await)
    });
    let (mut socket, _) = next(&listener).await;
    socket.write_all(answer("413 Content Too Large", TOO_LARGE).as_bytes()).await.unwrap();
    // What has come of the body is not read, so this resets the connection.
    drop(socket);
    let (status, body) = soon("the answer", asking.join_next()).await.unwrap().unwrap();
    assert_eq!((status, &body[..]), (StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE.as_bytes()));
    assert_eq!(house.ended().await.status, Some(413));
}

#[tokio::test]
async fn a_connection_whose_request_was_never_read_carries_no_other_one() {
    let mut house = House::with(&[]).await;
    let listener = upstream(&house).await;
    let client = house.client.clone();
    let mut asking = aside(async move {
        let reply = client.post("/v1/messages", large()).await;
        (reply.status, reply.bytes().await)
    });
    let (mut first, length) = next(&listener).await;
    first.write_all(answer("413 Content Too Large", TOO_LARGE).as_bytes()).await.unwrap();
    assert_eq!(
        soon("the answer", asking.join_next()).await.unwrap().unwrap().0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    house.ended().await;
    let mut rest = Vec::new();
    let _ = soon("the connection to be closed", first.read_to_end(&mut rest)).await;
    assert!(rest.len() < length, "the rest of the body is not sent");

    let client = house.client.clone();
    let mut asking = aside(async move { client.post("/v1/messages", ask("m", false)).await.bytes().await });
    let (mut second, _) = next(&listener).await;
    second.write_all(answer("200 OK", r#"{"type":"message"}"#).as_bytes()).await.unwrap();
    assert_eq!(&soon("the answer", asking.join_next()).await.unwrap().unwrap()[..], br#"{"type":"message"}"#);
}

#[tokio::test]
async fn a_request_is_sent_to_its_end_while_its_answer_is_already_read() {
    let mut house = House::with(&[]).await;
    let listener = upstream(&house).await;
    let client = house.client.clone();
    let mut asking = aside(async move {
        let mut reply = client.post("/v1/messages", large()).await;
        let first = reply.piece().await.unwrap().unwrap();
        (first, reply)
    });
    let (mut socket, length) = next(&listener).await;
    socket
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n")
        .await
        .unwrap();
    let (first, reply) = soon("the first piece", asking.join_next()).await.unwrap().unwrap();
    assert_eq!(&first[..], b"{");
    let mut reading = aside(reply.bytes());
    let mut body = vec![0; length];
    soon("the rest of the request", socket.read_exact(&mut body)).await.unwrap();
    assert!(body.ends_with(b"}]}"));
    socket.write_all(b"1\r\n}\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(&soon("the end", reading.join_next()).await.unwrap().unwrap()[..], b"}");
    assert_eq!(house.ended().await.ending, Some(Ending::Complete));
}

#[tokio::test]
async fn a_client_that_leaves_while_its_request_is_written_ends_the_connection() {
    let mut house = House::with(&[]).await;
    let listener = upstream(&house).await;
    let client = house.client.clone();
    let asking = aside(async move { client.post("/v1/messages", large()).await });
    let (mut socket, length) = next(&listener).await;
    drop(asking);
    assert_eq!(house.ended().await.ending, Some(Ending::ClientLeft));
    let mut rest = Vec::new();
    let _ = soon("the connection to be closed", socket.read_to_end(&mut rest)).await;
    assert!(rest.len() < length);
}

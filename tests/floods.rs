//! Clients that mean no good over connections that they may have: they are cut off, others are served
//! meanwhile, and nothing of theirs goes on.

use std::time::Duration;

use headgate::{
    sandbox::{Answer, Behaviour},
    settings::{Limits, Listen, ListenTls, Network},
};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf},
};

use crate::harness::{Client, House, Program, aside, ask, soon, visit::port_of};

const GOAWAY: u8 = 7;
const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A whole request for a message.
fn open(stream: u32) -> Vec<u8> {
    let path = b"/v1/messages";
    // POST and http stand in HPACK's static table; the path and the authority follow their names there.
    let mut head = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend_from_slice(path);
    head.extend_from_slice(b"\x01\x09localhost");
    let body = ask("claude-opus-5-5", false);
    [frame(1, 0x4, stream, &head), frame(0, 0x1, stream, body.as_bytes())].concat()
}

fn reset(stream: u32) -> Vec<u8> {
    frame(3, 0, stream, &8u32.to_be_bytes())
}

/// A connection over HTTP/2 that may write whatever it likes.
async fn connect(house: &House) -> TcpStream {
    let mut socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    let settings = frame(4, 0, 0, &[]);
    socket.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings.as_slice()].concat()).await.unwrap();
    socket
}

/// Reads frames up to the end of the connection, and returns the last goodbye's reason.
async fn goodbye(mut from: OwnedReadHalf) -> Option<u32> {
    let mut reason = None;
    let mut head = [0; 9];
    while from.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        if from.read_exact(&mut payload).await.is_err() {
            break;
        }
        if head[3] == GOAWAY {
            reason = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    reason
}

/// Nobody is served or waits, and no upstream is still busy.
async fn until_calm(house: &House) {
    soon("everything to end", async {
        loop {
            let status = house.app.api().status();
            if status.running + status.waiting + status.held == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    house.sandbox.await_counts("nobody to be served", |counts| counts.open == 0).await.unwrap();
}

#[tokio::test]
async fn whoever_opens_and_resets_streams_without_end_is_cut_off() {
    let house = House::with(&["work"]).await;
    let (from, mut to) = connect(&house).await.into_split();
    let flood = aside(async move {
        for burst in 0.. {
            let streams = (0..100).map(|n| (burst * 100 + n) * 2 + 1);
            let frames: Vec<u8> = streams.flat_map(|stream| [open(stream), reset(stream)].concat()).collect();
            if to.write_all(&frames).await.is_err() {
                return;
            }
        }
    });
    assert_eq!(house.ask().await.status, StatusCode::OK, "others are served");
    assert_eq!(soon("a goodbye", goodbye(from)).await, Some(ENHANCE_YOUR_CALM));
    drop(flood);
    until_calm(&house).await;
    assert_eq!(house.ask().await.status, StatusCode::OK, "and afterwards");
}

#[tokio::test]
async fn whoever_leaves_one_request_after_the_other_is_cut_off_too() {
    let house = House::with(&["work"]).await;
    let (from, mut to) = connect(&house).await.into_split();
    let mut told = aside(goodbye(from));
    let mut asked = 0;
    let reason = loop {
        house.script("work", [Behaviour::SlowHead { gate: "never".into(), answer: Answer::default() }]);
        asked += 1;
        assert!(asked < 1000, "it is cut off");
        let _ = to.write_all(&open(asked * 2 - 1)).await;
        // It has reached the upstream before it is left, so none is refused unseen.
        tokio::select! {
            arrived = house.sandbox.await_counts("it", |seen| seen.arrived == u64::from(asked)) => arrived.unwrap(),
            reason = told.join_next() => break reason.unwrap().unwrap(),
        }
        if asked % 50 == 0 {
            let models = house.client.get("/v1/models").await;
            assert_eq!(models.status, StatusCode::OK, "others are served meanwhile");
        }
        let _ = to.write_all(&reset(asked * 2 - 1)).await;
    };
    assert_eq!(reason, Some(NO_ERROR), "it was told before");
    assert!(asked > 256, "{asked} requests were begun");
    until_calm(&house).await;
}

#[tokio::test]
async fn whoever_reads_its_answers_may_ask_for_as_many_as_it_likes() {
    let house = House::with(&["work"]).await;
    let socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    let _running = aside(connection);
    for _ in 0..700 {
        let request = http::Request::get("http://localhost/api/hello").body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        assert_eq!(soon("an answer", answer).await.unwrap().status(), StatusCode::OK);
    }
    for _ in 0..300 {
        let request = http::Request::post("http://localhost/v1/messages").body(()).unwrap();
        let (answer, mut to) = client.send_request(request, false).unwrap();
        to.send_data(ask("claude-opus-5-5", true).into(), true).unwrap();
        let mut body = soon("an answer", answer).await.unwrap().into_body();
        while let Some(piece) = body.data().await {
            body.flow_control().release_capacity(piece.unwrap().len()).unwrap();
        }
    }
}

/// A house that is reached from other machines.
async fn open_house(limits: Limits) -> (House, String) {
    let listen = Listen { address: "0.0.0.0:0".parse().unwrap(), tls: ListenTls::Off };
    let house = House::on(limits, Network { listen: vec![listen], ..Network::default() }, &["work"]).await;
    let address = format!("127.0.0.1:{}", port_of(&house));
    (house, address)
}

#[tokio::test]
async fn a_stranger_whose_body_does_not_end_is_answered_soon_and_not_heard_out() {
    let (house, address) = open_house(Limits { client_seconds: 0.3, ..Limits::default() }).await;
    for credential in ["", "x-api-key: hg_guess\r\n"] {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\n{credential}content-length: 1000000\r\n\r\n{{"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut said = String::new();
        // A client of ours would be waited for for twenty seconds.
        let reading = tokio::time::timeout(Duration::from_secs(10), socket.read_to_string(&mut said));
        let _ = reading.await.expect("an answer and the end of the connection");
        assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    }
    assert!(house.written().await.is_empty());
}

#[tokio::test]
async fn of_a_strangers_large_body_little_is_read() {
    let (house, address) = open_house(Limits::default()).await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let head = format!("POST /v1/messages HTTP/1.1\r\nhost: {address}\r\ncontent-length: 200000000\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = socket.into_split();
    let writing = async {
        let piece = vec![b'x'; 1 << 20];
        let mut written = 0;
        while written < 200 && to.write_all(&piece).await.is_ok() {
            written += 1;
        }
        written
    };
    let mut first = [0; 12];
    let (written, said) = soon("the end", async { tokio::join!(writing, from.read_exact(&mut first)) }).await;
    assert!(written < 64, "{written} MiB were taken");
    assert!(said.is_err() || &first == b"HTTP/1.1 401", "a reset may overtake the answer");
    assert!(house.written().await.is_empty());
}

#[tokio::test]
async fn a_stranger_whose_body_is_of_the_usual_size_hears_the_answer() {
    let (_house, address) = open_house(Limits::default()).await;
    let tasks = headgate::tasks::Tasks::default();
    let reply =
        Client::to(&format!("http://{address}"), &tasks).post("/v1/messages", "x".repeat(900_000)).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(reply.text().await.contains("headgate keys add"));
    tasks.stop();
}

#[cfg(unix)]
#[tokio::test]
async fn a_want_of_file_descriptors_is_told_once_when_it_begins_and_once_when_it_is_over() {
    let program = Program::new();
    let served = program.serve_with_files(64);
    let address = served.url.trim_start_matches("http://");
    let count = |words: &str| program.log().matches(words).count();
    let mut held = Vec::new();
    soon("the files to run out", async {
        while count("can't be accepted") == 0 {
            held.push(TcpStream::connect(address).await.unwrap());
        }
    })
    .await;
    // Those that wait are let in one by one as others leave, and it is still the same want.
    for _ in 0..20 {
        held.remove(0);
        held.push(TcpStream::connect(address).await.unwrap());
    }
    held.clear();
    let tasks = headgate::tasks::Tasks::default();
    let client = Client::to(&served.url, &tasks);
    soon("connections to be accepted again", async {
        while count("are accepted again") == 0 {
            assert_eq!(client.get("/api/hello").await.status, StatusCode::OK);
        }
    })
    .await;
    tasks.stop();
    assert!(served.stop().success());
    assert_eq!((count("can't be accepted"), count("are accepted again")), (1, 1), "{}", program.log());
}

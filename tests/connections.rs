//! The way in: listeners beyond the loopback, and connections that mean no good.

use std::time::Duration;

use bytes::Bytes;
use headgate::settings::{Limits, Listen, ListenTls, Network};
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    House, aside, soon,
    visit::{Secured, port_of, visit},
};

fn quick() -> Limits {
    Limits { client_seconds: 0.2, ..Limits::default() }
}

fn listening_on(address: &str) -> Network {
    let listen = Listen { address: address.parse().unwrap(), tls: ListenTls::SelfSigned };
    Network { listen: vec![listen], hosts: vec!["headgate.lan".into()], ..Network::default() }
}

fn certificate(house: &House) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(house.folder.path().join("certificate.pem")).unwrap()
}

/// Shakes hands as a client that trusts nothing but our certificate. Returns the one it was shown too.
async fn shake(house: &House, name: &str, alpn: &str) -> std::io::Result<(Secured, CertificateDer<'static>)> {
    visit(house, &house.folder.path().join("certificate.pem"), name, alpn).await
}

/// Asks over TLS under this name. Returns version, status and body.
async fn ask_as(house: &House, name: &str, path: &str, alpn: &str) -> (Version, StatusCode, String) {
    let (io, _) = shake(house, name, alpn).await.unwrap();
    let url = format!("https://{name}:{}{path}", port_of(house));
    let request = Request::get(if alpn == "h2" { url.as_str() } else { path });
    let request = if alpn == "h2" { request } else { request.header("host", name) };
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let mut running = tokio::task::JoinSet::new();
    let answer = if alpn == "h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
        running.spawn(async move { drop(connection.await) });
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.unwrap();
        running.spawn(async move { drop(connection.await) });
        sender.send_request(request).await.unwrap()
    };
    let (version, status) = (answer.version(), answer.status());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (version, status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn beyond_the_loopback_nobody_comes_in_without_a_key() {
    let house = House::on(Limits::default(), listening_on("0.0.0.0:0"), &["work"]).await;
    assert!(house.app.api().status().listeners[0].needs_key);
    for path in ["/v1/models", "/api/v1/status", "/api/hello", "/"] {
        for (alpn, expected) in [("h2", Version::HTTP_2), ("http/1.1", Version::HTTP_11)] {
            let (version, status, body) = ask_as(&house, "localhost", path, alpn).await;
            assert_eq!((version, status), (expected, StatusCode::UNAUTHORIZED), "{path}: {body}");
            assert!(body.contains("authentication_error") && body.contains("key"), "{body}");
        }
    }
    assert!(house.written().await.is_empty(), "nothing was passed on");
}

#[tokio::test]
async fn beyond_the_loopback_a_key_opens_what_its_scopes_say_and_a_token_opens_nothing() {
    let house = House::on(Limits::default(), listening_on("0.0.0.0:0"), &["work"]).await;
    let terms = r#"{"name":"laptop","scopes":["proxy"]}"#;
    let made = house.client.call(house.token(), http::Method::POST, "/api/v1/keys", terms).await.json().await;
    let secret = made["secret"].as_str().unwrap();
    for (path, bearer, expected) in [
        ("/v1/models", secret, "200"),
        ("/api/v1/status", secret, "403"),
        ("/", secret, "401"),
        ("/api/v1/session", secret, "401"),
        ("/api/v1/status", house.token(), "401"),
        ("/v1/models", "hg_wrong", "401"),
    ] {
        let (mut io, _) = shake(&house, "localhost", "http/1.1").await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {bearer}\r\nconnection: close\r\n\r\n"
        );
        io.write_all(head.as_bytes()).await.unwrap();
        let mut said = String::new();
        let _ = soon("an answer", io.read_to_string(&mut said)).await;
        assert_eq!(said.get(9..12), Some(expected), "{path}: {said}");
    }
}

#[tokio::test]
async fn tls_on_the_loopback_serves_under_the_names_that_were_given_and_no_others() {
    let house = House::on(Limits::default(), listening_on("127.0.0.1:0"), &["work"]).await;
    for name in ["localhost", "127.0.0.1", "headgate.lan"] {
        for alpn in ["h2", "http/1.1"] {
            assert_eq!(ask_as(&house, name, "/api/hello", alpn).await.1, StatusCode::OK, "{name}");
        }
    }
    let (mut io, _) = shake(&house, "localhost", "http/1.1").await.unwrap();
    io.write_all(b"GET /api/hello HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let _ = io.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn the_fingerprint_that_is_told_is_that_of_the_certificate_that_is_shown() {
    let house = House::on(Limits::default(), listening_on("127.0.0.1:0"), &[]).await;
    let (_, shown) = shake(&house, "localhost", "h2").await.unwrap();
    let pairs: Vec<String> = Sha256::digest(&shown).iter().map(|byte| format!("{byte:02X}")).collect();
    let told = house.client.call(house.token(), http::Method::GET, "/api/v1/status", "").await.json().await;
    assert_eq!(told["listeners"][0]["fingerprint"], pairs.join(":"));
}

#[tokio::test]
async fn a_certificate_of_ours_is_renewed_while_we_run() {
    let house = House::on(Limits::default(), listening_on("127.0.0.1:0"), &[]).await;
    let first = certificate(&house);
    house.clock.advance(Duration::from_hours(24 * 380));
    soon("another certificate to be shown", async {
        loop {
            // A failure says that it was renewed between our look at the file and the handshake.
            let Ok((_, shown)) = shake(&house, "localhost", "h2").await else { continue };
            if shown != first {
                return;
            }
        }
    })
    .await;
}

/// Sends this and waits until the other side closes. Returns what it said.
async fn closed_after(house: &House, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let _ = soon("the connection to be closed", socket.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_connection_that_sends_nothing_or_stops_half_way_is_closed() {
    let house = House::on(quick(), Network::default(), &["work"]).await;
    for bytes in [
        "",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nhost: loc",
        "GET /api/hello HTTP/1.1\r\nhost: localhost\r\n\r\nGET /api/he",
        "GET /api/hello HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ] {
        closed_after(&house, bytes.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_tls_handshake_that_stops_half_way_is_closed() {
    let house = House::on(quick(), listening_on("127.0.0.1:0"), &[]).await;
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut socket = TcpStream::connect(("127.0.0.1", port_of(&house))).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let _ = soon("it to be closed", socket.read_to_end(&mut Vec::new())).await;
    }
}

#[tokio::test]
async fn a_request_that_takes_longer_than_the_limit_is_not_idle() {
    let mut house = House::on(quick(), Network::default(), &["work"]).await;
    let answer = headgate::sandbox::Answer::default();
    house.script("work", [headgate::sandbox::Behaviour::SlowHead { gate: "go".into(), answer }]);
    let client = house.client.clone();
    let mut asking = aside(async move {
        client.post("/v1/messages", crate::harness::ask("claude-opus-5-5", false)).await.status
    });
    // Another connection idles through its limit meanwhile, twice.
    closed_after(&house, b"").await;
    closed_after(&house, b"").await;
    closed_after(&house, b"").await;
    house.sandbox.release("go");
    assert_eq!(asking.join_next().await.unwrap().unwrap(), StatusCode::OK);
    house.ended().await;
}

#[tokio::test]
async fn a_half_sent_head_does_not_hold_a_drain() {
    let house = House::on(Limits::default(), Network::default(), &[]).await;
    let mut socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    socket.write_all(b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\n\r\nPOST /v1/mess").await.unwrap();
    let mut first = [0; 12];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // The limits for a head and for a drain are a minute and half of one.
    soon("the drain", house.app.drain()).await;
}

#[tokio::test]
async fn heads_are_bounded_in_number_and_in_size() {
    let house = House::with(&["work"]).await;
    let head = |more: String| {
        format!("GET /api/hello HTTP/1.1\r\nhost: localhost\r\n{more}connection: close\r\n\r\n")
    };
    let many = (0..98).map(|n| format!("x-{n}: 1\r\n")).collect::<Vec<_>>().concat();
    assert!(closed_after(&house, head(many.clone()).as_bytes()).await.starts_with("HTTP/1.1 200"));
    assert!(closed_after(&house, head(many + "x-98: 1\r\n").as_bytes()).await.starts_with("HTTP/1.1 431"));
    let large = format!("x: {}\r\n", "a".repeat(500 * 1024));
    let said = closed_after(&house, head(large).as_bytes()).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test]
async fn over_http_2_headers_are_bounded_in_number_too() {
    let house = House::with(&["work"]).await;
    let socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    let _running = aside(connection);
    for (count, expected) in [(100, StatusCode::OK), (101, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)] {
        let mut request = Request::get("http://localhost/v1/models");
        for n in 0..count {
            request = request.header(format!("x-{n}"), "1");
        }
        let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
        assert_eq!(soon("an answer", answer).await.unwrap().status(), expected, "{count} headers");
    }
}

/// The kernel's own word on a connection: which timer runs on its socket (proc(5), `/proc/net/tcp`).
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_is_silent_is_asked_whether_it_is_there() {
    const KEEPALIVE: &str = "02";
    let house = House::with(&["work"]).await;
    let address = house.app.start().unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    // Once it is answered it was accepted.
    socket.write_all(b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    socket.read_exact(&mut [0; 12]).await.unwrap();
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
    let own = (address.port(), socket.local_addr().unwrap().port());
    let timer = soon("the timer", async {
        loop {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
            let found = fields.into_iter().find(|fields| (port(fields[1]), port(fields[2])) == own);
            let timer = found.unwrap()[5].split(':').next().unwrap().to_owned();
            // The answer itself is being acknowledged first.
            if timer != "01" {
                break timer;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(timer, KEEPALIVE);
}

#[tokio::test]
async fn tunnels_and_other_protocols_are_refused_with_a_sentence() {
    let house = House::with(&["work"]).await;
    let tunnel = b"CONNECT api.anthropic.com:443 HTTP/1.1\r\nhost: api.anthropic.com:443\r\n\r\n";
    let said = closed_after(&House::on(quick(), Network::default(), &[]).await, tunnel).await;
    assert!(said.starts_with("HTTP/1.1 405") && said.contains("no proxy for CONNECT"), "{said}");
    let upgrade = |to: &str| {
        format!(
            "GET /v1/files HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: {to}\r\n\r\n"
        )
    };
    let said = closed_after(&house, upgrade("websocket").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("changes to no other protocol"), "{said}");
    assert!(closed_after(&house, upgrade("h2c").as_bytes()).await.starts_with("HTTP/1.1 404"), "passed on");
    let crooked = b"GET /v1//models%00 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(closed_after(&house, crooked).await.contains("an empty segment"));
    assert_eq!(house.sandbox.seen("key-work").len(), 1, "nothing of it went upstream but what may");
}

#[tokio::test]
async fn beyond_the_bound_a_connection_is_closed_at_once_and_a_place_comes_back() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let house = House::on(limits, Network::default(), &[]).await;
    let hello = b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut first = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    first.write_all(b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    assert_eq!(closed_after_or_reset(&house, hello).await, "", "there is no place");
    drop(first);
    soon("a place to come back", async { while closed_after_or_reset(&house, hello).await.is_empty() {} })
        .await;
}

/// As `closed_after`, for a connection that may be gone before anything was written.
async fn closed_after_or_reset(house: &House, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(house.app.start().unwrap()).await.unwrap();
    let mut said = Vec::new();
    if socket.write_all(bytes).await.is_ok() {
        let _ = soon("the connection to be closed", socket.read_to_end(&mut said)).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}

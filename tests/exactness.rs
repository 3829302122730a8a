//! Identical to the byte, whatever the bytes are; and where a rule changes the model, nothing but the model.

use std::{collections::BTreeMap, io::Write, sync::Arc};

use bytes::Bytes;
use headgate::{
    accounts::Change,
    domain::{Ending, Exchange},
};
use http::{Method, Request, StatusCode};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    Echo, House, ask,
    echo::{chunked, sized},
};

/// A house with one account whose upstream answers with any bytes.
struct Through {
    house: House,
    echo: Echo,
}

impl Through {
    async fn start(models: &[(&str, &str)]) -> Self {
        let house = House::with(&[]).await;
        let echo = Echo::start().await;
        let id = echo.account(&house, "work");
        let models: BTreeMap<_, _> =
            models.iter().map(|(asked, sent)| ((*asked).to_owned(), (*sent).to_owned())).collect();
        let change = Change { models: Some(models), ..Change::default() };
        house.app.api().gateway.roster.change(id, change).unwrap();
        Self { house, echo }
    }

    /// Sends this, has it answered so, and returns what went up, what came back and the record.
    async fn send(&mut self, body: &[u8], reply: Vec<u8>) -> (Vec<u8>, Bytes, Arc<Exchange>) {
        self.echo.say(reply);
        let back = self.house.client.post("/v1/messages", Bytes::copy_from_slice(body)).await.bytes().await;
        (self.echo.seen().body, back, self.house.ended().await)
    }
}

/// Values as no serialiser would write them twice the same way.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let fixed: Vec<&[u8]> = vec![
        b"1e999",
        b"-0.0",
        b"123456789012345678901234567890.12345678901234567890",
        b"\"\\ud83d\"",
        b"\"\\udc00\\u0000\\/\"",
        b"\"\xff\xfe\xc3\"",
        b"{\"model\":\"inner\",\"model\":\"inner\"}",
        b"[ ]",
        b"{\"a\" :\t[1.0,1.00,{}]}",
        b"null",
    ];
    prop_oneof![
        proptest::sample::select(fixed).prop_map(<[u8]>::to_vec),
        ".{0,24}".prop_map(|text| serde_json::to_vec(&text).unwrap()),
    ]
}

/// A body in two halves, between which the model's name stands.
fn around() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let blank = || "[ \t\r\n]{0,2}".prop_map(String::into_bytes);
    let field = || ("[a-z\\\\/n]{1,3}|stream|stream|metadata", value(), blank());
    let fields = || proptest::collection::vec(field(), 0..4);
    (fields(), fields(), blank()).prop_map(|(before, after, blank)| {
        let write = |fields: Vec<(String, Vec<u8>, Vec<u8>)>| {
            let mut bytes = Vec::new();
            for (name, value, blank) in fields {
                let name = serde_json::to_vec(&name).unwrap();
                bytes.extend([blank.as_slice(), &name, b":", &blank, &value, b","].concat());
            }
            bytes
        };
        let head = [blank.as_slice(), b"{", &write(before), b"\"model\"", &blank, b":", &blank].concat();
        let tail = [b",", write(after).as_slice(), b"\"messages\":[]", &blank, b"}", &blank].concat();
        (head, tail)
    })
}

fn check<S: Strategy>(strategy: S, mut claim: impl FnMut(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) };
    let claim = std::cell::RefCell::new(&mut claim);
    TestRunner::new(config).run(&strategy, |value| (claim.borrow_mut())(value)).unwrap();
}

#[test]
fn request_and_answer_are_identical_to_the_byte_where_no_rule_applies() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut through = runtime.block_on(Through::start(&[("another-model", "x")]));
    let answers = (proptest::collection::vec(any::<u8>(), 0..600), any::<bool>(), 1usize..80, 0usize..3);
    check((around(), value(), answers), |((head, tail), model, (answer, is_sized, size, kind))| {
        let body = [head.as_slice(), &model, &tail].concat();
        let kind = ["application/json", "text/event-stream", "application/octet-stream"][kind];
        let reply = if is_sized { sized(kind, "", &answer) } else { chunked(kind, "", &answer, size) };
        let (up, back, exchange) = runtime.block_on(through.send(&body, reply));
        prop_assert_eq!(up, body);
        prop_assert_eq!(back.to_vec(), answer);
        prop_assert!(exchange.changes.is_empty(), "{:?}", exchange.changes);
        Ok(())
    });
}

#[test]
fn a_rule_changes_the_models_bytes_and_no_others() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut through = runtime.block_on(Through::start(&[("claude-opus-5-5", "glm-5.2")]));
    check((around(), any::<bool>()), |((head, tail), is_spelt_oddly)| {
        let asked: &[u8] = if is_spelt_oddly { b"\"claude-\\u006fpus-5-5\"" } else { b"\"claude-opus-5-5\"" };
        let body = [head.as_slice(), asked, &tail].concat();
        let (up, _, exchange) = runtime.block_on(through.send(&body, sized("application/json", "", b"{}")));
        prop_assert_eq!(up, [head.as_slice(), b"\"glm-5.2\"", &tail].concat());
        prop_assert_eq!(&*exchange.changes, &["model: claude-opus-5-5 → glm-5.2".into()]);
        Ok(())
    });
}

#[tokio::test]
async fn a_large_body_gets_its_model_and_its_length() {
    let mut through = Through::start(&[("claude-opus-5-5", "a-model-with-a-rather-longer-name")]).await;
    let text = "x".repeat(5 << 20);
    let body = format!(r#"{{"messages":[{{"content":"{text}"}}],"model":"old","model":"claude-opus-5-5"}}"#);
    let (up, ..) = through.send(body.as_bytes(), sized("application/json", "", b"{}")).await;
    let body = body.replace("\"old\"", "\"claude-opus-5-5\"");
    assert!(up == body.replace("claude-opus-5-5", "a-model-with-a-rather-longer-name").into_bytes());
}

#[tokio::test]
async fn each_account_gets_the_model_under_its_own_name() {
    let mut house = House::with(&["work", "spare"]).await;
    let spare = house.app.api().gateway.roster.snapshot().contenders[1].account.id;
    let patch = format!("/api/v1/accounts/{}", spare.0);
    let models = r#"{"models":{"claude-opus-5-5":"glm-5.2"}}"#;
    let changed = house.client.call(house.token(), Method::PATCH, &patch, models).await.json().await;
    assert_eq!(changed["models"]["claude-opus-5-5"], "glm-5.2");
    house.script("work", [headgate::sandbox::Behaviour::CredentialRefused]);
    house.ask().await.bytes().await;
    let model = |key: &str| {
        let body = house.sandbox.seen(key)[0].body.clone();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["model"].clone()
    };
    assert_eq!((model("key-work"), model("key-spare")), ("claude-opus-5-5".into(), "glm-5.2".into()));
    let exchange = house.ended().await;
    assert_eq!(exchange.start.ask.model.as_deref(), Some("claude-opus-5-5"), "what was asked for");
    let written = house.written().await;
    assert_eq!(written[0].changes, ["model: claude-opus-5-5 → glm-5.2"]);
    for bad in [r#"{"models":{"a b":"c"}}"#, r#"{"models":{"a":""}}"#, r#"{"models":["a"]}"#] {
        let status = house.client.call(house.token(), Method::PATCH, &patch, bad).await.status;
        assert!(status.is_client_error(), "{bad}: {status}");
    }
}

#[tokio::test]
async fn where_an_account_translates_a_model_that_only_some_would_read_is_refused_and_never_sent() {
    let mut house = House::with(&[]).await;
    let echo = Echo::start().await;
    echo.say(sized("application/json", "", b"{}"));
    let id = echo.account(&house, "work");
    let roster = house.app.api().gateway.roster.clone();
    let mapped = |pairs: &[(&str, &str)]| {
        let models = pairs.iter().map(|(asked, sent)| ((*asked).into(), (*sent).into())).collect();
        let change = Change { models: Some(models), ..Change::default() };
        roster.change(id, change).unwrap();
    };
    let often = format!("{{{}}}", vec![r#""model":"m""#; 40].join(","));
    let bodies = [
        (often.as_str(), "too often"),
        (r#"{"model":"m","Model":"dear"}"#, "in another letter case"),
        (r#"{"m\u004fDEL":"dear","model":"m"}"#, "in another letter case"),
        (r#"{"model":"unknown","Model":"m"}"#, "in another letter case"),
        (r#"{"model":"m","model":"unknown"}"#, "twice"),
        (r#"{"MODEL":"m"}"#, "in another letter case"),
    ];
    mapped(&[("m", "z")]);
    for (body, sentence) in bodies {
        let reply = house.client.post("/v1/messages", body.to_owned()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
        let told = reply.text().await;
        assert!(told.contains(sentence), "{body}: {told}");
        let exchange = house.ended().await;
        assert!(exchange.error.as_deref().unwrap().contains(sentence), "{body}");
        assert!(house.standing("work").await["reason"].is_null(), "it is not the account's fault");
    }
    mapped(&[]);
    for (body, _) in bodies {
        echo.say(sized("application/json", "", b"{}"));
        assert_eq!(house.client.post("/v1/messages", body.to_owned()).await.status, StatusCode::OK);
        assert_eq!(echo.seen().body, body.as_bytes(), "without names to translate every byte passes");
    }
}

fn packed(encoding: &str, text: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(text).unwrap();
            packer.finish().unwrap()
        }
        "deflate" => {
            let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(text).unwrap();
            packer.finish().unwrap()
        }
        "br" => {
            let mut bytes = Vec::new();
            brotli::CompressorWriter::new(&mut bytes, 4096, 5, 20).write_all(text).unwrap();
            bytes
        }
        _ => zstd::encode_all(text, 3).unwrap(),
    }
}

#[tokio::test]
async fn a_packed_answer_passes_as_it_is_and_is_counted() {
    const JSON: &str = r#"{"model":"claude-opus-5-5","usage":{"input_tokens":7,"output_tokens":55}}"#;
    const STREAM: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-opus-5-5\",\"usage\":{\"input_tokens\":7}}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":55}}\n\n",
    );
    const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let mut through = Through::start(&[]).await;
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        for (kind, text, ending) in [
            ("application/json", JSON.to_owned(), Ending::Complete),
            ("text/event-stream", [STREAM, STOP].concat(), Ending::Complete),
            // Nothing of ours can stand in it, so what is missing stays missing.
            ("text/event-stream", STREAM.to_owned(), Ending::UpstreamCut),
        ] {
            let bytes = packed(encoding, text.as_bytes());
            let reply = chunked(kind, &format!("content-encoding: {encoding}\r\n"), &bytes, 9);
            let (_, back, exchange) = through.send(ask("claude-opus-5-5", true).as_bytes(), reply).await;
            assert_eq!(back, bytes, "{encoding}, {kind}");
            assert_eq!(exchange.ending, Some(ending), "{encoding}, {kind}");
            assert_eq!(
                (exchange.usage.input, exchange.usage.output),
                (Some(7), Some(55)),
                "{encoding}, {kind}"
            );
            assert_eq!(exchange.served_model.as_deref(), Some("claude-opus-5-5"));
        }
    }
}

#[tokio::test]
async fn a_packed_request_was_only_said_to_be_no_json() {
    let through = Through::start(&[]).await;
    let request = Request::post("/v1/messages").header("content-encoding", "gzip");
    let body = packed("gzip", ask("claude-opus-5-5", false).as_bytes());
    let reply = through.house.client.send(request.body(body.into()).unwrap()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    let said = reply.text().await;
    assert!(said.contains("content-encoding") && said.contains("send it without"), "{said}");
    let plain = Request::post("/v1/messages").header("content-encoding", "identity");
    let said = through.house.client.send(plain.body("{".into()).unwrap()).await.text().await;
    assert!(!said.contains("content-encoding"), "{said}");
}

#[tokio::test]
async fn a_bomb_passes_as_it_is_and_is_not_unpacked() {
    let mut through = Through::start(&[]).await;
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let bomb = packed(encoding, &vec![b' '; 16 << 20]);
        let more = format!("content-encoding: {encoding}\r\n");
        let (_, back, exchange) = through.send(b"{}", sized("application/json", &more, &bomb)).await;
        assert_eq!(back, bomb);
        assert_eq!(exchange.ending, Some(Ending::Complete), "its length says that it is whole");
        assert_eq!(exchange.usage.output, None);
    }
}

#[tokio::test]
async fn what_speaks_of_one_connection_stays_on_it() {
    let mut through = Through::start(&[]).await;
    let more = concat!(
        "connection: x-hop, content-encoding\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n",
        "trailer: x-sum\r\nupgrade: h2c\r\nproxy-authenticate: Basic\r\nx-kept: yes\r\ncontent-encoding: gzip\r\n",
    );
    let body = packed("gzip", b"{}");
    through.echo.say(chunked("application/json", more, &body, 5));
    let request = Request::post("/v1/messages")
        .header("connection", "x-mine, te")
        .header("x-mine", "1")
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .header("keep-alive", "timeout=5")
        .header("proxy-connection", "keep-alive")
        .header("proxy-authorization", "Basic secret")
        .header("x-headgate-account", "work")
        .header("x-kept", "yes");
    let reply = through.house.client.send(request.body(ask("m", false).into()).unwrap()).await;
    for gone in ["x-hop", "keep-alive", "proxy-connection", "trailer", "upgrade", "proxy-authenticate"] {
        assert_eq!(reply.header(gone), "", "{gone} is between us and the upstream");
    }
    assert_eq!((reply.header("x-kept"), reply.header("content-encoding")), ("yes", "gzip"));
    assert_eq!(reply.bytes().await, body);
    let head = through.echo.seen().head.to_ascii_lowercase();
    for gone in ["x-mine", "\r\nte:", "trailer", "keep-alive", "proxy-", "x-headgate-", "secret", "chunked"] {
        assert!(!head.contains(gone), "{gone} is between the client and us: {head}");
    }
    assert!(head.contains("x-kept: yes"));
    assert_eq!(through.house.ended().await.ending, Some(Ending::Complete));
}

#[tokio::test]
async fn a_client_that_waits_for_continue_is_told_by_us() {
    let mut through = Through::start(&[]).await;
    through.echo.say(sized("application/json", "", b"{}"));
    let address = through.house.app.api().status().address.unwrap();
    let authority = address.trim_start_matches("http://");
    let mut socket = TcpStream::connect(authority).await.unwrap();
    let body = ask("m", false);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {authority}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    socket.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(through.house.ended().await.ending, Some(Ending::Complete));
    let seen = through.echo.seen();
    assert_eq!(seen.body, body.as_bytes());
    assert!(!seen.head.to_ascii_lowercase().contains("expect"), "{}", seen.head);
}

#[tokio::test]
async fn a_reason_phrase_of_its_own_comes_through() {
    let mut through = Through::start(&[]).await;
    for phrase in ["Fine by me", "OK"] {
        let reply = format!(
            "HTTP/1.1 200 {phrase}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        through.echo.say(reply.into_bytes());
        let address = through.house.app.api().status().address.unwrap();
        let address = address.trim_start_matches("http://").to_owned();
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let body = ask("claude-opus-5-5", false);
        let request = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 200 {phrase}\r\n")), "{answer}");
        through.house.ended().await;
    }
}

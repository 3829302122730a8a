//! The fault matrix: `faults.toml` says what an upstream does and what becomes of it, and here each is done.

use std::{collections::BTreeMap, io::Write as _};

use headgate::settings::{Limits, Network};
use serde::Deserialize;

use crate::harness::{
    House, Wire,
    secure::{Authority, Handshake, Secure},
    wire,
};

const FIRST: [&str; 2] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":3}}}\n\n",
    "{\"type\":\"message\",\"content\":[{\"text\":\"caf\u{e9} ",
];
const REST: [&str; 2] = [
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    "\"}],\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}",
];
const TYPE: [&str; 2] = ["text/event-stream", "application/json"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    tls: Option<Handshake>,
    /// Everything up to the fault, as it stands on the wire.
    raw: Option<String>,
    #[serde(default)]
    before: String,
    kind: Option<String>,
    #[serde(default)]
    body: Vec<String>,
    #[serde(default)]
    framing: String,
    #[serde(default)]
    finish: String,
    stream: String,
    json: String,
    #[serde(default)]
    rescued: bool,
    #[serde(default)]
    says: String,
}

/// Who plays it. Dropped, it is gone.
enum Upstream {
    Wire(Wire),
    Secure(Secure),
}

impl Upstream {
    fn base_url(&self) -> String {
        match self {
            Self::Wire(wire) => wire.base_url.clone(),
            Self::Secure(secure) => secure.url(),
        }
    }
}

impl Fault {
    /// What is put on the wire, and the body that a client must see of it, byte for byte.
    fn script(&self, json: usize) -> (Vec<wire::Step>, Vec<u8>) {
        if let Some(raw) = &self.raw {
            return (vec![wire::Step::Bytes(raw.clone().into_bytes()), self.last_step()], Vec::new());
        }
        let pieces: Vec<Option<Vec<u8>>> = self.body.iter().map(|piece| bytes_of(piece, json)).collect();
        let mut body: Vec<u8> = pieces.iter().flatten().flatten().copied().collect();
        let kind = self.kind.as_deref().unwrap_or(TYPE[json]);
        let mut head = format!("{}HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n", self.before);
        let mut steps = Vec::new();
        if let Some(more) = self.framing.strip_prefix("length:") {
            let length = body.len().checked_add_signed(more.parse().unwrap()).unwrap();
            head += &format!("content-length: {length}\r\n\r\n");
            steps.push(wire::Step::Bytes([head.as_bytes(), &body].concat()));
            body.truncate(length);
        } else {
            let (is_gzip, is_bare) = (self.framing == "gzip", self.framing == "close");
            let chunk = |data: &[u8]| if is_bare { data.to_vec() } else { chunk(data) };
            head += if is_gzip { "content-encoding: gzip\r\n" } else { "" };
            head += if is_bare { "connection: close\r\n\r\n" } else { "transfer-encoding: chunked\r\n\r\n" };
            steps.push(wire::Step::Bytes(head.into_bytes()));
            if is_gzip {
                body = gzip(&body);
                steps.push(wire::Step::Bytes(chunk(&body)));
            } else {
                let step = |piece: Option<Vec<u8>>| {
                    piece.map_or(wire::Step::Wait, |piece| wire::Step::Bytes(chunk(&piece)))
                };
                steps.extend(pieces.into_iter().map(step));
            }
        }
        steps.push(self.last_step());
        (steps, body)
    }

    fn last_step(&self) -> wire::Step {
        match self.finish.as_str() {
            "" => wire::Step::Bytes(b"0\r\n\r\n".to_vec()),
            "trailers" => wire::Step::Bytes(b"0\r\nx-checksum: 1\r\n\r\n".to_vec()),
            "close" | "refused" => wire::Step::Close,
            "reset" => wire::Step::Reset,
            "stall" => wire::Step::Stall,
            other => panic!("{other} is no finish"),
        }
    }
}

/// The bytes of a piece; `None` is a pause.
fn bytes_of(piece: &str, json: usize) -> Option<Vec<u8>> {
    Some(match piece {
        "wait" => return None,
        "first" => FIRST[json].into(),
        "rest" => REST[json].into(),
        // The first of the two bytes of é.
        "half" => b"data: {\"caf\xC3".to_vec(),
        "big" if json == 1 => vec![b'x'; 1 << 21],
        "big" => {
            [b"event: content_block_delta\ndata: ".to_vec(), vec![b'x'; 1 << 21], b"\n\n".to_vec()].concat()
        }
        text => text.into(),
    })
}

fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Plays one fault in one way, and says what was seen of it in the words of the table.
async fn played(name: &str, fault: &Fault, json: usize, with_spare: bool) -> String {
    let mut limits = Limits { idle_seconds: 0.4, head_seconds: 0.4, ..Limits::default() };
    if matches!(fault.tls, Some(Handshake::Stall)) {
        limits.connect_seconds = 0.2;
    }
    let names: &[&str] = if with_spare { &["spare"] } else { &[] };
    let authority = fault.tls.map(|_| Authority::new());
    let network = authority.as_ref().map_or_else(Network::default, Authority::network);
    let mut house = House::on(limits, network, names).await;
    let (steps, body) = if fault.tls.is_some() { <_>::default() } else { fault.script(json) };
    let upstream = match (fault.tls, &authority) {
        (Some(handshake), Some(authority)) => Upstream::Secure(authority.failing(handshake).await),
        _ => Upstream::Wire(Wire::saying([wire::Reply::Steps(steps)]).await),
    };
    house.add("faulty", &upstream.base_url(), -1);
    let upstream = (fault.finish != "refused").then_some(upstream);
    let mut reply = if json == 1 { house.ask().await } else { house.ask_stream().await };
    let status = reply.status.as_u16();
    let (mut seen, mut was_cut) = (Vec::new(), false);
    while let Some(piece) = reply.piece().await {
        let Ok(piece) = piece else {
            was_cut = true;
            break;
        };
        seen.extend_from_slice(&piece);
    }
    drop(reply);
    let exchange = house.ended().await;
    let error = exchange.attempts[0].error.as_deref().unwrap_or_default();
    assert!(error.contains(&fault.says), "{name}: {error}");
    if let Some(Upstream::Secure(upstream)) = &upstream {
        assert_eq!(upstream.heard.requests(), 0, "{name}: no key was sent");
    }
    let tried = house.tried(&exchange).len();
    assert_eq!(tried, if with_spare && fault.rescued { 2 } else { 1 }, "{name}: who was tried");
    let own_words = tried == 1 && status == 200;
    let has_error_event = own_words && seen.len() > body.len();
    if own_words {
        let same = seen.len() >= body.len() && seen[..body.len()] == body;
        assert!(same, "{name}: {} bytes sent, {} seen", body.len(), seen.len());
        let added = String::from_utf8_lossy(&seen[body.len()..]).into_owned();
        assert!(added.is_empty() || added.starts_with("event: error\ndata: {"), "{name}: {added}");
    }
    let shape = match (was_cut, has_error_event) {
        (true, _) => "cut",
        (_, true) => "error_event",
        _ => "whole",
    };
    format!("{status} {shape} {}", exchange.ending.unwrap().word())
}

#[tokio::test]
async fn every_fault_of_the_table_ends_as_it_says() {
    let faults: BTreeMap<String, Fault> = toml::from_str(include_str!("faults.toml")).unwrap();
    let mut complaints = Vec::new();
    for (name, fault) in &faults {
        for (json, expected) in [&fault.stream, &fault.json].into_iter().enumerate() {
            for with_spare in [false, true] {
                let expected =
                    if with_spare && fault.rescued { "200 whole complete" } else { expected.as_str() };
                let seen = played(name, fault, json, with_spare).await;
                if seen != expected {
                    let way = if json == 1 { "json" } else { "stream" };
                    complaints.push(format!(
                        "{name}, {way}, with a spare: {with_spare}: {seen} instead of {expected}"
                    ));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

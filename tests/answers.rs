//! Answers over HTTP/1.1, read by us and by hyper from the same bytes: what we take for an answer is the one that
//! hyper reads. We may refuse more.

use bytes::BytesMut;
use headgate::formats::http1::{Framing, Names, read_head};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Status, headers, and the body if it came to its end.
type Answer = (u16, HeaderMap, Option<Vec<u8>>);

fn ours(wire: &[u8]) -> Option<Answer> {
    let mut arrived = BytesMut::from(wire);
    let mut head = read_head(&mut arrived, &Method::POST, &mut Names::default()).ok()??;
    let mut body = Vec::new();
    let is_broken = loop {
        match head.framing.take(&mut arrived, 50) {
            Ok(taken) if taken.is_empty() => break false,
            Ok(taken) => body.extend_from_slice(&taken),
            Err(_) => break true,
        }
    };
    let is_over = !is_broken && (head.framing.is_over() || head.framing == Framing::Close);
    Some((head.parts.status.as_u16(), head.parts.headers, is_over.then_some(body)))
}

async fn hypers(wire: &[u8]) -> Option<Answer> {
    let (mut upstream, client) = tokio::io::duplex(64 * 1024);
    let (mut sender, connection) = http1::handshake(TokioIo::new(client)).await.ok()?;
    let asking = async move {
        let request = Request::post("/").body(Empty::<bytes::Bytes>::new()).unwrap();
        let (head, body) = sender.send_request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok().map(|body| body.to_bytes().to_vec());
        Some((head.status.as_u16(), head.headers, body))
    };
    let answering = async move {
        // hyper takes what comes before its request for nobody's answer.
        upstream.read_u8().await.unwrap();
        upstream.write_all(wire).await.unwrap();
        upstream.shutdown().await.unwrap();
        upstream
    };
    let (_, answer, _upstream) = tokio::join!(connection, asking, answering);
    answer
}

fn agree(wire: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(ours) = ours(wire) else { return };
    let shown = String::from_utf8_lossy(wire).into_owned();
    let (status, mut headers, body) =
        runtime.block_on(hypers(wire)).unwrap_or_else(|| panic!("refused: {shown:?}"));
    // Of two lengths we pass on the one that counts.
    if headers.contains_key("transfer-encoding") {
        headers.remove("content-length");
    }
    assert_eq!((ours.0, &ours.1), (status, &headers), "{shown:?}");
    // A body that hyper breaks off may be one that we see whole only where it is cut behind its end.
    if ours.2.is_some() {
        assert_eq!(ours.2, body, "{shown:?}");
    }
}

#[test]
fn each_usual_and_odd_answer_is_the_one_that_hyper_reads() {
    for head in [
        "content-length: 3",
        "transfer-encoding: chunked",
        "connection: close",
        "Content-Length: 3\r\nConnection: CLOSE",
    ] {
        for body in [
            "abc",
            "3\r\nabc\r\n0\r\n\r\n",
            "1;a=b\r\na\r\n2 \r\nbc\r\n0\r\nx: y\r\n\r\n",
            "1 2\r\na\r\n0\r\n\r\n",
            "ab",
            "",
        ] {
            for status in ["200 OK", "204 No Content", "304 Not Modified", "429 ", "529 Overloaded"] {
                agree(format!("HTTP/1.1 {status}\r\nx: y\r\n{head}\r\n\r\n{body}").as_bytes());
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_we_take_for_an_answer_hyper_takes_for_the_same(
        headers in proptest::collection::vec(
            prop_oneof![
                Just("content-length: 3".to_owned()),
                Just("content-length: 5".to_owned()),
                Just("transfer-encoding: chunked".to_owned()),
                Just("transfer-encoding: gzip".to_owned()),
                Just("connection: keep-alive".to_owned()),
                "[a-z]{1,8}: ?[ -~]{0,12}",
                "[a-zA-Z: \t]{0,9}",
            ],
            0..5,
        ),
        version in prop_oneof![Just("1.1"), Just("1.0")],
        status in prop_oneof![Just(200_u16), Just(103), Just(204), Just(404), 100_u16..999],
        body in prop_oneof![Just("3\r\nabc\r\n0\r\n\r\n".to_owned()), Just("hello".to_owned()), "[0-9a-f\r\n;]{0,20}"],
    ) {
        let head = headers.iter().fold(String::new(), |head, header| head + header + "\r\n");
        agree(format!("HTTP/{version} {status} Word\r\n{head}\r\n{body}").as_bytes());
    }
}

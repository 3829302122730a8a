//! Streams on their way: where they end, what is added to them, and when one may still move on.

use std::io::Write as _;

use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour},
    settings::Limits,
};

use crate::harness::{House, Wire, soon, wire};

const START: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-opus-5-5\",",
    "\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
);
const CONTENT: &str = concat!(
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"hi\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
);
const LAST: &str = concat!(
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},",
    "\"usage\":{\"output_tokens\":5}}\n\n",
);
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn error(kind: &str) -> String {
    format!(
        "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"Oh\"}}}}\n\n"
    )
}

/// A chunked stream in these pieces, ended in order or left without its last chunk.
fn stream(pieces: &[&str], is_whole: bool) -> String {
    let chunks: Vec<_> = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    let chunks = chunks.concat();
    let end = if is_whole { "0\r\n\r\n" } else { "" };
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{end}"
    )
}

/// What a client sees of this reply, whether it was cut, how it ended, and what we changed.
async fn through(limits: Limits, reply: wire::Reply) -> (String, bool, Ending, Vec<String>) {
    let mut house = House::within(limits, &[]).await;
    let wire = Wire::saying([reply]).await;
    wire.account(&house, "work", 0);
    let (text, was_cut) = house.ask_stream().await.until_end_or_cut().await;
    let exchange = house.ended().await;
    let changes = exchange.changes.iter().map(ToString::to_string).collect();
    (text, was_cut, exchange.ending.unwrap(), changes)
}

#[tokio::test]
async fn e01_a_healthy_stream_is_passed_on_to_the_byte() {
    let whole = [START, CONTENT, LAST, STOP].concat();
    for size in [1, 7, 4096] {
        let pieces: Vec<&str> =
            (0..whole.len()).step_by(size).map(|at| &whole[at..whole.len().min(at + size)]).collect();
        let (text, was_cut, ending, changes) =
            through(Limits::default(), wire::Reply::Keep(stream(&pieces, true))).await;
        assert_eq!((text.as_str(), was_cut, ending), (whole.as_str(), false, Ending::Complete));
        assert!(changes.is_empty(), "identical: {changes:?}");
    }
}

#[tokio::test]
async fn a_stream_that_lacks_only_its_message_stop_gets_one_and_the_record_says_so() {
    let (text, was_cut, ending, changes) =
        through(Limits::default(), wire::Reply::Keep(stream(&[START, CONTENT, LAST], true))).await;
    assert_eq!(text, [START, CONTENT, LAST, STOP].concat());
    assert_eq!((was_cut, ending), (false, Ending::Complete));
    assert_eq!(changes, ["message_stop supplied"]);
}

#[tokio::test]
async fn e03_what_is_supplied_never_overtakes_the_upstreams_own_events() {
    let pings = "event: ping\ndata: {\"type\": \"ping\"}\n\n".repeat(20_000);
    let (text, _, ending, _) =
        through(Limits::default(), wire::Reply::Keep(stream(&[START, CONTENT, LAST, &pings], true))).await;
    assert!(text.ends_with(&format!("\"ping\"}}\n\n{STOP}")), "it is the last of all");
    assert_eq!(text.len(), START.len() + CONTENT.len() + LAST.len() + pings.len() + STOP.len());
    assert_eq!(ending, Ending::Complete);
}

#[tokio::test]
async fn nobody_supplies_an_end_where_the_user_does_not_want_it() {
    let limits = Limits { supply_message_stop: false, ..Limits::default() };
    let (text, was_cut, ending, changes) =
        through(limits, wire::Reply::Keep(stream(&[START, CONTENT, LAST], true))).await;
    assert_eq!(text, [START, CONTENT, LAST].concat());
    assert_eq!((was_cut, ending), (false, Ending::UpstreamCut));
    assert!(changes.is_empty());
}

#[tokio::test]
async fn e12_a_stream_that_was_cut_is_passed_on_as_a_cut_however_late() {
    let (text, was_cut, ending, changes) =
        through(Limits::default(), wire::Reply::Close(stream(&[START, CONTENT, LAST], false))).await;
    assert_eq!(text, [START, CONTENT, LAST].concat());
    assert_eq!((was_cut, ending), (true, Ending::UpstreamCut));
    assert!(changes.is_empty());
}

#[tokio::test]
async fn an_end_without_a_measure_may_be_a_cut_and_gets_no_supply() {
    let body = [START, CONTENT, LAST].concat();
    let by_close = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{body}");
    let by_length = wire::answer("200 OK", "text/event-stream", &body);
    for reply in [wire::Reply::Close(by_close), wire::Reply::Keep(by_length)] {
        let (text, was_cut, ending, _) = through(Limits::default(), reply).await;
        assert_eq!((text.as_str(), was_cut, ending), (body.as_str(), false, Ending::UpstreamCut));
    }
}

#[tokio::test]
async fn e13_a_client_that_leaves_a_stream_without_end_frees_its_upstream() {
    let mut house = House::with(&["work"]).await;
    house.script("work", [Behaviour::Stall { after: 3, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    reply.piece().await.unwrap().unwrap();
    drop(reply);
    house.sandbox.await_client_gone(1).await.unwrap();
    assert_eq!(house.ended().await.ending, Some(Ending::ClientLeft));
}

#[tokio::test]
async fn e13_what_becomes_of_the_connection_behind_the_last_event_is_no_loss() {
    let whole = [START, CONTENT, LAST, STOP].concat();
    let bytes = stream(&[&whole], false).into_bytes();
    // The limit for silence is five minutes, which nobody should wait for an answer that is there.
    for then in [wire::Step::Stall, wire::Step::Reset, wire::Step::Close] {
        let reply = wire::Reply::Steps(vec![wire::Step::Bytes(bytes.clone()), then]);
        let (text, was_cut, ending, changes) = through(Limits::default(), reply).await;
        assert_eq!((text.as_str(), was_cut, ending), (whole.as_str(), false, Ending::Complete));
        assert!(changes.is_empty(), "nothing was added: {changes:?}");
    }
}

#[tokio::test]
async fn what_becomes_of_the_connection_behind_an_error_event_is_neither_silence_nor_a_cut() {
    let failing = [START, CONTENT, &error("overloaded_error")].concat();
    let bytes = stream(&[&failing], false).into_bytes();
    // The limit for silence is five minutes here too, and no second error is told behind the first.
    for then in [wire::Step::Reset, wire::Step::Close, wire::Step::Stall] {
        let reply = wire::Reply::Steps(vec![wire::Step::Bytes(bytes.clone()), then]);
        let told = soon("the stream to end", through(Limits::default(), reply)).await;
        assert_eq!(told, (failing.clone(), false, Ending::UpstreamError, vec![]));
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_behind_an_error_event_has_not_left_early() {
    let mut house = House::with(&[]).await;
    let failing = [START, CONTENT, &error("overloaded_error")].concat();
    let bytes = stream(&[&failing], false).into_bytes();
    let wire = Wire::saying([wire::Reply::Steps(vec![wire::Step::Bytes(bytes), wire::Step::Stall])]).await;
    wire.account(&house, "work", 0);
    let (mut reply, mut text) = (house.ask_stream().await, Vec::new());
    while text.len() < failing.len() {
        text.extend_from_slice(&reply.piece().await.unwrap().unwrap());
    }
    drop(reply);
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::UpstreamError));
    assert_eq!(exchange.error.as_deref(), Some("overloaded_error: Oh"));
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_word_moves_to_another_account() {
    for (kind, verdict) in
        [("overloaded_error", "weather"), ("api_error", "weather"), ("rate_limit_error", "throttled")]
    {
        for before in ["", START] {
            let mut house = House::with(&["spare"]).await;
            let wire = Wire::saying([wire::Reply::Keep(stream(
                &[before, &error(kind)][usize::from(before.is_empty())..],
                true,
            ))])
            .await;
            wire.account(&house, "work", -1);
            let text = house.ask_stream().await.text().await;
            assert!(!text.contains("Oh") && text.contains("message_stop"), "one clean stream: {text}");
            assert_eq!(text.matches("event: message_start").count(), 1);
            let exchange = house.ended().await;
            assert_eq!(exchange.ending, Some(Ending::Complete));
            assert_eq!(house.tried(&exchange), ["work", "spare"]);
            let first = &exchange.attempts[0];
            assert_eq!((first.status, first.verdict.word()), (Some(200), verdict));
            assert!(first.error.as_deref().unwrap().contains(kind), "{first:?}");
            assert!(exchange.changes.is_empty(), "nothing was changed: {:?}", exchange.changes);
            assert_eq!(house.written().await.len(), 1, "one request is one record");
        }
    }
}

#[tokio::test]
async fn a_stream_that_fails_where_nobody_can_take_over_is_passed_on_unchanged() {
    let failing = [START, &error("overloaded_error")].concat();
    let (text, was_cut, ending, changes) =
        through(Limits::default(), wire::Reply::Keep(stream(&[START, &error("overloaded_error")], true)))
            .await;
    assert_eq!((text, was_cut, ending), (failing.clone(), false, Ending::UpstreamError));
    assert!(changes.is_empty());

    // And so it is where the other one fails the same way: the client sees the last one's own words.
    let mut house = House::with(&[]).await;
    let second = [START, &error("api_error")].concat();
    let wires = [
        Wire::saying([wire::Reply::Keep(stream(&[&failing], true))]).await,
        Wire::saying([wire::Reply::Keep(stream(&[&second], true))]).await,
    ];
    wires[0].account(&house, "first", 0);
    wires[1].account(&house, "second", 1);
    assert_eq!(house.ask_stream().await.text().await, second);
    let exchange = house.ended().await;
    assert_eq!((exchange.ending, exchange.attempts.len()), (Some(Ending::UpstreamError), 2));
}

#[tokio::test]
async fn a_stream_that_has_said_a_word_never_moves() {
    let first_word = &CONTENT[..CONTENT.find("event: content_block_delta").unwrap()];
    for pieces in [vec![START, first_word], vec![START, CONTENT]] {
        let error = error("overloaded_error");
        let whole = [pieces.concat(), error.clone()].concat();
        let pieces: Vec<&str> = pieces.into_iter().chain([error.as_str()]).collect();
        for limits in [Limits::default(), Limits { early_failover: false, ..Limits::default() }] {
            let mut house = House::within(limits, &["spare"]).await;
            let wire = Wire::saying([wire::Reply::Keep(stream(&pieces, true))]).await;
            wire.account(&house, "work", -1);
            assert_eq!(house.ask_stream().await.text().await, whole);
            assert_eq!(house.ended().await.attempts.len(), 1);
        }
    }
}

#[tokio::test]
async fn e32_what_fails_in_the_middle_of_a_stream_benches_nobody() {
    for kind in ["overloaded_error", "api_error", "rate_limit_error"] {
        let mut house = House::with(&["spare"]).await;
        let failing = stream(&[START, CONTENT, &error(kind)], true);
        let wire = Wire::saying([
            wire::Reply::Keep(failing),
            wire::Reply::Keep(stream(&[START, CONTENT, LAST, STOP], true)),
        ])
        .await;
        wire.account(&house, "work", -1);
        house.ask_stream().await.text().await;
        assert_eq!(house.ended().await.ending, Some(Ending::UpstreamError), "{kind}");
        assert_eq!(house.standing("work").await["state"], "ready", "{kind}: it names no time");
        house.ask_stream().await.text().await;
        let exchange = house.ended().await;
        assert_eq!(house.tried(&exchange), ["work"], "{kind}");
    }
}

#[tokio::test]
async fn early_failover_can_be_turned_off() {
    let mut house = House::within(Limits { early_failover: false, ..Limits::default() }, &["spare"]).await;
    let wire = Wire::saying([wire::Reply::Keep(stream(&[START, &error("overloaded_error")], true))]).await;
    wire.account(&house, "work", -1);
    assert_eq!(house.ask_stream().await.text().await, [START, &error("overloaded_error")].concat());
    assert_eq!(house.ended().await.attempts.len(), 1);
}

#[tokio::test]
async fn the_requests_own_fault_inside_a_stream_is_no_reason_to_move() {
    let mut house = House::with(&["spare"]).await;
    let failing = [START, &error("invalid_request_error")].concat();
    let wire = Wire::saying([wire::Reply::Keep(stream(&[&failing], true))]).await;
    wire.account(&house, "work", -1);
    assert_eq!(house.ask_stream().await.text().await, failing);
    assert_eq!(house.ended().await.attempts.len(), 1);
}

#[tokio::test]
async fn a_stream_that_is_cut_before_its_first_word_is_passed_on_as_a_cut() {
    let mut house = House::with(&["spare"]).await;
    let wire = Wire::saying([wire::Reply::Close(stream(&[START], false))]).await;
    wire.account(&house, "work", -1);
    let (text, was_cut) = house.ask_stream().await.until_end_or_cut().await;
    assert_eq!((text.as_str(), was_cut), (START, true));
    assert_eq!(house.ended().await.ending, Some(Ending::UpstreamCut));
}

#[tokio::test]
async fn a_slow_first_word_holds_the_start_back_for_a_second_at_most() {
    let house = House::with(&["work", "spare"]).await;
    // Nothing but the start and a ping comes, until the gate is released.
    house.script("work", [Behaviour::Hold { gate: "word".into(), after: 2, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    let piece = reply.piece().await.unwrap().unwrap();
    assert!(piece.starts_with(b"event: message_start"), "it is there though the first word is not");
    house.sandbox.release("word");
    assert!(reply.text().await.contains("message_stop"));
}

#[tokio::test]
async fn sixteen_kib_of_a_start_are_held_back_and_no_more() {
    for (comment, tried) in [(8 << 10, ["work", "spare"].as_slice()), (24 << 10, &["work"])] {
        let mut house = House::with(&["spare"]).await;
        let start = [START, ": ", &"x".repeat(comment), "\n\n"].concat();
        let late = error("overloaded_error");
        // Nothing of the error is there before the bound is passed.
        let wire = Wire::saying([wire::Reply::Steps(vec![
            wire::Step::Bytes(stream(&[&start], false).into_bytes()),
            wire::Step::Wait,
            wire::Step::Bytes(format!("{:x}\r\n{late}\r\n0\r\n\r\n", late.len()).into_bytes()),
        ])])
        .await;
        wire.account(&house, "work", -1);
        let text = house.ask_stream().await.text().await;
        let exchange = house.ended().await;
        assert_eq!(house.tried(&exchange), tried, "{comment} bytes");
        if tried.len() == 1 {
            assert_eq!(text, [start, late].concat(), "what was held goes on as it was");
        }
    }
}

#[tokio::test]
async fn what_came_before_a_chunk_that_makes_no_sense_is_passed_on() {
    let garbled = |pieces: &[&str]| wire::Reply::Keep(stream(pieces, false) + "nonsense\r\n");
    let (text, was_cut, ending, _) = through(Limits::default(), garbled(&[START, CONTENT])).await;
    assert_eq!((text, was_cut, ending), ([START, CONTENT].concat(), true, Ending::UpstreamCut));
    let (text, was_cut, ending, _) = through(Limits::default(), garbled(&[START, CONTENT, LAST, STOP])).await;
    assert_eq!((text, was_cut, ending), ([START, CONTENT, LAST, STOP].concat(), false, Ending::Complete));
}

#[tokio::test]
async fn a_stream_ends_behind_its_last_event_though_its_upstream_goes_on_pinging() {
    let ping = ": still here\n\n";
    let ping = format!("{:x}\r\n{ping}\r\n", ping.len()).into_bytes();
    let mut steps = vec![wire::Step::Bytes(stream(&[START, CONTENT, LAST, STOP], false).into_bytes())];
    for _ in 0..400 {
        steps.extend([wire::Step::Wait, wire::Step::Bytes(ping.clone())]);
    }
    let told = soon("the stream to end", through(Limits::default(), wire::Reply::Steps(steps))).await;
    assert!(told.0.starts_with(&[START, CONTENT, LAST, STOP].concat()), "{}", told.0);
    assert_eq!((told.1, told.2), (false, Ending::Complete));
}

#[tokio::test]
async fn a_stream_ends_behind_its_last_event_though_its_upstream_floods_it_with_comments() {
    let mut house = House::with(&[]).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    house.add("work", &base_url, 0);
    let flood = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(stream(&[START, CONTENT, LAST, STOP], false).as_bytes()).unwrap();
        let comments = ": still here\n\n".repeat(8192);
        let comments = format!("{:x}\r\n{comments}\r\n", comments.len());
        // Until nobody listens any more.
        while socket.write_all(comments.as_bytes()).is_ok() {}
    });
    let mut reply = house.ask_stream().await;
    while let Some(piece) = reply.piece().await {
        piece.expect("it ends properly");
    }
    assert_eq!(house.ended().await.ending, Some(Ending::Complete));
    soon("the upstream to be let go", tokio::task::spawn_blocking(|| flood.join().unwrap())).await.unwrap();
}

#[tokio::test]
async fn what_is_coded_for_the_transfer_in_a_way_that_nobody_asked_for_is_no_answer() {
    for coding in ["gzip", "gzip, chunked", "chunked, gzip"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: {coding}\r\n\r\n"
        );
        let (_, _, ending, _) = through(Limits::default(), wire::Reply::Close(head + "{\"type\":")).await;
        assert_eq!(ending, Ending::UpstreamError, "{coding}");
    }
}

#[tokio::test]
async fn half_a_document_without_a_length_is_a_cut_whatever_its_head_says_of_the_transfer() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: identity\r\n\r\n";
    let (text, _, ending, _) =
        through(Limits::default(), wire::Reply::Close(format!("{head}{{\"type\":"))).await;
    assert_eq!((text.as_str(), ending), ("{\"type\":", Ending::UpstreamCut));
    let head = head.replace("application/json", "text/event-stream");
    let (text, _, ending, changes) =
        through(Limits::default(), wire::Reply::Close(head + START + CONTENT + LAST)).await;
    assert_eq!((text, ending), ([START, CONTENT, LAST].concat(), Ending::UpstreamCut));
    assert!(changes.is_empty(), "nothing says that this was all: {changes:?}");
}

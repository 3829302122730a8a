//! A request that no account can take is held until one is back, if the user wants that; and those that
//! wait for a place take turns.

use std::time::Duration;

use headgate::{
    accounts::Change,
    domain::Ending,
    events::Event,
    sandbox::{Answer, Behaviour},
    settings::Limits,
};
use http::StatusCode;
use tokio::task::JoinSet;

use crate::harness::{House, Reply, aside, ask, soon};

fn throttled(seconds: u64) -> Behaviour {
    Behaviour::RateLimited { retry_after: Some(Duration::from_secs(seconds)), unified: false }
}

async fn holding(seconds: f64) -> House {
    House::within(Limits { hold_seconds: seconds, ..Limits::default() }, &["work"]).await
}

async fn held(house: &House, count: usize) {
    let admission = house.app.api().gateway.admission.clone();
    soon("requests to be held", async {
        while admission.occupancy().held != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn done<T: 'static>(mut task: JoinSet<T>) -> T {
    task.join_next().await.unwrap().unwrap()
}

/// Asks beside the journey.
fn ask_aside(house: &House) -> JoinSet<Reply> {
    let client = house.client.clone();
    aside(async move { client.post("/v1/messages", ask("claude-opus-5-5", false)).await })
}

/// Has the roster publish a snapshot, as any person's act does.
fn touch(house: &House) {
    let roster = &house.app.api().gateway.roster;
    let work = roster.snapshot().contenders[0].account.id;
    roster.change(work, Change { priority: Some(3), ..Change::default() }).unwrap();
}

#[tokio::test]
async fn a_held_request_is_served_when_the_account_is_back() {
    let mut house = holding(60.0).await;
    house.script("work", [throttled(30)]);
    let reply = ask_aside(&house);
    held(&house, 1).await;
    house.clock.advance(Duration::from_secs(31));
    touch(&house);
    let reply = done(reply).await;
    assert_eq!(reply.status, StatusCode::OK, "the client never hears of the limit");
    reply.bytes().await;
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(Ending::Complete));
    assert_eq!(house.tried(&exchange), ["work", "work"]);
    held(&house, 0).await;
}

#[tokio::test]
async fn a_held_request_wakes_by_itself_when_the_time_has_come() {
    let mut house = holding(20.0).await;
    house.script("work", [throttled(1)]);
    assert_eq!(house.ask().await.status, StatusCode::OK);
    assert_eq!(house.ended().await.attempts.len(), 2);
}

#[tokio::test]
async fn whoever_watches_hears_of_a_queue_when_it_begins_and_when_it_is_over() {
    let limits = Limits { concurrent_requests: 1, ..Limits::default() };
    let house = House::within(limits, &["work"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "head".into(), answer: Answer::default() }]);
    let first = ask_aside(&house);
    house.sandbox.await_held("head").await.unwrap();
    let mut events = house.app.api().events.subscribe();
    let second = ask_aside(&house);
    let told = async |events: &mut tokio::sync::broadcast::Receiver<Event>, waiting| {
        soon("a word of the queue", async {
            loop {
                let event = events.recv().await.unwrap();
                if matches!(event, Event::Status) && house.app.api().status().waiting == waiting {
                    return;
                }
            }
        })
        .await;
    };
    // Nothing else happens while both wait.
    told(&mut events, 1).await;
    house.sandbox.release("head");
    told(&mut events, 0).await;
    for reply in [first, second] {
        assert_eq!(done(reply).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn whoever_watches_hears_of_a_request_that_is_held() {
    let house = holding(60.0).await;
    let mut events = house.app.api().events.subscribe();
    house.script("work", [throttled(30)]);
    let reply = ask_aside(&house);
    let told = async |events: &mut tokio::sync::broadcast::Receiver<Event>, held| {
        soon("a word of it", async {
            while !matches!(events.recv().await.unwrap(), Event::Status)
                || house.app.api().status().held != held
            {}
        })
        .await;
    };
    told(&mut events, 1).await;
    drop(reply);
    told(&mut events, 0).await;
}

#[tokio::test]
async fn nobody_is_held_for_an_account_that_comes_back_too_late() {
    let mut house = holding(20.0).await;
    house.script("work", [throttled(21)]);
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reply.header("retry-after"), "21", "the upstream's own answer");
    assert_eq!(house.ended().await.attempts.len(), 1);
    let again = house.ask().await;
    assert_eq!(again.status, StatusCode::TOO_MANY_REQUESTS, "and the next one is refused at once");
}

#[tokio::test]
async fn a_fault_that_was_not_the_accounts_is_not_waited_out() {
    let house = holding(20.0).await;
    house.script("work", [Behaviour::Overloaded, Behaviour::Overloaded]);
    assert_eq!(house.ask().await.status.as_u16(), 529, "the account is ready, and this request has failed");
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_is_held_leaves_nothing_behind() {
    let mut house = holding(60.0).await;
    house.script("work", [throttled(30)]);
    let reply = ask_aside(&house);
    held(&house, 1).await;
    drop(reply);
    assert_eq!(house.ended().await.ending, Some(Ending::ClientLeft));
    held(&house, 0).await;
    assert_eq!(house.app.api().gateway.admission.occupancy().running, 0);
}

#[tokio::test]
async fn a_conversation_with_many_requests_does_not_keep_another_one_out() {
    let limits = Limits { concurrent_requests: 1, ..Limits::default() };
    let house = House::within(limits, &["work"]).await;
    let of = |session: &'static str| {
        let client = house.client.clone();
        async move {
            let request = http::Request::post("/v1/messages").header("x-claude-code-session-id", session);
            client.send(request.body(ask("claude-opus-5-5", false).into()).unwrap()).await.bytes().await
        }
    };
    let waiting = |count| {
        let admission = house.app.api().gateway.admission.clone();
        soon("requests to wait", async move {
            while admission.occupancy().waiting != count {
                tokio::task::yield_now().await;
            }
        })
    };
    house.script("work", [Behaviour::SlowHead { gate: "first".into(), answer: Answer::default() }]);
    let first = aside(of("greedy"));
    house.sandbox.await_held("first").await.unwrap();
    let mut greedy = Vec::new();
    for place in 0..3 {
        greedy.push(aside(of("greedy")));
        waiting(place + 1).await;
    }
    let modest = aside(of("modest"));
    waiting(4).await;
    house.sandbox.release("first");
    done(first).await;
    done(modest).await;
    for reply in greedy {
        done(reply).await;
    }
    let sessions: Vec<_> = house
        .sandbox
        .arrivals()
        .iter()
        .map(|arrival| arrival.headers["x-claude-code-session-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(sessions, ["greedy", "greedy", "modest", "greedy", "greedy"]);
}

#[tokio::test]
async fn an_account_that_serves_as_many_as_it_may_is_passed_over_and_then_waited_for() {
    let limits = Limits { requests_per_account: 1, ..Limits::default() };
    let mut house = House::within(limits, &["work", "spare"]).await;
    for name in ["work", "spare"] {
        house.script(name, [Behaviour::SlowHead { gate: name.into(), answer: Answer::default() }]);
    }
    let first = ask_aside(&house);
    house.sandbox.await_held("work").await.unwrap();
    let second = ask_aside(&house);
    house.sandbox.await_held("spare").await.unwrap();
    let third = ask_aside(&house);
    held(&house, 1).await;
    house.sandbox.release("spare");
    done(second).await.bytes().await;
    done(third).await.bytes().await;
    house.sandbox.release("work");
    done(first).await.bytes().await;
    let mut tried = Vec::new();
    for _ in 0..3 {
        let exchange = house.ended().await;
        assert_eq!(exchange.ending, Some(Ending::Complete));
        tried.push(house.tried(&exchange));
    }
    assert_eq!(tried, [["spare"], ["spare"], ["work"]], "the third took the place that got free");
}

#[tokio::test]
async fn who_waits_too_long_for_an_account_is_told_when_to_come_back() {
    let limits = Limits { requests_per_account: 1, wait_seconds: 0.2, ..Limits::default() };
    let house = House::within(limits, &["work"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "work".into(), answer: Answer::default() }]);
    let first = ask_aside(&house);
    house.sandbox.await_held("work").await.unwrap();
    let refused = house.ask().await;
    assert_eq!(refused.status.as_u16(), 529);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=59).contains(&seconds));
    house.sandbox.release("work");
    assert_eq!(done(first).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_held_request_does_not_keep_the_account_busy_that_it_waits_for() {
    let limits = Limits { requests_per_account: 1, hold_seconds: 60.0, ..Limits::default() };
    let mut house = House::within(limits, &["work"]).await;
    house.script("work", [throttled(30)]);
    let reply = ask_aside(&house);
    held(&house, 1).await;
    house.clock.advance(Duration::from_secs(31));
    touch(&house);
    assert_eq!(done(reply).await.status, StatusCode::OK);
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work", "work"]);
    assert!(
        exchange.attempts[1].began > exchange.attempts[0].began,
        "what it waited for is part of how long it took"
    );
}

#[tokio::test]
async fn who_finds_the_queue_full_with_a_large_body_hears_so() {
    let limits = Limits { concurrent_requests: 1, waiting_requests: 0, ..Limits::default() };
    let house = House::within(limits, &["work"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "work".into(), answer: Answer::default() }]);
    let first = ask_aside(&house);
    house.sandbox.await_held("work").await.unwrap();
    let large = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(8 << 20));
    let refused = house.client.post("/v1/messages", large).await;
    assert_eq!(refused.status.as_u16(), 529, "the client has sent all of it and can read the answer");
    assert!(!refused.header("retry-after").is_empty());
    house.sandbox.release("work");
    assert_eq!(done(first).await.status, StatusCode::OK);
}

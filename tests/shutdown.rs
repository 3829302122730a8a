//! Stopping: nothing new, running requests end, and whatever is cut is recorded as cut by us.

use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour},
    settings::Limits,
};

use crate::harness::{House, aside, soon};

#[tokio::test]
async fn a_drain_lets_a_stream_end() {
    let house = House::with(&["work"]).await;
    house.script("work", [Behaviour::Hold { gate: "middle".into(), after: 3, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    reply.piece().await.unwrap().unwrap();
    let app = house.app.clone();
    let mut draining = aside(async move { app.drain().await });
    let address = house.app.api().status().address.unwrap();
    let refused = async {
        let address = address.trim_start_matches("http://");
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon("new connections to be refused", refused).await;
    house.sandbox.release("middle");
    assert!(reply.text().await.contains("message_stop"), "the running stream ends as it should");
    soon("the drain to end", draining.join_next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_recorded_as_interrupted() {
    let mut house = House::within(Limits { drain_seconds: 0.1, ..Limits::default() }, &["work"]).await;
    house.script("work", [Behaviour::Stall { after: 3, answer: Answer::default() }]);
    let mut reply = house.ask_stream().await;
    reply.piece().await.unwrap().unwrap();
    soon("the drain to end", house.app.drain()).await;
    assert_eq!(house.ended().await.ending, Some(Ending::Interrupted));
    let (_, was_cut) = reply.until_end_or_cut().await;
    assert!(was_cut);
}

//! What we refuse ourselves: in Anthropic's shape, with the reason and a next step.

use std::time::Duration;

use bytes::Bytes;
use headgate::{
    domain::Ending,
    sandbox::{Answer, Behaviour},
    settings::Limits,
};
use http::{Request, StatusCode};

use tokio::io::AsyncWriteExt;

use crate::harness::{House, aside, ask, soon};

#[tokio::test]
async fn without_an_account_the_client_is_told_how_to_add_one() {
    let mut house = House::with(&[]).await;
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(reply.header("x-should-retry"), "false", "asking again would not help");
    let body = reply.json().await;
    assert_eq!(body["type"], "error");
    assert!(body["error"]["message"].as_str().unwrap().contains("headgate accounts add"), "{body}");
    assert_eq!(house.ended().await.ending, Some(Ending::Refused));
}

#[tokio::test]
async fn what_is_not_json_is_refused_with_its_place() {
    let house = House::with(&["work"]).await;
    for body in ["", "{", "[]", "hello", r#"{"model":}"#, r#"{"model":"m"} trailing"#] {
        let reply = house.client.post("/v1/messages", body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
        let body = reply.json().await;
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert!(body["request_id"].as_str().unwrap().starts_with("req_"));
    }
    assert_eq!(house.sandbox.counts().arrived, 0, "nothing of it was sent on");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413() {
    let mut house = House::within(Limits { body_bytes: 2048, ..Limits::default() }, &["work"]).await;
    let large = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(300_000));
    let reply = house.client.post("/v1/messages", large).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(reply.json().await["error"]["type"], "request_too_large");
    assert_eq!(house.ended().await.ending, Some(Ending::Refused));
    let fits = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(2048 - 20));
    assert_eq!(fits.len(), 2048, "a body of exactly the limit");
    assert_eq!(house.client.post("/v1/messages", fits).await.status, StatusCode::OK);
}

#[tokio::test]
async fn when_everybody_rests_each_reason_is_named_with_its_time() {
    let mut house = House::with(&["work", "spare"]).await;
    let spent = |hours| Behaviour::QuotaSpent { window: "5h".into(), resets_in: Duration::from_hours(hours) };
    house.script("work", [spent(2)]);
    house.script(
        "spare",
        [Behaviour::RateLimited { retry_after: Some(Duration::from_secs(20)), unified: false }],
    );
    house.ask().await.bytes().await;
    house.ended().await;
    let reply = house.ask().await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&seconds), "{seconds} whole seconds until the first one is back");
    assert_eq!(reply.header("x-should-retry"), "true", "then it finds one");
    let message = reply.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("work: its 5h window is spent") && message.contains("spare: it asked for a pause"),
        "{message}"
    );
    assert_eq!(house.sandbox.counts().arrived, 2, "nobody was asked again");

    house.clock.advance(Duration::from_secs(21));
    house.script("spare", [spent(3)]);
    house.ask().await.bytes().await;
    house.ended().await;
    house.ended().await;
    let reply = house.ask().await;
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 3600);
    assert_eq!(reply.header("x-should-retry"), "false", "two hours are longer than a client waits");
}

/// The last of two accounts had two hours to say, and Claude Code gave up, though the first was back in 20 s.
#[tokio::test]
async fn the_request_that_exhausts_the_pool_hears_of_whoever_is_back_first_and_of_all() {
    for pauses in [[20, 7200], [7200, 20]] {
        let mut house = House::with(&["work", "spare"]).await;
        for (name, pause) in ["work", "spare"].into_iter().zip(pauses) {
            let retry_after = Some(Duration::from_secs(pause));
            house.script(name, [Behaviour::RateLimited { retry_after, unified: false }]);
        }
        let reply = house.ask().await;
        assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
        let seconds: u64 = reply.header("retry-after").parse().unwrap();
        assert!((15..=20).contains(&seconds), "{pauses:?}: {seconds}");
        assert_eq!(reply.header("x-should-retry"), "true");
        let message = reply.json().await["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("work: it asked") && message.contains("spare: it asked"), "{message}");
        let exchange = house.ended().await;
        assert_eq!(house.tried(&exchange), ["work", "spare"]);
        assert_eq!(exchange.ending, Some(Ending::Refused));
    }
}

#[tokio::test]
async fn an_answer_is_not_shown_that_says_to_wait_longer_than_somebody_who_rests_already() {
    let mut house = House::with(&["work", "spare"]).await;
    let pause =
        |seconds| Behaviour::RateLimited { retry_after: Some(Duration::from_secs(seconds)), unified: false };
    house.script("work", [pause(30)]);
    house.ask().await.bytes().await;
    house.ended().await;
    house.script("spare", [pause(7200)]);
    let reply = house.ask().await;
    assert!(reply.header("retry-after").parse::<u64>().unwrap() <= 30, "work is back by then");
    assert!(house.refused(reply).await.contains("work: it asked for a pause"));
    house.clock.advance(Duration::from_secs(31));
    house.script("work", [pause(7)]);
    let reply = house.ask().await;
    assert_eq!(reply.header("retry-after"), "7");
    let said = reply.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert!(!said.contains("No account"), "who is back first says so itself: {said}");
}

#[tokio::test]
async fn a_paused_proxy_says_so_and_running_requests_go_on() {
    let house = House::with(&["work"]).await;
    house.script("work", [Behaviour::Hold { gate: "middle".into(), after: 2, answer: Answer::default() }]);
    let running = house.ask_stream().await;
    house.app.api().set_paused(true);
    let refused = house.ask().await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.json().await["error"]["message"].as_str().unwrap().contains("paused"));
    house.sandbox.release("middle");
    assert!(running.text().await.contains("message_stop"));
    house.app.api().set_paused(false);
    assert_eq!(house.ask().await.status, StatusCode::OK);
}

#[tokio::test]
async fn s26_more_requests_than_places_wait_and_then_are_refused() {
    let limits =
        Limits { concurrent_requests: 1, waiting_requests: 1, wait_seconds: 0.2, ..Limits::default() };
    let house = House::within(limits, &["work"]).await;
    house.script("work", [Behaviour::SlowHead { gate: "head".into(), answer: Answer::default() }]);
    let client = house.client.clone();
    let mut first =
        aside(async move { client.post("/v1/messages", ask("claude-opus-5-5", false)).await.status });
    house.sandbox.await_held("head").await.unwrap();
    let refused = house.ask().await;
    assert_eq!(refused.status.as_u16(), 529);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.json().await["error"]["type"], "overloaded_error");
    house.sandbox.release("head");
    assert_eq!(first.join_next().await.unwrap().unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_under_whatever_name() {
    let house = House::with(&["work"]).await;
    for (name, value) in
        [("origin", "https://evil.example"), ("host", "evil.example"), ("host", "rebound.example:8417")]
    {
        for path in ["/v1/messages", "/api/v1/status", "/"] {
            let request = Request::post(path).header(name, value).body(Bytes::from(ask("m", false))).unwrap();
            let reply = house.client.send(request).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path} with {name}: {value}");
        }
    }
    assert_eq!(house.sandbox.counts().arrived, 0);
}

#[tokio::test]
async fn a_body_that_stops_coming_does_not_keep_its_place_for_ever() {
    let limits = Limits { idle_seconds: 0.3, wait_seconds: 0.3, concurrent_requests: 1, ..Limits::default() };
    let house = House::within(limits, &["work"]).await;
    let address = house.app.api().status().address.unwrap();
    let authority = address.trim_start_matches("http://");
    let mut stalled = tokio::net::TcpStream::connect(authority).await.unwrap();
    let head = format!("POST /v1/messages HTTP/1.1\r\nhost: {authority}\r\ncontent-length: 1000\r\n\r\n{{");
    stalled.write_all(head.as_bytes()).await.unwrap();
    let admission = &house.app.api().gateway.admission;
    soon("the stalled request to be admitted", async {
        while admission.occupancy().running == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let served = async {
        while house.ask().await.status != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    soon("the place of a client that has stopped sending", served).await;
}

#[tokio::test]
async fn an_account_that_leads_back_to_headgate_does_not_multiply_a_request() {
    let limits =
        Limits { concurrent_requests: 16, waiting_requests: 4, wait_seconds: 0.2, ..Limits::default() };
    let house = House::within(limits, &[]).await;
    let own = headgate::accounts::NewAccount {
        name: "itself".into(),
        provider: "anthropic".into(),
        base_url: house.app.api().status().address,
        plain_http: headgate::accounts::PlainHttp::default(),
        priority: 0,
        key: Some(headgate::secrets::Sensitive::new("key".into())),
    };
    // Refusing the address is as good as seeing the loop.
    if house.app.api().gateway.roster.add(own).is_ok() {
        house.ask().await.until_end_or_cut().await;
        assert!(house.written().await.len() <= 2, "one request became {}", house.written().await.len());
    }
}

#[tokio::test]
async fn a_request_is_refused_in_time_when_nothing_can_be_written_down() {
    let limits = Limits { wait_seconds: 0.3, ..Limits::default() };
    let house = House::within(limits.clone(), &[]).await;
    let api = house.app.api();
    let network = headgate::settings::Network::default();
    let parts = headgate::proxy::Parts {
        roster: api.gateway.roster.clone(),
        renewals: api.gateway.renewals.clone(),
        keys: api.gateway.keys.clone(),
        profiles: api.gateway.profiles.clone(),
        require_key: false,
        prices: headgate::metering::Prices::built_in(),
        ledger: headgate::ledger::Ledger::new(api.store.clone(), api.events.clone(), 1).unwrap(),
        admission: headgate::proxy::Admission::new(&limits, house.clock.clone()),
        decisions: headgate::proxy::Decisions::default(),
        counting: headgate::proxy::Counting::new(headgate::tasks::Tasks::default()),
        warm: headgate::proxy::Warm::default(),
        outward: headgate::proxy::Outward::new(&network, 0),
        limits,
        clock: house.clock.clone(),
        paused: false.into(),
        stopping: false.into(),
    };
    let door: headgate::proxy::Door = std::sync::Arc::new(|_| unreachable!("nobody knocks"));
    let tasks = headgate::tasks::Tasks::default();
    let gateway = headgate::proxy::Gateway::new(parts);
    let places = headgate::proxy::Places { port: 0, network: &network, folder: house.folder.path() };
    let server = headgate::proxy::Server::start(gateway, door, places, tasks.clone()).unwrap();
    let client = crate::harness::Client::to(&server.address().to_string(), &tasks);

    let other = rusqlite::Connection::open(house.folder.path().join("headgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    client.post("/v1/messages", ask("claude-opus-5-5", false)).await.bytes().await;
    let refused = client.post("/v1/messages", ask("claude-opus-5-5", false));
    assert!(soon("a refusal", refused).await.status.is_server_error());
}

#[tokio::test]
async fn what_no_account_can_be_asked_for_is_the_requests_own_fault_and_not_retried() {
    let house = House::with(&["work"]).await;
    let roster = house.app.api().gateway.roster.clone();
    let work = roster.snapshot().contenders[0].account.id;
    let models = std::collections::BTreeMap::from([("a".into(), "b".into())]);
    roster.change(work, headgate::accounts::Change { models: Some(models), ..Default::default() }).unwrap();
    let body = format!("{{{}}}", vec![r#""model":"a""#; 40].join(","));
    let refused = house.client.post("/v1/messages", body).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.header("x-should-retry"), "false", "it would be the same again");
    assert!(refused.text().await.contains("model too often"));
}

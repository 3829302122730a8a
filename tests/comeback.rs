//! How accounts and upstreams come back: the second try after a 529, one request that goes ahead, weather that
//! the accounts of one upstream share, and pauses that outlive a restart.

use std::{sync::Arc, time::Duration};

use headgate::{
    accounts::NewAccount,
    app::App,
    clock::Clock,
    domain::{AccountId, Ending, Exchange, Need, Verdict},
    events::Event,
    routing::{Lesson, Sign, standing},
    sandbox::Behaviour,
    secrets::{Memory, Sensitive, Vault},
    settings::{Limits, Network, Settings},
    tasks::Tasks,
};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Client, House, Reply, Wire, aside, ask, soon, wire};

fn ok() -> String {
    wire::answer("200 OK", "application/json", r#"{"type":"message","content":[]}"#)
}

fn refused(status: &str, kind: &str) -> String {
    let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"trouble"}}}}"#);
    wire::answer(status, "application/json", &body)
}

fn overloaded() -> String {
    refused("529 Overloaded", "overloaded_error")
}

fn broken() -> String {
    refused("500 Internal Server Error", "api_error")
}

fn all(replies: impl IntoIterator<Item = String>) -> impl Iterator<Item = wire::Reply> {
    replies.into_iter().map(wire::Reply::Keep).collect::<Vec<_>>().into_iter()
}

/// No accounts; requests wait for this long at most.
async fn patient(seconds: f64) -> House {
    House::within(Limits { comeback_seconds: seconds, ..Limits::default() }, &[]).await
}

/// Asks, reads the answer, and tells the status, the accounts that were tried and the story.
async fn served(house: &mut House) -> (u16, Vec<String>, Arc<Exchange>) {
    let reply = house.ask().await;
    let status = reply.status.as_u16();
    reply.bytes().await;
    let exchange = house.ended().await;
    (status, house.tried(&exchange), exchange)
}

fn begin(house: &House) -> JoinSet<Reply> {
    let client = house.client.clone();
    aside(async move { client.post("/v1/messages", ask("claude-opus-5-5", false)).await })
}

async fn done(mut request: JoinSet<Reply>) -> u16 {
    let reply = soon("a reply", request.join_next()).await.unwrap().unwrap();
    let status = reply.status.as_u16();
    reply.bytes().await;
    status
}

fn rest(house: &House, id: AccountId, minutes: u64) {
    let verdict = &Verdict::Throttled { retry_after: Some(Duration::from_mins(minutes)) };
    let lesson = Lesson { verdict: Some(verdict), windows: &[], need: Need::default() };
    house.app.api().gateway.roster.learn(id, &lesson);
}

#[tokio::test]
async fn an_overloaded_upstream_is_asked_once_more_and_the_client_notices_nothing() {
    let mut house = patient(0.05).await;
    let upstream = Wire::saying(all([overloaded(), ok()])).await;
    upstream.account(&house, "work", 0);
    let (status, tried, exchange) = served(&mut house).await;
    assert_eq!((status, upstream.heard()), (200, 2));
    assert_eq!(tried, ["work", "work"], "both are in the record");
    let verdicts = exchange.attempts.iter().map(|attempt| attempt.verdict.word()).collect::<Vec<_>>();
    assert_eq!(verdicts, ["weather", "fine"]);
    assert_eq!(exchange.ending, Some(Ending::Complete));
}

#[tokio::test]
async fn an_overloaded_upstream_is_asked_twice_and_no_more_and_then_its_other_account() {
    let mut house =
        House::within(Limits { comeback_seconds: 0.05, ..Limits::default() }, &["work", "spare"]).await;
    house.script("work", [Behaviour::Overloaded, Behaviour::Overloaded, Behaviour::Overloaded]);
    house.script("spare", [Behaviour::Overloaded]);
    let (status, tried, _) = served(&mut house).await;
    assert_eq!((status, tried), (529, ["work", "work", "spare"].map(String::from).to_vec()));
    for name in ["work", "spare"] {
        assert_eq!(house.standing(name).await["state"], "ready", "it is counted against nobody");
    }
}

#[tokio::test]
async fn another_upstream_that_is_ready_is_not_kept_waiting_for() {
    let mut house = patient(2.0).await;
    let (first, second) = (Wire::saying(all([overloaded()])).await, Wire::saying(all([ok()])).await);
    first.account(&house, "work", 0);
    second.account(&house, "elsewhere", 1);
    let (status, tried, _) = served(&mut house).await;
    assert_eq!((status, tried), (200, vec!["work".to_owned(), "elsewhere".to_owned()]));
}

#[tokio::test]
async fn nobody_waits_for_a_second_try_longer_than_was_set() {
    let mut house = patient(0.5).await;
    let late = overloaded().replacen("\r\n", "\r\nretry-after: 1\r\n", 1);
    let upstream = Wire::saying(all([late, ok()])).await;
    upstream.account(&house, "work", 0);
    assert_eq!(served(&mut house).await.0, 529, "the upstream's own answer");
    let mut house = patient(0.0).await;
    let upstream = Wire::saying(all([overloaded(), ok()])).await;
    upstream.account(&house, "work", 0);
    assert_eq!(served(&mut house).await.1, ["work"], "it is switched off");
}

#[tokio::test]
async fn a_second_try_that_fails_otherwise_shows_the_answer_that_there_was() {
    let mut house = patient(0.05).await;
    let upstream = Wire::saying([wire::Reply::Keep(overloaded()), wire::Reply::Close(String::new())]).await;
    upstream.account(&house, "work", 0);
    let (status, tried, _) = served(&mut house).await;
    assert_eq!((status, tried.len()), (529, 2));
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_second_try_is_not_asked_for_again() {
    let mut house = patient(2.0).await;
    let upstream = Wire::saying(all([overloaded(), ok()])).await;
    upstream.account(&house, "work", 0);
    let mut events = house.app.api().events.subscribe();
    let request = begin(&house);
    soon("the first answer", async {
        loop {
            if let Event::Request(exchange) = events.recv().await.unwrap()
                && !exchange.attempts.is_empty()
            {
                return;
            }
        }
    })
    .await;
    drop(request);
    let exchange = house.ended().await;
    assert_eq!((exchange.ending, exchange.attempts.len()), (Some(Ending::ClientLeft), 1));
    assert_eq!(upstream.heard(), 1);
}

#[tokio::test]
async fn the_accounts_of_one_upstream_share_its_weather() {
    let mut house = patient(2.0).await;
    let stormy = Wire::saying(all([broken(), ok()])).await;
    let calm = Wire::saying(all([ok(), ok()])).await;
    stormy.account(&house, "work", 0);
    stormy.account(&house, "spare", 1);
    calm.account(&house, "elsewhere", 2);
    assert_eq!(served(&mut house).await.1, ["work", "elsewhere"], "spare stands under the same sky");
    assert_eq!(served(&mut house).await.1, ["elsewhere"], "the next one does not try either");
    for name in ["work", "spare"] {
        assert_eq!(house.standing(name).await["state"], "ready", "it is counted against nobody");
    }
    house.clock.advance(Duration::from_secs(3));
    assert_eq!(served(&mut house).await.1, ["work"], "it was short");
}

#[tokio::test]
async fn the_only_upstream_is_tried_in_bad_weather_all_the_same() {
    let mut house = patient(2.0).await;
    let upstream = Wire::saying(all([broken(), broken(), ok()])).await;
    upstream.account(&house, "work", 0);
    assert_eq!(served(&mut house).await.0, 500);
    assert_eq!(served(&mut house).await.0, 500, "at once");
    assert_eq!(served(&mut house).await.0, 200);
}

#[tokio::test]
async fn after_a_storm_all_are_served() {
    let mut house = patient(2.0).await;
    let replies = (0..3).map(|_| broken()).chain((0..9).map(|_| ok()));
    let upstream = Wire::saying(all(replies)).await;
    upstream.account(&house, "work", 0);
    for _ in 0..3 {
        assert_eq!(served(&mut house).await.0, 500);
    }
    assert_eq!(served(&mut house).await.0, 200);
    let requests: Vec<_> = (0..8).map(|_| begin(&house)).collect();
    for request in requests {
        assert_eq!(done(request).await, 200, "step by step, but all of them");
    }
}

#[tokio::test]
async fn after_a_long_rest_one_goes_ahead_and_the_others_go_elsewhere_meanwhile() {
    let mut house = patient(2.0).await;
    let work = Wire::saying([wire::Reply::Held(ok()), wire::Reply::Keep(ok())]).await;
    let spare = Wire::saying(all([ok()])).await;
    let id = work.account(&house, "work", 0);
    spare.account(&house, "spare", 1);
    rest(&house, id, 10);
    house.clock.advance(Duration::from_mins(11));
    let first = begin(&house);
    work.arrival().await;
    assert_eq!(served(&mut house).await.1, ["spare"], "work is being tried by another one");
    work.let_go();
    assert_eq!(done(first).await, 200);
    house.ended().await;
    assert_eq!(served(&mut house).await.1, ["work"], "it works again");
}

#[tokio::test]
async fn where_nobody_else_could_serve_the_others_wait_a_moment_for_the_first_and_then_go() {
    let mut house = patient(0.2).await;
    let work = Wire::saying([wire::Reply::Held(ok()), wire::Reply::Keep(ok())]).await;
    let id = work.account(&house, "work", 0);
    rest(&house, id, 10);
    house.clock.advance(Duration::from_mins(11));
    let first = begin(&house);
    work.arrival().await;
    assert_eq!(served(&mut house).await.0, 200, "nobody starves behind one that takes its time");
    work.let_go();
    assert_eq!(done(first).await, 200);
}

#[tokio::test]
async fn a_verdict_of_the_first_lets_the_others_go_at_once() {
    let house = patient(2.0).await;
    let work = Wire::saying([wire::Reply::Held(ok()), wire::Reply::Keep(ok())]).await;
    let id = work.account(&house, "work", 0);
    rest(&house, id, 10);
    house.clock.advance(Duration::from_mins(11));
    let mut events = house.app.api().events.subscribe();
    let mut request = async |fits: &dyn Fn(&Exchange) -> bool| {
        soon("a request to come so far", async {
            loop {
                if let Event::Request(exchange) = events.recv().await.unwrap()
                    && fits(&exchange)
                {
                    return exchange;
                }
            }
        })
        .await
    };
    let first = begin(&house);
    let ahead = request(&|_| true).await.start.id;
    work.arrival().await;
    let second = begin(&house);
    request(&|exchange| exchange.start.id != ahead).await;
    let let_go = house.clock.now();
    work.let_go();
    assert_eq!((done(first).await, done(second).await), (200, 200));
    let exchange = request(&|exchange| exchange.start.id != ahead && exchange.ending.is_some()).await;
    let began = exchange.attempts[0].began;
    assert!(exchange.start.started_at + began >= let_go, "it has waited for the first one");
    assert!(began < Duration::from_millis(1500), "and no longer: {began:?}");
}

#[tokio::test]
async fn one_that_goes_ahead_in_bad_weather_keeps_nobody_waiting_for_ever() {
    let mut house = patient(2.0).await;
    let work = Wire::saying([wire::Reply::Held(ok()), wire::Reply::Keep(ok())]).await;
    let id = work.account(&house, "work", 0);
    rest(&house, id, 10);
    house.clock.advance(Duration::from_mins(11));
    let first = begin(&house);
    work.arrival().await;
    let need = Some(headgate::domain::Family::Opus).into();
    let accounts = house.app.api().gateway.roster.snapshot();
    accounts.contenders[0].weather.learn(need, Sign::Overloaded, house.clock.now());
    assert_eq!(soon("an answer", served(&mut house)).await.0, 200, "it is the only upstream");
    work.let_go();
    assert_eq!(done(first).await, 200);
}

#[tokio::test]
async fn a_refused_key_is_tried_again_after_a_while_and_a_new_one_at_once() {
    let mut house = House::with(&["work", "spare"]).await;
    house.script("work", [Behaviour::CredentialRefused]);
    assert_eq!(served(&mut house).await.1, ["work", "spare"]);
    assert_eq!(served(&mut house).await.1, ["spare"]);
    house.clock.advance(Duration::from_mins(17));
    assert_eq!(house.standing("work").await["state"], "needs_sign_in", "until it has worked");
    assert_eq!(served(&mut house).await.1, ["work"], "upstreams have refused good keys");
    assert_eq!(house.standing("work").await["state"], "ready");
    house.script("work", [Behaviour::CredentialRefused]);
    assert_eq!(served(&mut house).await.1, ["work", "spare"]);
    let key = json!({ "key": "key-work" }).to_string();
    let changed = house.client.call(house.token(), Method::PATCH, "/api/v1/accounts/1", &key).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(served(&mut house).await.1, ["work"]);
}

#[tokio::test]
async fn a_paused_account_keeps_its_reason_whatever_a_late_answer_says() {
    for late in [
        refused("401 Unauthorized", "authentication_error"),
        refused("429 Too Many Requests", "rate_limit_error").replacen("\r\n", "\r\nretry-after: 600\r\n", 1),
        broken(),
        ok(),
    ] {
        let mut house = patient(0.05).await;
        let upstream = Wire::saying([wire::Reply::Held(late)]).await;
        upstream.account(&house, "work", 0);
        let request = begin(&house);
        upstream.arrival().await;
        let pause = json!({ "reason": "on holiday" }).to_string();
        house.client.call(house.token(), Method::POST, "/api/v1/accounts/1/pause", &pause).await;
        upstream.let_go();
        done(request).await;
        house.ended().await;
        let standing = house.standing("work").await;
        let paused =
            json!({ "state": "paused", "reason": "on holiday", "until": null, "paused_by": "program" });
        assert_eq!(standing, paused);
    }
}

/// A core of its own on this folder.
fn core(folder: &std::path::Path, clock: &Clock, vault: &Arc<dyn Vault>) -> App {
    let (data_dir, network) = (folder.to_owned(), Network::default());
    let limits = Limits { models_hours: 0.0, ..Limits::default() };
    let settings = Settings { data_dir, port: 0, vault: None, require_key: false, limits, network };
    App::open(settings, clock.clone(), Some(Arc::clone(vault))).unwrap()
}

#[tokio::test]
async fn a_pause_and_how_it_has_grown_outlive_a_restart() {
    let disabled = || {
        let body = r#"{"type":"error","error":{"type":"permission_error","message":"This organization has been disabled."}}"#;
        wire::Reply::Keep(wire::answer("403 Forbidden", "application/json", body))
    };
    let cap = || {
        let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"You have reached your spend limit."}}"#;
        wire::Reply::Keep(wire::answer("429 Too Many Requests", "application/json", body))
    };
    for (replies, first) in [([disabled(), disabled()], 60), ([cap(), cap()], 15)] {
        let (folder, clock, tasks) = (tempfile::tempdir().unwrap(), Clock::movable(), Tasks::default());
        let vault: Arc<dyn Vault> = Arc::new(Memory::default());
        let upstream = Wire::saying(replies).await;
        let mut rests = Vec::new();
        for round in 0..2 {
            let app = core(folder.path(), &clock, &vault);
            let roster = app.api().gateway.roster.clone();
            if round == 0 {
                let new = NewAccount {
                    name: "work".into(),
                    provider: "anthropic".into(),
                    base_url: Some(upstream.base_url.clone()),
                    plain_http: headgate::accounts::PlainHttp::default(),
                    priority: 0,
                    key: Some(Sensitive::new("key-work".into())),
                };
                roster.add(new).unwrap();
            }
            let client = Client::to(&app.start().unwrap().to_string(), &tasks);
            let ask_it =
                async || client.post("/v1/messages", ask("claude-opus-5-5", false)).await.bytes().await;
            ask_it().await;
            ask_it().await;
            assert_eq!(upstream.heard(), round + 1, "it rests, from one process to the next");
            let until = standing(&roster.snapshot().contenders[0], clock.now()).until.unwrap();
            let rest = until.duration_since(clock.now());
            rests.push(rest.as_mins());
            app.drain().await;
            drop((app, roster));
            let app = core(folder.path(), &clock, &vault);
            let kept = app.api().gateway.roster.snapshot();
            let known = standing(&kept.contenders[0], clock.now()).until.unwrap();
            assert!(known.duration_since(until).abs() < jiff::SignedDuration::from_millis(2));
            app.drain().await;
            drop((app, kept));
            clock.advance(rest.unsigned_abs() + Duration::from_secs(1));
        }
        assert!((first * 9 / 10 - 1..=first * 11 / 10).contains(&rests[0]), "{rests:?}");
        assert!(rests[1] > rests[0] * 3 / 2, "the second one is longer: {rests:?}");
        tasks.stop();
    }
}

//! A conversation stays with the account in whose cache its prompt lies, as long as that costs less than it gains.

use std::time::Duration;

use bytes::Bytes;
use headgate::{
    accounts::Change,
    clock::Clock,
    domain::{AccountId, Need, Verdict, Window, WindowName, WindowSource},
    routing::Lesson,
    sandbox::{Answer, Behaviour, Sandbox, Scenario, ScriptedAccount, Step},
    tasks::Tasks,
};
use http::{Request, StatusCode};
use jiff::SignedDuration;

use crate::harness::{Client, House, Program, ask};

/// Every account answers with a long prompt in its cache.
fn cached(names: &[&str]) -> Scenario {
    let answer = Answer { cache_write: 150_000, ..Answer::default() };
    Scenario::of(names.iter().map(|name| {
        let mut account = ScriptedAccount::new(name, &format!("key-{name}"));
        account.script = vec![Step { times: 1_000, behaviour: Behaviour::Answer(answer.clone()) }];
        account
    }))
}

async fn house(names: &[&str]) -> House {
    House::of(headgate::settings::Limits::default(), cached(names)).await
}

fn turn(session: &str) -> Request<Bytes> {
    let request = Request::post("/v1/messages").header("x-claude-code-session-id", session);
    request.body(ask("claude-opus-5-5", false).into()).unwrap()
}

/// The next turn of a conversation, and who was tried for it.
async fn go_on(house: &mut House, session: &str) -> Vec<String> {
    let reply = house.client.send(turn(session)).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.bytes().await;
    let exchange = house.ended().await;
    house.tried(&exchange)
}

fn id(house: &House, name: &str) -> AccountId {
    let snapshot = house.app.api().gateway.roster.snapshot();
    let found = snapshot.contenders.iter().find(|one| one.account.name.as_str() == name);
    found.unwrap().account.id
}

/// All accounts are as good as each other.
fn level(house: &House, names: &[&str]) {
    for name in names {
        let change = Change { priority: Some(0), ..Change::default() };
        house.app.api().gateway.roster.change(id(house, name), change).unwrap();
    }
}

/// So much of an account's five hours is used.
fn use_up(house: &House, name: &str, utilization: f64) {
    let window = Window {
        utilization: Some(utilization),
        resets_at: Some(house.clock.now() + SignedDuration::from_hours(3)),
        ..Window::new(WindowName("5h".into()), WindowSource::Header, house.clock.now())
    };
    house.app.api().gateway.roster.learn(id(house, name), &lesson(&Verdict::Fine, &[window]));
}

fn lesson<'a>(verdict: &'a Verdict, windows: &'a [Window]) -> Lesson<'a> {
    Lesson { verdict: Some(verdict), windows, need: Need::default() }
}

fn pause(house: &House, name: &str) {
    house.app.api().gateway.roster.pause(id(house, name), "").unwrap();
}

fn resume(house: &House, name: &str) {
    house.app.api().gateway.roster.resume(id(house, name)).unwrap();
}

#[tokio::test]
async fn a_conversation_stays_where_its_prompt_is_cached_though_another_account_has_more_left() {
    let mut house = house(&["work", "spare"]).await;
    level(&house, &["work", "spare"]);
    use_up(&house, "work", 0.1);
    use_up(&house, "spare", 0.4);
    assert_eq!(go_on(&mut house, "a").await, ["work"]);
    use_up(&house, "work", 0.6);
    assert_eq!(go_on(&mut house, "a").await, ["work"], "its prompt lies there");
    assert_eq!(go_on(&mut house, "b").await, ["spare"], "a new one goes where most is left");
}

#[tokio::test]
async fn a_conversation_goes_back_to_a_better_account_once_its_cache_is_cold() {
    let mut house = house(&["work", "spare"]).await;
    pause(&house, "work");
    assert_eq!(go_on(&mut house, "a").await, ["spare"]);
    resume(&house, "work");
    assert_eq!(go_on(&mut house, "a").await, ["spare"], "a long prompt would be written anew");
    house.clock.advance(Duration::from_mins(6));
    assert_eq!(go_on(&mut house, "a").await, ["work"], "nothing is lost any more");
    assert_eq!(go_on(&mut house, "a").await, ["work"]);
}

#[tokio::test]
async fn a_conversation_goes_elsewhere_while_its_account_rests_and_comes_back() {
    let mut house = house(&["work", "spare"]).await;
    pause(&house, "work");
    assert_eq!(go_on(&mut house, "a").await, ["spare"]);
    resume(&house, "work");
    let rests = Verdict::Throttled { retry_after: Some(Duration::from_mins(1)) };
    house.app.api().gateway.roster.learn(id(&house, "spare"), &lesson(&rests, &[]));
    assert_eq!(go_on(&mut house, "a").await, ["work"], "it can't wait");
    assert_eq!(go_on(&mut house, "a").await, ["work"]);
    house.clock.advance(Duration::from_secs(61));
    assert_eq!(go_on(&mut house, "a").await, ["spare"], "it was bound there all the time");
}

#[tokio::test]
async fn conversations_that_run_beside_each_other_spread_and_a_subagent_is_one_of_its_own() {
    let mut house = house(&["work", "spare"]).await;
    level(&house, &["work", "spare"]);
    for name in ["work", "spare"] {
        use_up(&house, name, 0.2);
    }
    let first = go_on(&mut house, "a").await;
    // The sandbox tells how full its windows are; the two stay level.
    for name in ["work", "spare"] {
        use_up(&house, name, 0.2);
    }
    let second = go_on(&mut house, "b").await;
    assert_ne!(first, second, "who has a conversation already comes second");
    assert_eq!(go_on(&mut house, "a").await, first);
    assert_eq!(go_on(&mut house, "b").await, second);
    let roster = &house.app.api().gateway.roster;
    let bound: Vec<u32> = roster.snapshot().contenders.iter().map(|one| one.load.bound()).collect();
    assert_eq!(bound, [1, 1]);
    let mut of_agent = turn("a");
    of_agent.headers_mut().insert("x-claude-code-agent-id", "agent".parse().unwrap());
    house.client.send(of_agent).await.bytes().await;
    house.ended().await;
    let roster = &house.app.api().gateway.roster;
    let bound: u32 = roster.snapshot().contenders.iter().map(|one| one.load.bound()).sum();
    assert_eq!(bound, 3);
}

#[tokio::test]
async fn a_conversation_whose_account_was_removed_begins_anew() {
    let mut house = house(&["work", "spare"]).await;
    pause(&house, "work");
    assert_eq!(go_on(&mut house, "a").await, ["spare"]);
    resume(&house, "work");
    house.app.api().gateway.roster.remove(id(&house, "spare")).unwrap();
    assert_eq!(go_on(&mut house, "a").await, ["work"]);
    let back = house.add("spare", house.sandbox.base_url(), -5);
    assert_eq!(go_on(&mut house, "a").await, ["work"], "the new one of this name ({back:?}) is another");
}

#[tokio::test]
async fn counts_and_what_names_no_conversation_bind_nothing() {
    let mut house = house(&["work", "spare"]).await;
    house.ask().await.bytes().await;
    house.ended().await;
    let count = Request::post("/v1/messages/count_tokens").header("x-claude-code-session-id", "a");
    house.client.send(count.body(ask("claude-opus-5-5", false).into()).unwrap()).await.bytes().await;
    house.ended().await;
    let roster = &house.app.api().gateway.roster;
    assert!(roster.snapshot().contenders.iter().all(|one| one.load.bound() == 0));
}

#[tokio::test]
async fn a_restart_leaves_a_conversation_where_it_was() {
    let tasks = Tasks::default();
    let sandbox = Sandbox::start(&cached(&["work", "spare"]), &Clock::system(), &tasks).await.unwrap();
    let program = Program::new();
    assert!(program.add("work", sandbox.base_url(), "key-work", &[]).status.success());
    assert!(program.add("spare", sandbox.base_url(), "key-spare", &["--priority", "1"]).status.success());
    assert!(program.run(&["accounts", "pause", "work"]).status.success());
    let go_on = async |url: &str, session: &str| {
        let reply = Client::to(url, &tasks).send(turn(session)).await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.bytes().await;
    };
    let served = program.serve();
    go_on(&served.url, "a").await;
    assert!(served.stop().success());
    assert!(program.run(&["accounts", "resume", "work"]).status.success());
    let served = program.serve();
    go_on(&served.url, "a").await;
    go_on(&served.url, "b").await;
    assert!(served.stop().success());
    let turns = |key| sandbox.seen(key).iter().filter(|arrival| arrival.path == "/v1/messages").count();
    assert_eq!(turns("key-spare"), 2, "the conversation is still bound to it");
    assert_eq!(turns("key-work"), 1, "the new one goes to the better account");
    tasks.stop();
}

//! Prompts that are kept in the cache: for nobody who has not asked for it, in memory alone and within bounds, and only
//! while that is cheaper than to write them anew.

use std::time::Duration;

use bytes::Bytes;
use headgate::{
    domain::{AccountId, Ending},
    sandbox::{Answer, Behaviour, Scenario, ScriptedAccount, Step},
    settings::Limits,
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, soon};

const BODY: &str = r#"{"model":"claude-opus-4-8", "max_tokens":32000,"stream":true,"system":[{"z":1,"a":"text"}],"messages":[{"role":"user","content":"hi"}]}"#;

/// One account that answers with so many tokens read from its cache.
async fn house(cached: u32) -> House {
    within(Limits::default(), cached).await
}

async fn within(limits: Limits, cached: u32) -> House {
    let mut scripted = ScriptedAccount::new("work", "key-work");
    let answer = Answer { cache_read: cached, ..Answer::default() };
    scripted.script = vec![Step { times: 1_000, behaviour: Behaviour::Answer(answer) }];
    House::of(limits, Scenario::of([scripted])).await
}

fn path(house: &House) -> String {
    format!("/api/v1/accounts/{}", house.id("work"))
}

async fn set(house: &House, times: u8) {
    let changed = house.done(Method::PATCH, &path(house), json!({ "keep_warm": times })).await;
    assert_eq!(changed["keep_warm"], if times == 0 { Value::Null } else { json!(times) });
}

async fn turn(house: &mut House, session: &str) {
    let request = Request::post("/v1/messages?beta=true")
        .header("x-claude-code-session-id", session)
        .header("anthropic-beta", "context-1m-2025-08-07")
        .header("x-api-key", "a-clients-own");
    let reply = house.client.send(request.body(Bytes::from_static(BODY.as_bytes())).unwrap()).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.bytes().await;
    house.ended().await;
}

async fn job(house: &House) -> Value {
    house.done(Method::GET, "/api/v1/jobs/keep-warm?settled=true", json!({})).await
}

/// Moves the clock to where a prompt is repeated, and waits for that; the sentence of the run.
async fn repeated(house: &House, count: u64) -> String {
    let mut events = house.app.api().events.subscribe();
    house.clock.advance(Duration::from_secs(4 * 60 + 25));
    soon("a prompt to be repeated", async {
        loop {
            let job = job(house).await;
            if house.sandbox.counts().arrived == count
                && job["running_since"].is_null()
                && job["last"].is_object()
            {
                return job["last"]["says"].as_str().unwrap().to_owned();
            }
            events.recv().await.unwrap();
        }
    })
    .await
}

fn held(house: &House) -> (usize, usize) {
    house.app.api().gateway.warm.held()
}

#[tokio::test]
async fn by_default_nothing_is_kept_and_nothing_is_sent() {
    let mut house = house(150_000).await;
    turn(&mut house, "one").await;
    assert_eq!(held(&house), (0, 0));
    house.clock.advance(Duration::from_secs(270));
    assert_eq!(job(&house).await["off"], "no account's owner has asked for it");
    assert_eq!(house.sandbox.counts().arrived, 1);
}

#[tokio::test]
async fn a_big_prompt_is_repeated_for_a_token_each_time_it_would_leave_the_cache_and_no_more_than_asked() {
    let mut house = house(150_000).await;
    set(&house, 2).await;
    turn(&mut house, "one").await;
    assert_eq!(held(&house), (1, BODY.len()));
    let says = repeated(&house, 2).await;
    assert!(says.contains("Repeated 1") && says.contains("150 k tokens: repeats cost $0.075"), "{says}");
    let [first, second]: [_; 2] = house.sandbox.arrivals().try_into().unwrap();
    let wanted = BODY.replace("32000", "1").replace("true", "false");
    assert_eq!(second.body, wanted.as_bytes(), "every other byte is as it was, or it would miss the cache");
    assert_eq!((&second.path, &second.key), (&first.path, &"key-work".to_owned()));
    assert_eq!(second.headers["anthropic-beta"], first.headers["anthropic-beta"]);
    assert!(second.headers["user-agent"].to_str().unwrap().contains("(+keeps a prompt cached)"));
    assert!(!format!("{:?}", second.headers).contains("a-clients-own"));
    let written = house.written().await.remove(0);
    assert_eq!((written.ending, written.session.as_deref()), (Some(Ending::Complete), Some("one")));
    assert_eq!(written.usage.cache_read, Some(150_000), "its tokens are counted");
    assert!(written.changes[0].contains("to keep the prompt cached"), "{:?}", written.changes);

    repeated(&house, 3).await;
    house.clock.advance(Duration::from_secs(4 * 60 + 25));
    let mut events = house.app.api().events.subscribe();
    soon("it to be left", async {
        while !job(&house).await["last"]["says"].as_str().unwrap().contains("was repeated 2 times") {
            events.recv().await.unwrap();
        }
    })
    .await;
    assert_eq!((house.sandbox.counts().arrived, held(&house)), (3, (0, 0)));
}

#[tokio::test]
async fn the_next_turn_starts_anew_and_what_is_cold_is_left() {
    let mut house = house(150_000).await;
    set(&house, 1).await;
    turn(&mut house, "one").await;
    repeated(&house, 2).await;
    turn(&mut house, "one").await;
    repeated(&house, 4).await;
    turn(&mut house, "one").await;
    house.clock.advance(Duration::from_mins(10));
    let mut events = house.app.api().events.subscribe();
    soon("it to be forgotten", async {
        while held(&house).0 > 0 || job(&house).await["last"]["says"] != "No prompt is due." {
            events.recv().await.unwrap();
        }
    })
    .await;
    assert_eq!(house.sandbox.counts().arrived, 5, "a cold prompt would be written anew");
}

#[tokio::test]
async fn only_big_prompts_are_kept_and_sixteen_of_them_at_most() {
    let mut small = house(19_999).await;
    set(&small, 3).await;
    turn(&mut small, "one").await;
    assert_eq!(held(&small), (0, 0));
    let mut house = house(20_000).await;
    set(&house, 3).await;
    for n in 0..20 {
        turn(&mut house, &format!("conversation-{n}")).await;
    }
    assert_eq!(held(&house), (16, 16 * BODY.len()));
}

#[tokio::test]
async fn what_is_kept_is_wiped_when_it_is_switched_off_and_at_the_drain() {
    let mut house = house(150_000).await;
    set(&house, 3).await;
    turn(&mut house, "one").await;
    assert_eq!(held(&house).0, 1);
    set(&house, 0).await;
    soon("it to be wiped", async {
        while held(&house).0 > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    set(&house, 3).await;
    turn(&mut house, "one").await;
    assert_eq!(held(&house).0, 1);
    soon("the core to stop", house.app.drain()).await;
    assert_eq!(held(&house), (0, 0));
}

#[tokio::test]
async fn a_pause_and_a_guard_let_prompts_go_cold() {
    let mut house = house(150_000).await;
    set(&house, 3).await;
    turn(&mut house, "one").await;
    let roster = house.app.api().gateway.roster.clone();
    roster.pause(AccountId(house.id("work")), "on holiday").unwrap();
    let says = repeated(&house, 1).await;
    assert!(says.contains("left 1 to go cold") && says.contains("on holiday"), "{says}");
    assert_eq!(house.standing("work").await["reason"], "on holiday");
}

#[tokio::test]
async fn a_failed_repeat_takes_no_account_out_of_service_and_is_not_tried_again() {
    let mut house = house(150_000).await;
    set(&house, 3).await;
    turn(&mut house, "one").await;
    house.script(
        "work",
        [Behaviour::RateLimited { retry_after: Some(Duration::from_hours(1)), unified: false }],
    );
    let says = repeated(&house, 2).await;
    assert!(says.contains("failed at 1"), "{says}");
    assert_eq!(house.standing("work").await["state"], "ready");
    assert_eq!(held(&house), (0, 0));
}

#[tokio::test]
async fn a_number_of_repeats_is_asked_for_within_reason_and_never_for_claude_codes_own_sign_in() {
    let house = house(1).await;
    let login = headgate::accounts::NewAccount {
        name: "mine".into(),
        provider: "claude-login".into(),
        base_url: None,
        plain_http: headgate::accounts::PlainHttp::default(),
        priority: 5,
        key: None,
    };
    let id = house.app.api().gateway.roster.add(login).unwrap().account.id.0;
    for (path, times) in [(path(&house), 13), (format!("/api/v1/accounts/{id}"), 1)] {
        let refused = house.api(Method::PATCH, &path, json!({ "keep_warm": times })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn a_prompt_was_sent_to_the_address_that_its_account_got_afterwards() {
    let mut house = house(150_000).await;
    set(&house, 2).await;
    turn(&mut house, "one").await;
    let tasks = headgate::tasks::Tasks::default();
    let others = Scenario::of([ScriptedAccount::new("other", "key-work")]);
    let others = headgate::sandbox::Sandbox::start(&others, &house.clock, &tasks).await.unwrap();
    let moved = json!({ "base_url": others.base_url() });
    house.done(Method::PATCH, &path(&house), moved).await;
    soon("it to be forgotten", async {
        while held(&house) != (0, 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    house.clock.advance(Duration::from_secs(4 * 60 + 25));
    assert_eq!(job(&house).await["next_at"], Value::Null, "there is nothing to be repeated");
    soon("the core to stop", house.app.drain()).await;
    assert_eq!(others.counts().arrived, 0, "nobody there has seen the conversation");
    assert_eq!((house.sandbox.counts().arrived, held(&house)), (1, (0, 0)));
    tasks.stop();
}

/// What is said of a repeat that waits behind a client's request for its place, while this happens.
async fn said_of_one_that_waited(meanwhile: impl AsyncFnOnce(&House)) -> String {
    let mut house = within(Limits { concurrent_requests: 1, ..Limits::default() }, 150_000).await;
    set(&house, 2).await;
    turn(&mut house, "one").await;
    house.script("work", [Behaviour::SlowHead { gate: "head".into(), answer: Answer::default() }]);
    let waited = async {
        house.sandbox.await_held("head").await.unwrap();
        house.clock.advance(Duration::from_secs(4 * 60 + 25));
        soon("the repeat to wait", async {
            while house.app.api().gateway.admission.occupancy().waiting == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        meanwhile(&house).await;
        house.sandbox.release("head");
        let mut events = house.app.api().events.subscribe();
        soon("the repeat to be left", async {
            loop {
                let job = job(&house).await;
                if job["running_since"].is_null() && job["last"].is_object() {
                    return job["last"]["says"].as_str().unwrap().to_owned();
                }
                events.recv().await.unwrap();
            }
        })
        .await
    };
    let (reply, says) = tokio::join!(house.ask(), waited);
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!((house.sandbox.counts().arrived, held(&house)), (2, (0, 0)), "{says}");
    says
}

#[tokio::test]
async fn a_repeat_that_was_switched_off_while_it_waited_for_its_place_was_sent() {
    let says = said_of_one_that_waited(async |house| set(house, 0).await).await;
    assert!(says.contains("taken that back"), "{says}");
}

#[tokio::test]
async fn a_repeat_that_waited_until_its_prompt_was_cold_was_sent() {
    let says = said_of_one_that_waited(async |house| house.clock.advance(Duration::from_secs(30))).await;
    assert!(says.contains("gone cold"), "{says}");
}

#[tokio::test]
async fn a_repeat_that_waits_while_its_account_gets_another_address_is_left() {
    let says = said_of_one_that_waited(async |house| {
        let moved = json!({ "base_url": "https://elsewhere.invalid" });
        house.done(Method::PATCH, &path(house), moved).await;
    })
    .await;
    assert!(says.contains("another address"), "{says}");
}

#[tokio::test]
async fn a_prompt_was_repeated_under_the_key_of_another_organisation() {
    let another = async |house: &House| {
        house.done(Method::PATCH, &path(house), json!({ "key": "key-other" })).await;
    };
    let says = said_of_one_that_waited(another).await;
    assert!(says.contains("another key"), "{says}");

    let mut house = house(150_000).await;
    set(&house, 2).await;
    turn(&mut house, "one").await;
    assert_eq!(held(&house).0, 1);
    another(&house).await;
    soon("it to be forgotten", async {
        while held(&house) != (0, 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

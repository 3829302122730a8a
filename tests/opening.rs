//! Usage windows that are opened by themselves: for nobody who has not asked for it, once for each reset, and never
//! where a person's guard or pause stands in the way.

use std::{path::Path, sync::Arc, time::Duration};

use headgate::{
    accounts::NewAccount,
    app::App,
    clock::Clock,
    domain::AccountId,
    sandbox::{Answer, Behaviour, Sandbox, Scenario, ScriptedAccount},
    secrets::{Memory, Sensitive, Vault},
    settings::{Limits, Network, Settings},
    tasks::Tasks,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Client, House, ask, soon};

const HOUR: Duration = Duration::from_hours(1);

/// One account whose 5 h window ends in an hour.
fn scripted() -> ScriptedAccount {
    let mut scripted = ScriptedAccount::new("work", "key-work").with_window("5h", 0.2, HOUR);
    scripted.windows[0].every = Some(5 * HOUR);
    scripted
}

async fn house() -> House {
    House::of(Limits::default(), Scenario::of([scripted()])).await
}

fn path(house: &House) -> String {
    format!("/api/v1/accounts/{}", house.id("work"))
}

async fn set(house: &House, when: Value) {
    house.done(Method::PATCH, &path(house), json!({ "open_window": when })).await;
}

async fn account(house: &House) -> Value {
    house.done(Method::GET, &path(house), json!({})).await
}

async fn job(house: &House) -> Value {
    house.done(Method::GET, "/api/v1/jobs/open-window?settled=true", json!({})).await
}

/// Waits until its last run says this.
async fn until_said(house: &House, says: &str) -> Value {
    let mut events = house.app.api().events.subscribe();
    soon(says, async {
        loop {
            let job = job(house).await;
            if job["running_since"].is_null()
                && job["last"]["says"].as_str().is_some_and(|said| said.contains(says))
            {
                return job;
            }
            events.recv().await.unwrap();
        }
    })
    .await
}

/// A client's request, which teaches the window.
async fn teach(house: &mut House) {
    let reply = house.ask().await;
    house.answered_by(reply).await;
}

#[tokio::test]
async fn by_default_nothing_is_ever_sent() {
    let mut house = house().await;
    teach(&mut house).await;
    house.clock.advance(30 * HOUR);
    let job = job(&house).await;
    assert_eq!((&job["off"], &job["next_at"]), (&json!("no account's owner has asked for it"), &Value::Null));
    let refused = house.api(Method::POST, "/api/v1/jobs/open-window/run", json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(house.sandbox.counts().arrived, 1, "the client's");
    let account = account(&house).await;
    assert_eq!((&account["open_window"], &account["opening"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn who_asked_for_it_gets_one_honest_request_at_the_reset_recorded_like_any_other() {
    let mut house = house().await;
    set(&house, json!({ "when": "at_reset" })).await;
    assert_eq!(job(&house).await["next_at"], Value::Null, "no reset is known yet");
    teach(&mut house).await;
    let next = account(&house).await["opening"]["next_at"].clone();
    assert!(next.is_string(), "the first answer has told the reset");
    house.clock.advance(59 * HOUR / 60);
    assert_eq!(house.sandbox.counts().arrived, 1, "it is not time yet");

    house.clock.advance(HOUR / 20);
    until_said(&house, "A window of work was opened.").await;

    let sent = house.sandbox.arrivals().pop().unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent.path, "/v1/messages");
    assert_eq!((&body["max_tokens"], &body["model"]), (&json!(1), &json!("claude-haiku-4-5")));
    let agent = sent.headers["user-agent"].to_str().unwrap();
    assert_eq!(agent, format!("headgate/{} (+opens a usage window)", env!("CARGO_PKG_VERSION")));
    let written = house.written().await.remove(0);
    assert_eq!(written.client.as_deref(), Some(agent));
    assert_eq!((written.account.as_deref(), written.status), (Some("work"), Some(200)));
    assert_eq!(written.ending, Some(headgate::domain::Ending::Complete));
    assert!(written.usage.input.is_some() && written.usage.output.is_some(), "its tokens are counted");
    assert_eq!(written.session, None, "it is no conversation, and binds none");

    let told = account(&house).await;
    assert!(told["opening"]["opened_at"].is_string());
    assert_ne!(told["opening"]["next_at"], next, "the answer has told the next reset");
    house.clock.advance(4 * HOUR);
    let again = house.api(Method::POST, "/api/v1/jobs/open-window/run", json!({})).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    until_said(&house, "No window is due.").await;
    assert_eq!(house.sandbox.counts().arrived, 2, "one for each reset");
    house.clock.advance(HOUR);
    until_said(&house, "A window of work was opened.").await;
    assert_eq!(house.sandbox.counts().arrived, 3);
}

fn core(folder: &Path, clock: &Clock, vault: &Arc<dyn Vault>) -> App {
    let settings = Settings {
        data_dir: folder.to_owned(),
        port: 0,
        vault: None,
        require_key: false,
        limits: Limits { models_hours: 0.0, ..Limits::default() },
        network: Network::default(),
    };
    App::open(settings, clock.clone(), Some(Arc::clone(vault))).unwrap()
}

#[tokio::test]
async fn a_restart_repeats_no_opening_and_forgets_none() {
    let (folder, clock, tasks) = (tempfile::tempdir().unwrap(), Clock::movable(), Tasks::default());
    let vault: Arc<dyn Vault> = Arc::new(Memory::default());
    // Its answers to what opens a window tell no windows, so that nothing but the note keeps it from another one.
    let mute =
        Behaviour::Error { status: StatusCode::INTERNAL_SERVER_ERROR, message: "No.".into(), body: None };
    let sandbox = Sandbox::start(&Scenario::of([scripted()]), &clock, &tasks).await.unwrap();
    let app = core(folder.path(), &clock, &vault);
    let roster = app.api().gateway.roster.clone();
    let new = NewAccount {
        name: "work".into(),
        provider: "anthropic".into(),
        base_url: Some(sandbox.base_url().into()),
        plain_http: headgate::accounts::PlainHttp::default(),
        priority: 0,
        key: Some(Sensitive::new("key-work".into())),
    };
    let id = roster.add(new).unwrap().account.id;
    let change = headgate::accounts::Change {
        open_window: Some(Some(headgate::domain::OpenWhen::AtReset)),
        ..Default::default()
    };
    roster.change(id, change).unwrap();
    let client = Client::to(&app.start().unwrap().to_string(), &tasks);
    client.post("/v1/messages", ask("claude-opus-5-5", false)).await.bytes().await;
    app.drain().await;
    drop((app, roster));

    // It was away at the reset.
    clock.advance(2 * HOUR);
    sandbox.script("key-work", [mute]).unwrap();
    let app = core(folder.path(), &clock, &vault);
    app.start().unwrap();
    sandbox.await_requests(2).await.unwrap();
    app.drain().await;
    drop(app);

    let app = core(folder.path(), &clock, &vault);
    app.start().unwrap();
    let roster = app.api().gateway.roster.clone();
    assert!(roster.due_to_open().is_empty(), "it was tried for this reset");
    assert_eq!(roster.opening_due(clock.now()), None);
    assert_eq!(sandbox.counts().arrived, 2);
    app.drain().await;
    tasks.stop();
}

#[tokio::test]
async fn a_request_of_ours_that_a_drain_broke_off_was_told_as_one_whose_client_had_left() {
    let mut house = house().await;
    set(&house, json!({ "when": "at_reset" })).await;
    teach(&mut house).await;
    house.script(
        "work",
        [Behaviour::SlowHead { gate: "head".into(), answer: headgate::sandbox::Answer::default() }],
    );
    house.clock.advance(2 * HOUR);
    house.sandbox.await_held("head").await.unwrap();
    soon("the drain to end", house.app.drain()).await;
    assert_eq!(house.ended().await.ending, Some(headgate::domain::Ending::Interrupted));
    house.sandbox.release("head");
}

#[tokio::test]
async fn what_headgate_asks_by_itself_takes_no_account_out_of_service() {
    let mut house = house().await;
    set(&house, json!({ "when": "at_reset" })).await;
    teach(&mut house).await;
    let mut until_reset = HOUR;
    for refusal in [
        Behaviour::RateLimited { retry_after: Some(HOUR), unified: false },
        Behaviour::Overloaded,
        Behaviour::CredentialRefused,
        Behaviour::DropBeforeHead { reset: true },
    ] {
        house.script("work", [refusal.clone()]);
        let before = house.sandbox.counts().arrived;
        house.clock.advance(until_reset + Duration::from_mins(2));
        until_reset = 5 * HOUR;
        house.sandbox.await_requests(before + 1).await.unwrap();
        let job = until_said(&house, "The request that was to open a window of work failed").await;
        assert_eq!(job["last"]["outcome"], "trouble", "{job}");
        assert_eq!(house.standing("work").await["state"], "ready", "{refusal:?}");
        house.ended().await;
        // The next answer to a client tells the next reset.
        teach(&mut house).await;
        // So that the next failure is told as one of its own.
        let run = house.api(Method::POST, "/api/v1/jobs/open-window/run", json!({})).await;
        assert_eq!(run.status, StatusCode::ACCEPTED);
        until_said(&house, "No window is due.").await;
    }
}

#[tokio::test]
async fn a_cap_holds_it_back_says_so_and_lets_it_go() {
    let mut house = house().await;
    // What is used late in the evening is no longer of this day when the window begins anew, within five hours.
    house.to_midnight();
    set(&house, json!({ "when": "at_reset" })).await;
    teach(&mut house).await;
    let caps = json!({ "guards": { "caps": { "day": { "tokens": 1 } } } });
    house.done(Method::PATCH, &path(&house), caps).await;
    house.clock.advance(5 * HOUR + Duration::from_mins(10));
    let job = until_said(&house, "work is kept back: ").await;
    assert_eq!(job["last"]["outcome"], "fine");
    let held = account(&house).await["opening"]["kept_back"].as_str().unwrap().to_owned();
    assert!(held.contains("daily cap"), "{held}");
    assert_eq!(house.sandbox.counts().arrived, 1);
    house.done(Method::PATCH, &path(&house), json!({ "guards": { "caps": {} } })).await;
    // A job rests for a minute before it is done again for the same reason.
    house.clock.advance(Duration::from_mins(2));
    until_said(&house, "A window of work was opened.").await;
    assert_eq!(house.sandbox.counts().arrived, 2);
    assert_eq!(account(&house).await["opening"]["kept_back"], Value::Null);
}

#[tokio::test]
async fn a_paused_account_is_left_alone_until_it_is_resumed() {
    let mut house = house().await;
    set(&house, json!({ "when": "at_reset" })).await;
    teach(&mut house).await;
    let roster = &house.app.api().gateway.roster;
    roster.pause(AccountId(house.id("work")), "on holiday").unwrap();
    house.clock.advance(2 * HOUR);
    assert_eq!(job(&house).await["next_at"], Value::Null);
    let refused = house.api(Method::POST, &format!("{}/open-window", path(&house)), json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let says = refused.json().await["message"].as_str().unwrap().to_owned();
    assert_eq!(says, "work is kept back: on holiday.");
    assert_eq!(house.standing("work").await["reason"], "on holiday");
    assert_eq!(house.sandbox.counts().arrived, 1);
    roster.resume(AccountId(house.id("work"))).unwrap();
    until_said(&house, "A window of work was opened.").await;
}

#[tokio::test]
async fn a_person_opens_one_at_any_time_but_none_that_is_open() {
    let house = house().await;
    let now = format!("{}/open-window", path(&house));
    let opened = house.done(Method::POST, &now, json!({})).await;
    assert!(opened["opening"]["opened_at"].is_string(), "nobody knew a window of it, and now one is known");
    assert_eq!(opened["windows"][0]["name"], "5h");
    let refused = house.api(Method::POST, &now, json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let says = refused.json().await["message"].as_str().unwrap().to_owned();
    assert_eq!(says, "work was left alone: its 5h window is open already.");
    assert_eq!(house.sandbox.counts().arrived, 1);
    house.script("work", [Behaviour::Overloaded]);
    house.clock.advance(2 * HOUR);
    let failed = house.api(Method::POST, &now, json!({})).await;
    assert_eq!(failed.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn at_a_time_of_day_it_is_opened_unless_it_is_open() {
    let mut house = house().await;
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let zone = house.clock.zone();
    let local = house.clock.now().to_zoned_datetime(zone);
    let time = |ahead: i64| {
        let then = local.checked_add(jiff::SignedDuration::from_mins(ahead)).unwrap();
        format!("{:02}:{:02}", then.hour(), then.minute())
    };
    teach(&mut house).await;
    // While the window of the client's request is open.
    set(&house, json!({ "when": "at", "days": days, "time": time(30) })).await;
    house.clock.advance(Duration::from_mins(33));
    until_said(&house, "work was left alone: its 5h window is open already.").await;
    set(&house, json!({ "when": "at", "days": days, "time": time(120) })).await;
    house.clock.advance(Duration::from_mins(90));
    until_said(&house, "A window of work was opened.").await;
    assert_eq!(house.sandbox.counts().arrived, 2);
}

#[tokio::test]
async fn claude_codes_own_sign_in_opens_nothing_and_days_are_named() {
    let house = house().await;
    let login = NewAccount {
        name: "mine".into(),
        provider: "claude-login".into(),
        base_url: Some(house.sandbox.base_url().into()),
        plain_http: headgate::accounts::PlainHttp::default(),
        priority: 5,
        key: None,
    };
    let id = house.app.api().gateway.roster.add(login).unwrap().account.id.0;
    let mine = format!("/api/v1/accounts/{id}");
    for (path, when) in [
        (mine.as_str(), json!({ "when": "at_reset" })),
        (&path(&house), json!({ "when": "at", "days": [], "time": "07:00" })),
        (&path(&house), json!({ "when": "at", "days": ["monday"], "time": "25:00" })),
        // That was the beginning of the same Sunday.
        (&path(&house), json!({ "when": "at", "days": ["sunday"], "time": "24:00" })),
        (&path(&house), json!({ "when": "hourly" })),
    ] {
        let refused = house.api(Method::PATCH, path, json!({ "open_window": when })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{when}");
    }
    let refused = house.api(Method::POST, &format!("{mine}/open-window"), json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(house.sandbox.counts().arrived, 0);
    set(&house, json!({ "when": "at_reset" })).await;
    set(&house, json!({ "when": "off" })).await;
    assert_eq!(account(&house).await["open_window"], Value::Null);
}

#[tokio::test]
async fn an_opening_that_was_switched_off_while_it_waited_for_its_place_was_sent() {
    let limits = Limits { concurrent_requests: 1, ..Limits::default() };
    let mut house = House::of(limits, Scenario::of([scripted()])).await;
    set(&house, json!({ "when": "at_reset" })).await;
    teach(&mut house).await;
    house.script("work", [Behaviour::SlowHead { gate: "head".into(), answer: Answer::default() }]);
    let waited = async {
        house.sandbox.await_held("head").await.unwrap();
        house.clock.advance(2 * HOUR);
        soon("the opening to wait", async {
            while house.app.api().gateway.admission.occupancy().waiting == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        set(&house, json!({ "when": "off" })).await;
        house.sandbox.release("head");
        until_said(&house, "work is kept back: its owner has taken that back").await;
    };
    let (reply, ()) = tokio::join!(house.ask(), waited);
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(house.sandbox.counts().arrived, 2, "the client's two");
    assert_eq!(account(&house).await["opening"]["opened_at"], Value::Null, "nor was it noted as opened");
}

#[tokio::test]
async fn an_answer_of_ours_was_read_however_long_it_was() {
    let house = house().await;
    let text = Some("x".repeat(2 << 20));
    house.script("work", [Behaviour::Answer(Answer { text, ..Answer::default() })]);
    let failed = house.api(Method::POST, &format!("{}/open-window", path(&house)), json!({})).await;
    assert_eq!(failed.status, StatusCode::BAD_GATEWAY);
    let says = failed.json().await["message"].as_str().unwrap().to_owned();
    assert!(says.contains("did not come to an end"), "{says}");
}

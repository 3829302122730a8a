//! What Headgate does by itself: seen, done on demand, done at its time, and kept over a restart.

use std::{sync::Arc, time::Duration};

use headgate::{
    domain::{Ending, Exchange, ExchangeId, ExchangeStart, JobId},
    sandbox::{Scenario, ScriptedAccount},
    settings::Limits,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, Program, Wire, soon, wire};

async fn job(house: &House, id: &str, query: &str) -> Value {
    house.done(Method::GET, &format!("/api/v1/jobs/{id}{query}"), json!({})).await
}

async fn run(house: &House, id: &str) -> Value {
    let begun = house.api(Method::POST, &format!("/api/v1/jobs/{id}/run"), json!({})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    job(house, id, "?settled=true").await
}

/// An account at this upstream is added, and its upstream has been asked for its models.
async fn is_asked_for_models(house: &House, wire: &Wire) {
    let mut events = house.app.api().events.subscribe();
    wire.account(house, "own", 0);
    soon("the new account to be asked", async {
        while job(house, "models", "?settled=true").await["last"].is_null() {
            events.recv().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn jobs_are_listed_with_their_times_and_done_on_demand() {
    let house = House::with(&["work"]).await;
    let list = house.done(Method::GET, "/api/v1/jobs", json!({})).await;
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["renew", "models", "windows", "open-window", "keep-warm", "retention", "integrity"]);
    let integrity = &list[6];
    assert_eq!((&integrity["cadence"], &integrity["last"]), (&json!("every 7 days"), &Value::Null));
    assert!(integrity["next_at"].is_string(), "{integrity}");
    assert!(list[5]["off"].as_str().unwrap().contains("limits.keep_days"), "{list}");

    let mut events = house.client.call(house.token(), Method::GET, "/api/v1/events", "").await;
    let done = run(&house, "integrity").await;
    assert_eq!((&done["last"]["outcome"], &done["running_since"]), (&json!("fine"), &Value::Null));
    assert_eq!(done["last"]["says"], "Nothing is wrong with the database.");
    let mut text = String::new();
    while !text.contains(r#"{"type":"jobs"}"#) {
        text += &String::from_utf8_lossy(&events.piece().await.unwrap().unwrap());
    }

    let refused = house.api(Method::POST, "/api/v1/jobs/retention/run", json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let refused = refused.json().await;
    assert_eq!(refused["code"], "off");
    for path in ["/api/v1/jobs/laundry/run", "/api/v1/jobs/%00/run"] {
        let unknown = house.api(Method::POST, path, json!({})).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        let says = unknown.json().await["message"].as_str().unwrap().to_owned();
        assert!(
            says.ends_with(
                "The jobs are renew, models, windows, open-window, keep-warm, retention, integrity."
            ),
            "{says}"
        );
    }
}

#[tokio::test]
async fn who_may_only_look_sees_the_jobs_and_starts_none() {
    let house = House::with(&["work"]).await;
    let reader = json!({ "name": "wall", "scopes": ["read"] });
    let secret =
        house.done(Method::POST, "/api/v1/keys", reader).await["secret"].as_str().unwrap().to_owned();
    let seen = house.client.call(&secret, Method::GET, "/api/v1/jobs", "").await;
    assert_eq!(seen.status, StatusCode::OK);
    for (token, status) in [(secret.as_str(), StatusCode::FORBIDDEN), ("", StatusCode::UNAUTHORIZED)] {
        let refused = house.client.call(token, Method::POST, "/api/v1/jobs/integrity/run", "").await;
        assert_eq!(refused.status, status);
    }
    assert_eq!(job(&house, "integrity", "").await["last"], Value::Null);
}

#[tokio::test]
async fn a_week_later_the_database_is_looked_at_by_itself() {
    let house = House::with(&["work"]).await;
    let mut events = house.app.api().events.subscribe();
    house.clock.advance(Duration::from_hours(8 * 24));
    let done = soon("the job to be done", async {
        loop {
            let job = job(&house, "integrity", "?settled=true").await;
            if job["last"].is_object() {
                return job;
            }
            events.recv().await.unwrap();
        }
    })
    .await;
    assert_eq!(done["last"]["outcome"], "fine");
    soon("the core to stop", house.app.drain()).await;
}

#[tokio::test]
async fn requests_older_than_the_days_that_are_kept_are_deleted() {
    let scripted = [ScriptedAccount::new("work", "key-work")];
    let house = House::furnished(Scenario::of(scripted), |settings| settings.limits.keep_days = 62).await;
    let old = house.clock.now() - jiff::SignedDuration::from_hours(63 * 24);
    for n in 0..7 {
        let id = ExchangeId(ExchangeId::first_of(old.as_millisecond()).0 + n);
        let start = ExchangeStart {
            id,
            started_at: old,
            method: "POST".into(),
            path: "/v1/messages".into(),
            ask: headgate::domain::Ask::default(),
            key: None,
        };
        let ended = Exchange { ending: Some(Ending::Complete), ..Exchange::open(start) };
        house.app.api().store.finish(Arc::new(ended), None);
    }
    house.ask().await.bytes().await;
    assert_eq!(house.written().await.len(), 8);
    let before = job(&house, "retention", "").await;
    assert_eq!((&before["cadence"], &before["off"]), (&json!("every day at 04:00"), &Value::Null));

    let done = run(&house, "retention").await;

    assert_eq!(done["last"]["outcome"], "fine", "{done}");
    assert!(
        done["last"]["says"].as_str().unwrap().starts_with("Deleted 7 requests and 0 decisions;"),
        "{done}"
    );
    assert_eq!(house.written().await.len(), 1);
}

#[tokio::test]
async fn upstreams_are_asked_for_their_models_on_demand_however_new_the_list_is() {
    let house = House::asking(Limits::default(), Scenario::of(Vec::<ScriptedAccount>::new())).await;
    let told = |id: &str| {
        let body = json!({ "data": [{ "id": id }], "has_more": false }).to_string();
        wire::Reply::Keep(wire::answer("200 OK", "application/json", &body))
    };
    let wire = Wire::saying([told("first"), told("second")]).await;
    is_asked_for_models(&house, &wire).await;
    let done = run(&house, "models").await;
    assert_eq!(done["last"]["says"], "Asked 1 account, and all told.");
    let listed = house.client.get("/v1/models?limit=1000").await.text().await;
    assert!(listed.contains("second") && !listed.contains("\"first\""), "{listed}");
}

#[tokio::test]
async fn a_gateway_that_has_no_list_of_models_is_no_trouble() {
    for status in ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"] {
        let house = House::asking(Limits::default(), Scenario::of(Vec::<ScriptedAccount>::new())).await;
        let none = wire::Reply::Keep(wire::answer(status, "application/json", "{}"));
        let wire = Wire::saying([none]).await;
        is_asked_for_models(&house, &wire).await;
        let done = job(&house, "models", "").await;
        let says = format!("Asked 1 account. own: it tells no list ({}).", &status[..3]);
        assert_eq!((&done["last"]["outcome"], &done["last"]["says"]), (&json!("fine"), &json!(says)));
    }
}

#[tokio::test]
async fn what_went_wrong_was_forgotten_with_the_first_run_that_went_well_and_named_nobody() {
    let house = House::asking(Limits::default(), Scenario::of(Vec::<ScriptedAccount>::new())).await;
    let body = json!({ "data": [{ "id": "one" }], "has_more": false }).to_string();
    let refuses = wire::Reply::Keep(wire::answer("401 Unauthorized", "application/json", "{}"));
    let tells = wire::Reply::Keep(wire::answer("200 OK", "application/json", &body));
    let wire = Wire::saying([refuses, tells]).await;
    is_asked_for_models(&house, &wire).await;
    let failed = job(&house, "models", "").await;
    let says = "Asked 1 account, and 1 did not tell. own: it answered 401.";
    assert_eq!((&failed["last"]["outcome"], &failed["last"]["says"]), (&json!("trouble"), &json!(says)));
    assert_eq!(failed["last_trouble"], failed["last"]);

    let done = run(&house, "models").await;

    assert_eq!(done["last"]["outcome"], "fine", "{done}");
    assert_eq!(done["last_trouble"], failed["last"], "it is still told when that was, and what");
    let kept = house.app.api().scheduler.jobs().into_iter().find(|job| job.id == JobId::Models).unwrap();
    assert!(kept.last_trouble.is_some_and(|run| *run.says == *says));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_jobs_does_them_and_says_how_it_went() {
    let program = Program::new();
    let alone = program.run(&["jobs", "run", "integrity"]);
    let said = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert!(alone.status.success() && said.contains("Nothing is wrong with the database."), "{alone:?}");
    let listed = program.run(&["jobs"]);
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    for says in ["integrity", "every 7 days", "fine", "limits.keep_days", "Headgate is not running"] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let served = program.serve();
    for (name, code, says) in [
        ("laundry", 3, "The jobs are renew, models, windows, open-window, keep-warm, retention, integrity."),
        ("../status", 3, "The jobs are"),
        ("retention", 1, "Retention is off: limits.keep_days"),
    ] {
        let refused = program.run(&["jobs", "run", name]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
    }
    let done = program.json(&["jobs", "run", "integrity"]);
    assert_eq!(done["last"]["outcome"], "fine");
    assert!(served.stop().success());
    // What went wrong before a run that did not is told below the list, and how long a run may take in it.
    let conn = rusqlite::Connection::open(program.database()).unwrap();
    let trouble = "UPDATE jobs SET trouble_began_at = 1, trouble_outcome = 'failed', trouble_says = 'The disk was full.' WHERE id = 'integrity'";
    assert_eq!(conn.execute(trouble, []).unwrap(), 1);
    drop(conn);
    let listed = program.run(&["jobs"]);
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(said.contains("AT MOST") && said.contains("240 min"), "{said}");
    let line =
        said.lines().find(|line| line.starts_with("integrity failed ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.ends_with(": The disk was full."), "{line}");
    let kept = program.json(&["jobs"]);
    assert_eq!(
        kept[6]["last"]["began_at"].as_str().unwrap()[..19],
        done["last"]["began_at"].as_str().unwrap()[..19]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_found_and_said_where_the_state_is_shown() {
    let program = Program::new();
    assert!(program.run(&["status"]).status.success());
    // An index that has lost a row is damage that no start stumbles over.
    let conn = rusqlite::Connection::open(program.database()).unwrap();
    conn.execute_batch(
        "PRAGMA writable_schema = ON;
         INSERT INTO meta VALUES ('one', '1');
         UPDATE sqlite_schema SET sql = replace(sql, 'value TEXT NOT NULL', 'value INTEGER NOT NULL') WHERE name = 'meta';",
    )
    .unwrap();
    drop(conn);
    let found = program.run(&["jobs", "run", "integrity"]);
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(1), "{said}");
    assert!(said.contains("found trouble. The database is damaged: stop Headgate"), "{said}");
    let status = program.run(&["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("The database is damaged"), "{status:?}");
}

//! Recorded requests are played again: the plan as it is makes of them what happened, another one what it would
//! have made, and no upstream hears of it.

use std::{sync::Arc, time::Duration};

use headgate::{
    api::backtest::views::{BacktestRow, BacktestView, CapacitySource},
    sandbox::{Answer, Behaviour, Scenario, ScriptedAccount, ScriptedWindow},
    settings::Limits,
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{House, Program, ask, soon};

const OPUS: &str = "claude-opus-4-8";
const FIVE_HOURS: Duration = Duration::from_hours(5);

/// Work, whose five hours are over after four answers, and spare, which is paid by use. They begin within a window
/// that is known whole.
async fn house() -> House {
    let mut work = ScriptedAccount::new("work", "key-work");
    let (name, used, per_request) = ("5h".into(), 0.0, 0.25);
    work.windows.push(ScriptedWindow { name, used, per_request, resets_in: FIVE_HOURS, every: None });
    let accounts = [work, ScriptedAccount::new("spare", "key-spare")];
    let house = House::of(Limits::default(), Scenario::of(accounts)).await;
    house.clock.advance(FIVE_HOURS + Duration::from_mins(1));
    house
}

/// Six requests. The fifth finds work's window spent and goes on to spare.
async fn six(house: &mut House) {
    for _ in 0..6 {
        let reply = house.client.post("/v1/messages", ask(OPUS, false)).await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.bytes().await;
        house.ended().await;
        house.clock.advance(Duration::from_mins(1));
    }
    house.written().await;
}

async fn call(house: &House, token: &str, order: &Value) -> (StatusCode, Value) {
    let reply = house.client.call(token, Method::POST, "/api/v1/backtest", &order.to_string()).await;
    (reply.status, reply.json().await)
}

async fn played(house: &House, order: Value) -> BacktestView {
    let (status, told) = call(house, house.token(), &order).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    serde_json::from_value(told).unwrap()
}

fn by(row: &BacktestRow) -> Vec<(&str, u64)> {
    row.accounts.iter().map(|account| (account.name.as_str(), account.served)).collect()
}

#[tokio::test]
async fn the_plan_as_it_is_makes_of_the_past_what_happened() {
    let mut house = house().await;
    six(&mut house).await;
    let view = played(&house, json!({ "days": 1 })).await;
    assert_eq!((view.requests, view.left_out, view.guessed, view.is_cut), (6, 0, 0, false));
    let [fact, plan] = &view.rows[..] else { panic!("{view:?}") };
    assert!(fact.recorded && !plan.recorded);
    assert_eq!(by(fact), [("work", 4), ("spare", 2)]);
    assert_eq!(by(plan), by(fact));
    let numbers = |row: &BacktestRow| (row.served, row.refused, row.limits_hit, row.switches, row.waited);
    assert_eq!(numbers(fact), (6, 0, 1, 0, 0));
    assert_eq!(numbers(plan), numbers(fact));
    // Four at work are paid for already; two at spare cost what the list says.
    let (paid, played) = (fact.cost.unwrap(), plan.cost.unwrap());
    assert!(paid > 0.0 && (paid - played).abs() < 1e-5, "{paid} and {played}");
    for (fact, plan) in fact.accounts.iter().zip(&plan.accounts) {
        assert!((fact.tokens - plan.tokens).abs() < 1e-6, "{fact:?}\n{plan:?}");
    }
    let [limit] = &view.limits[..] else { panic!("{view:?}") };
    assert_eq!(
        (limit.name.as_str(), limit.window.as_str(), limit.source),
        ("work", "5h", CapacitySource::Measured)
    );
    assert!((limit.tokens.unwrap() - fact.accounts[0].tokens).abs() < 1e-6, "four answers fill it");
    assert!(view.notes.last().unwrap().starts_with("The weather is not played"), "{view:?}");
}

#[tokio::test]
async fn other_plans_move_requests_and_no_upstream_hears_of_them() {
    let mut house = house().await;
    six(&mut house).await;
    let (work, spare) = (house.id("work"), house.id("spare"));
    let before = (house.sandbox.counts().arrived, house.written().await.len());
    let order = json!({ "alternatives": [
        { "priorities": [{ "account": spare, "priority": -5 }] },
        { "without": [spare] },
        { "policies": [{ "policy": "round_robin" }] },
        { "policies": [{ "pool": 1, "policy": "round_robin" }], "without": [work] },
    ]});
    let view = played(&house, order.clone()).await;
    let [_, _, first, alone, turns, both] = &view.rows[..] else { panic!("{view:?}") };
    assert_eq!((first.name.as_str(), by(first)), ("priority of spare -5", vec![("work", 0), ("spare", 6)]));
    assert_eq!((alone.name.as_str(), by(alone)), ("without spare", vec![("work", 4)]));
    assert_eq!((alone.served, alone.refused, alone.cost), (4, 2, Some(0.0)), "work is paid for already");
    assert_eq!((turns.name.as_str(), by(turns)), ("policy round_robin", vec![("work", 3), ("spare", 3)]));
    assert_eq!(both.name, "policy of main round_robin, without work");
    assert_eq!(by(both), [("spare", 6)]);
    assert_eq!(played(&house, order).await.rows.len(), view.rows.len(), "one after the other");
    assert_eq!((house.sandbox.counts().arrived, house.written().await.len()), before, "nobody was asked");
    let snapshot = house.app.api().gateway.roster.snapshot();
    assert!(snapshot.contenders.iter().all(|one| one.load.count() == 0 && one.load.bound() == 0));
    assert_eq!(
        snapshot.get(headgate::domain::AccountId(spare)).unwrap().account.priority,
        1,
        "nothing is changed"
    );
}

/// What one of the six used, tokens of every kind.
async fn tokens_of_one(house: &mut House) -> u64 {
    let usage = house.written().await.remove(0).usage;
    [usage.input, usage.output, usage.cache_read, usage.cache_write].into_iter().flatten().sum()
}

#[tokio::test]
async fn a_cap_begins_with_what_was_spent_before_the_first_request_and_not_with_all_of_its_hour() {
    let mut house =
        House::of(Limits::default(), Scenario::of([ScriptedAccount::new("work", "key-work")])).await;
    six(&mut house).await;
    let (work, used) = (house.id("work"), tokens_of_one(&mut house).await);
    let caps = json!({ "guards": { "caps": { "day": { "tokens": used * 3 } } } });
    house.done(Method::PATCH, &format!("/api/v1/accounts/{work}"), caps).await;
    let wider = json!({ "day": { "tokens": used * 5 } });
    let alternatives = json!([
        { "guards": [{ "account": work, "caps": wider }] },
        { "guards": [{ "account": work, "caps": {} }] },
        { "another": [work] },
    ]);
    let view = played(&house, json!({ "alternatives": alternatives })).await;
    let [fact, plan, wider, none, two] = &view.rows[..] else { panic!("{view:?}") };
    assert_eq!((fact.served, plan.served, plan.refused), (6, 3, 3), "it ends where the cap is reached");
    assert_eq!((wider.name.as_str(), wider.served), ("other caps of work", 5));
    assert_eq!((none.served, none.refused), (6, 0));
    assert_eq!((two.name.as_str(), by(two)), ("another work", vec![("work", 3), ("like work", 3)]));
}

#[tokio::test]
async fn what_was_spent_in_the_hour_before_the_first_request_counts_exactly() {
    let mut house =
        House::of(Limits::default(), Scenario::of([ScriptedAccount::new("work", "key-work")])).await;
    // An hour begins, and six come in its first minutes.
    let hour = 3_600_000 - house.clock.now().as_millisecond().rem_euclid(3_600_000);
    house.clock.advance(Duration::from_millis(hour.unsigned_abs()));
    six(&mut house).await;
    let used = tokens_of_one(&mut house).await;
    let store = house.app.api().store.clone();
    let account = headgate::domain::AccountId(house.id("work"));
    let (now, day) = (house.clock.now(), headgate::domain::Period::day(house.clock.now()));
    let spent = |moment| store.spent_until(account, day.since, moment).unwrap().tokens;
    // The newest stands first.
    let fourth = house.written().await[2].started_at;
    assert_eq!(spent(now), used * 6);
    assert_eq!(spent(fourth), used * 3, "what began at that moment or later is not in it");
    assert_eq!(spent(now - jiff::SignedDuration::from_mins(60)), 0);
}

#[tokio::test]
async fn a_larger_plan_and_a_route_that_is_off_are_alternatives_of_their_own() {
    let mut house = house().await;
    six(&mut house).await;
    let (work, spare) = (house.id("work"), house.id("spare"));
    let route = json!({ "name": "night", "models": "opus", "enabled": false,
        "slots": [{ "account_id": spare }], "falls_through": false });
    let route = house.done(Method::POST, "/api/v1/routes", route).await["id"].as_i64().unwrap();
    let holds = played(&house, json!({})).await.limits[0].tokens.unwrap();
    let capacity = |times: f64| json!([{ "account": work, "window": "5h", "tokens": holds * times }]);
    let alternatives = json!([
        { "capacities": capacity(2.0) }, { "capacities": capacity(0.5) },
        { "routes": [{ "route": route, "enabled": true }] },
    ]);
    let view = played(&house, json!({ "alternatives": alternatives })).await;
    let [_, plan, larger, smaller, routed] = &view.rows[..] else { panic!("{view:?}") };
    assert_eq!(
        by(plan),
        [("work", 4), ("spare", 2)],
        "what is said of an alternative is not said of the plan"
    );
    assert_eq!(by(larger), [("work", 6), ("spare", 0)]);
    assert_eq!(by(smaller), [("work", 2), ("spare", 4)]);
    assert_eq!((routed.name.as_str(), by(routed)), ("route night on", vec![("work", 0), ("spare", 6)]));
}

#[tokio::test]
async fn a_limit_is_what_was_said_it_holds_or_else_left_away_with_the_reason() {
    let week = ScriptedAccount::new("work", "key-work").with_window("7d", 0.3, Duration::from_hours(24));
    let mut house = House::of(Limits::default(), Scenario::of([week])).await;
    six(&mut house).await;
    let view = played(&house, json!({})).await;
    let [limit] = &view.limits[..] else { panic!("{view:?}") };
    assert_eq!((limit.tokens, limit.source), (None, CapacitySource::Unknown));
    assert!(limit.why.as_ref().unwrap().contains("before the account was added"), "{limit:?}");
    assert_eq!((view.rows[1].served, view.rows[1].limits_hit), (6, 0));
    let work = house.id("work");
    let tokens = view.rows[0].accounts[0].tokens / 2.0;
    let order = json!({ "capacities": [{ "account": work, "window": "7d", "tokens": tokens }] });
    let view = played(&house, order).await;
    assert_eq!((view.limits[0].tokens, view.limits[0].source), (Some(tokens), CapacitySource::Given));
    let plan = &view.rows[1];
    assert_eq!((plan.served, plan.refused, plan.limits_hit), (3, 3, 1));
    assert_eq!(plan.accounts[0].limits[0].name.to_string(), "7d");
}

#[tokio::test]
async fn a_conversation_is_cached_where_it_goes_on() {
    let mut house = House::with(&["work", "spare"]).await;
    let turn = |read, written| {
        Behaviour::Answer(Answer {
            input: Some(10),
            cache_read: read,
            cache_write: written,
            ..Answer::default()
        })
    };
    house.script("work", [turn(0, 30_000), turn(30_000, 2_000)]);
    for _ in 0..2 {
        let request = Request::post("/v1/messages").header("x-claude-code-session-id", "a");
        house.client.send(request.body(ask(OPUS, false).into()).unwrap()).await.bytes().await;
        house.ended().await;
    }
    house.written().await;
    let view = played(&house, json!({ "alternatives": [{ "without": [house.id("work")] }] })).await;
    let [fact, plan, without] = &view.rows[..] else { panic!("{view:?}") };
    assert_eq!((by(fact), fact.switches, fact.cold_tokens), (vec![("work", 2)], 0, 0));
    assert_eq!((by(plan), plan.switches, plan.cold_tokens), (vec![("work", 2), ("spare", 0)], 0, 0));
    assert_eq!(by(without), [("spare", 2)], "it begins there and stays there");
    assert!((without.accounts[0].tokens - fact.accounts[0].tokens).abs() < 1e-6);
}

#[tokio::test]
async fn what_makes_no_sense_gets_a_sentence_with_a_next_step() {
    let mut house = house().await;
    let (status, problem) = call(&house, house.token(), &json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(problem["message"].as_str().unwrap().contains("look further back"), "{problem}");
    six(&mut house).await;
    let (work, spare) = (house.id("work"), house.id("spare"));
    let capacity = |account: i64, window: &str, tokens: f64| json!({ "account": account, "window": window, "tokens": tokens });
    let priority = |account: i64, priority: i32| json!({ "account": account, "priority": priority });
    for (order, status, says) in [
        (json!({ "days": 0 }), 422, "1 to 366"),
        (json!({ "days": 367 }), 422, "1 to 366"),
        (json!({ "day": 3 }), 422, "day"),
        (json!({ "alternatives": [{}] }), 422, "changes nothing"),
        (json!({ "alternatives": vec![json!({ "without": [work] }); 17] }), 422, "up to 16"),
        (json!({ "alternatives": [{ "policies": [{ "policy": "fastest" }] }] }), 422, "soonest_reset"),
        (
            json!({ "alternatives": [{ "policies": [{ "pool": 9, "policy": "headroom" }] }] }),
            404,
            "headgate pools",
        ),
        (
            json!({ "alternatives": [{ "policies": [{ "policy": "headroom" }, { "policy": "priority" }] }] }),
            422,
            "two alternatives",
        ),
        (json!({ "alternatives": [{ "without": [99] }] }), 404, "headgate accounts"),
        (json!({ "alternatives": [{ "another": [99] }] }), 404, "headgate accounts"),
        (json!({ "alternatives": [{ "another": vec![work; 17] }] }), 422, "up to 16"),
        (
            json!({ "alternatives": [{ "routes": [{ "route": 9, "enabled": true }] }] }),
            404,
            "headgate routes",
        ),
        (json!({ "alternatives": [{ "guards": [{ "account": work }] }] }), 422, "reserves or caps"),
        (json!({ "alternatives": [{ "capacities": [capacity(work, "requests", 5.0)] }] }), 422, "5h"),
        (json!({ "alternatives": [{ "priorities": [priority(99, 1)] }] }), 404, "headgate accounts"),
        (json!({ "alternatives": [{ "priorities": [priority(work, 1001)] }] }), 422, "-1000 to 1000"),
        (
            json!({ "alternatives": [{ "priorities": [priority(work, 1), priority(work, 2)] }] }),
            422,
            "one priority for work",
        ),
        (
            json!({ "alternatives": [{ "priorities": [priority(work, 1)], "without": [work] }] }),
            422,
            "left out",
        ),
        (json!({ "capacities": [capacity(99, "5h", 5.0)] }), 404, "headgate accounts"),
        (json!({ "capacities": [capacity(work, "5h", -5.0)] }), 422, "a number from 1 on"),
        (json!({ "capacities": [capacity(work, "5h", 1e300)] }), 422, "a number from 1 on"),
        (json!({ "capacities": [capacity(work, "requests", 5.0)] }), 422, "begins with how long it is"),
        (json!({ "capacities": [capacity(work, "400d", 5.0)] }), 422, "up to 31 days"),
        (
            json!({ "capacities": [capacity(work, "5h", 5.0), capacity(work, " 5h", 6.0)] }),
            422,
            "two capacities",
        ),
    ] {
        let (got, problem) = call(&house, house.token(), &order).await;
        assert_eq!(got.as_u16(), status, "{order}: {problem}");
        assert!(problem["message"].as_str().unwrap().contains(says), "{order}: {problem}");
    }
    let one_each = json!({ "capacities": [capacity(work, "5h", 5e6), capacity(spare, "5h", 5e6)] });
    assert_eq!(call(&house, house.token(), &one_each).await.0, StatusCode::OK);
}

#[tokio::test]
async fn looking_is_enough_for_a_back_test_and_one_runs_at_a_time() {
    let mut house = house().await;
    six(&mut house).await;
    let mint = async |name: &str, scope: &str| {
        let new = json!({ "name": name, "scopes": [scope] });
        house.done(Method::POST, "/api/v1/keys", new).await["secret"].as_str().unwrap().to_owned()
    };
    let (looks, asks) = (mint("looks", "read").await, mint("asks", "proxy").await);
    assert_eq!(call(&house, &looks, &json!({})).await.0, StatusCode::OK);
    assert_eq!(call(&house, &asks, &json!({})).await.0, StatusCode::FORBIDDEN);
    let running = Arc::clone(&house.app.api().backtests).try_acquire_owned().unwrap();
    let (status, problem) = call(&house, &looks, &json!({})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("busy")));
    drop(running);
    assert_eq!(call(&house, &looks, &json!({})).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_allows_one_account_allows_no_other_in_a_play() {
    let mut house = House::with(&["work", "spare"]).await;
    let new = json!({ "name": "CI", "accounts": [house.id("spare")] });
    let secret = house.done(Method::POST, "/api/v1/keys", new).await["secret"].as_str().unwrap().to_owned();
    let request = Request::post("/v1/messages").header("authorization", format!("Bearer {secret}"));
    house.client.send(request.body(ask(OPUS, false).into()).unwrap()).await.bytes().await;
    house.ended().await;
    house.written().await;
    let view = played(&house, json!({ "alternatives": [{ "without": [house.id("spare")] }] })).await;
    assert_eq!(by(&view.rows[1]), [("work", 0), ("spare", 1)]);
    assert_eq!((view.rows[2].served, view.rows[2].refused), (0, 1), "its key does not allow work");
}

#[tokio::test]
async fn the_command_line_compares_plans() {
    let upstream = ScriptedAccount::new("upstream", "key-upstream")
        .with_window("5h", 0.1, Duration::from_hours(5))
        .with_window("7d", 0.1, Duration::from_hours(99));
    let house = House::of(Limits::default(), Scenario::of([upstream])).await;
    let program = Program::new();
    let url = house.sandbox.base_url();
    assert!(program.add("work", url, "key-upstream", &[]).status.success());
    assert!(program.add("spare", url, "key-upstream", &["--priority", "7"]).status.success());
    let run = |arguments: &[&str]| {
        let output = program.run(&[&["backtest"], arguments].concat());
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = run(&[]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("no request was recorded in the last 7 days"), "{text}");

    let served = program.serve();
    let tasks = headgate::tasks::Tasks::default();
    let client = crate::harness::Client::to(&served.url, &tasks);
    client.post("/v1/messages", ask("claude-opus-5-5", false)).await.bytes().await;
    let written = async {
        while program.json(&["requests"])[0]["ending"] != "complete" {
            tokio::task::yield_now().await;
        }
    };
    soon("the request to be on disk", written).await;
    let arrived = house.sandbox.counts().arrived;
    let (code, text) = run(&["--priority", "work=9", "--without", "work", "--policy", "main=headroom"]);
    assert_eq!(code, 0, "{text}");
    let line = |beginning: &str| {
        let lines = text.lines().filter(|line| line.starts_with(beginning));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert!(text.starts_with("1 request, from "), "{text}");
    assert!(line("as it happened")[1].starts_with("as it happened work 1 ("), "{text}");
    assert!(line("the plan as it is")[1].starts_with("the plan as it is work 1 ("), "{text}");
    assert!(line("priority of work 9")[1].starts_with("priority of work 9 spare 1 ("), "{text}");
    assert!(line("without work")[0].starts_with("without work 1 0 0 0 0 unknown –"), "{text}");
    assert!(!line("policy of main headroom").is_empty(), "{text}");
    assert!(text.lines().last().unwrap().starts_with("The weather is not played"), "{text}");
    let together = program.json(&[
        "backtest",
        "--days",
        "1",
        "--priority",
        "work=9",
        "--without",
        "spare",
        "--together",
    ]);
    assert_eq!(together["rows"][2]["name"], "priority of work 9, without spare");
    assert_eq!(together["rows"].as_array().unwrap().len(), 3);
    let plans =
        ["--another", "work", "--holds", "work:5h=1M", "--holds", "work:7d=9M", "--cap", "work:day=$5"];
    let plans = program.json(&[&["backtest", "--reserve", "work:5h=80"], &plans[..]].concat());
    let names: Vec<_> =
        plans["rows"].as_array().unwrap()[2..].iter().map(|row| row["name"].clone()).collect();
    assert_eq!(
        names,
        [
            "another work",
            "5h of work holds 1000000, 7d of work holds 9000000",
            "other reserves and caps of work"
        ]
    );
    for (arguments, code, says) in [
        (&["--without", "nobody"][..], 3, "headgate accounts"),
        (&["--policy", "elsewhere=priority"], 3, "headgate pools"),
        (&["--policy", "fastest"], 2, "soonest_reset"),
        (&["--capacity", "work:5h=-1"], 2, "work:5h=2500000"),
        (&["--cap", "work:day=5$"], 2, "day=2M"),
        (&["--holds", "work:9h=1M"], 3, "work has no window \"9h\"; those that are known of it are "),
        (&["--reserve", "work:9h=50"], 3, "work has no window \"9h\""),
        (&["--route", "night=off"], 3, "headgate routes"),
        (&["--capacity", "work:5h=1M", "--capacity", "work:5h=2M"], 1, "two capacities"),
    ] {
        let (got, text) = run(arguments);
        assert_eq!(got, code, "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
    assert_eq!(house.sandbox.counts().arrived, arrived, "nobody was asked");
    tasks.stop();
}

//! What clients are told of models: from memory, of the accounts that could serve, in Anthropic's shape.

use headgate::{
    accounts::Change,
    sandbox::{Scenario, ScriptedAccount},
    settings::Limits,
};
use http::StatusCode;
use serde_json::Value;

use crate::harness::{House, Wire, ask, soon, wire};

async fn list(house: &House, query: &str) -> Value {
    let reply = house.client.get(&format!("/v1/models{query}")).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.json().await
}

fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

/// A house whose accounts are all at wires, which are asked for their models.
async fn asking() -> House {
    House::asking(Limits::default(), Scenario::of(Vec::<ScriptedAccount>::new())).await
}

/// Asks for the list until it holds this model; the asking happens in the background.
async fn until_listed(house: &House, id: &str) -> Value {
    soon("a model to be listed", async {
        loop {
            let list = list(house, "?limit=1000").await;
            if ids(&list).iter().any(|known| known == id) {
                return list;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

fn told(ids: &[&str]) -> String {
    let data: Vec<Value> = ids.iter().map(|id| serde_json::json!({ "id": id })).collect();
    let body = serde_json::json!({ "data": data, "has_more": false });
    wire::answer("200 OK", "application/json", &body.to_string())
}

#[tokio::test]
async fn models_are_listed_from_memory_and_no_upstream_is_asked() {
    let house = House::with(&["work", "private"]).await;
    let began = house.clock.instant();
    let list = list(&house, "?limit=1000").await;
    assert!(began.elapsed().as_millis() < 100, "it took {:?}", began.elapsed());
    assert_eq!(list["data"][0]["type"], "model");
    assert_eq!(list["data"][0]["display_name"], "Claude Opus 5.5");
    let five = list["data"].as_array().unwrap().iter().find(|model| model["id"] == "claude-opus-5").unwrap();
    assert_eq!(five["description"], "Anthropic API · work, private · 1 M tokens of context");
    assert!(ids(&list).iter().all(|id| id.contains("claude")), "Claude Code would drop others");
    assert_eq!((&list["has_more"], &list["first_id"]), (&false.into(), &"claude-opus-5-5".into()));
    assert_eq!(house.sandbox.counts().arrived, 0);
    assert!(house.written().await.is_empty(), "it is no model request, so the overview does not count it");
}

#[tokio::test]
async fn names_that_maps_and_routes_make_are_listed_as_they_are_served() {
    let mut house = House::with(&["other", "work"]).await;
    let path = format!("/api/v1/accounts/{}", house.id("other"));
    let map = serde_json::json!({ "models": { "claude-foo": "glm-5", "claude-opus-5-5": "glm-5" } });
    house.done(http::Method::PATCH, &path, map).await;
    let slots = serde_json::json!([{ "account_id": house.id("work"), "model": "claude-haiku-5-5" }]);
    let route = |name: &str, models: &str| serde_json::json!({ "name": name, "models": models, "slots": slots, "falls_through": false });
    for (name, models) in [("cheap", "claude-cheap"), ("some", "claude-some*"), ("family", "opus")] {
        house.done(http::Method::POST, "/api/v1/routes", route(name, models)).await;
    }
    let all = list(&house, "?limit=1000").await;
    let entry = |id: &str| all["data"].as_array().unwrap().iter().find(|model| model["id"] == id).cloned();
    let foo = entry("claude-foo").unwrap();
    assert_eq!(foo["display_name"], "claude-foo (glm-5)");
    assert_eq!(foo["description"], "Anthropic API · other");
    assert_eq!(entry("claude-cheap").unwrap()["description"], "Anthropic API · work");
    assert_eq!(
        entry("claude-opus-5-5").unwrap()["display_name"],
        "Claude Opus 5.5",
        "what is known keeps its title"
    );
    assert!(entry("claude-some").is_none() && entry("opus").is_none());
    let one = house.client.get("/v1/models/claude-foo").await;
    assert_eq!(one.status, StatusCode::OK);
    let reply = house.client.post("/v1/messages", ask("claude-foo", false)).await;
    assert_eq!(house.answered_by(reply).await, "other", "and it is served");

    let only = serde_json::json!({ "serve_asked_or_refuse": true });
    house.done(http::Method::PUT, "/api/v1/settings", only).await;
    assert!(
        !ids(&list(&house, "?limit=1000").await).iter().any(|id| id == "claude-foo"),
        "now it would be refused"
    );
}

#[tokio::test]
async fn paused_and_refused_accounts_offer_nothing_and_one_that_rests_does() {
    let mut house = House::with(&["work"]).await;
    house.script(
        "work",
        [headgate::sandbox::Behaviour::QuotaSpent {
            window: "5h".into(),
            resets_in: std::time::Duration::from_hours(1),
        }],
    );
    house.ask().await.bytes().await;
    house.ended().await;
    assert_eq!(house.standing("work").await["state"], "cooling");
    assert!(!ids(&list(&house, "").await).is_empty(), "it will be back");
    let roster = house.app.api().gateway.roster.clone();
    let work = roster.snapshot().contenders[0].account.id;
    roster.pause(work, "").unwrap();
    let empty = list(&house, "").await;
    assert_eq!((empty["data"].as_array().unwrap().len(), &empty["last_id"]), (0, &Value::Null));
}

#[tokio::test]
async fn the_list_is_read_page_by_page_in_both_directions() {
    let house = House::with(&["work"]).await;
    let all = ids(&list(&house, "?limit=1000").await);
    let first = list(&house, "?limit=2").await;
    assert_eq!((ids(&first), &first["has_more"]), (all[..2].to_vec(), &true.into()));
    let next = list(&house, &format!("?limit=2&after_id={}", all[1])).await;
    assert_eq!(ids(&next), all[2..4]);
    let back = list(&house, &format!("?limit=2&before_id={}", all[3])).await;
    assert_eq!((ids(&back), &back["has_more"]), (all[1..3].to_vec(), &true.into()));
    for wrong in ["?limit=0", "?limit=x", "?limit=1001", "?after_id=nobody", "?after_id=a&before_id=b"] {
        let refused = house.client.get(&format!("/v1/models{wrong}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(refused.json().await["error"]["type"], "invalid_request_error");
    }
    let one = house.client.get("/v1/models/claude-opus%2D5").await.json().await;
    assert_eq!(one["id"], "claude-opus-5");
    let none = house.client.get("/v1/models/gpt-9").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert_eq!(none.json().await["error"]["type"], "not_found_error");
    let crooked = house.client.get("/v1/models/gpt-9%0A").await;
    assert_eq!(crooked.status, StatusCode::BAD_REQUEST, "a control character is refused before it is read");
}

#[tokio::test]
async fn a_key_is_told_of_the_models_and_accounts_that_it_may_use() {
    let house = House::with(&["work", "private"]).await;
    let terms =
        serde_json::json!({ "name": "ci", "accounts": [1], "models": ["claude-haiku-*"] }).to_string();
    let made =
        house.client.call(house.token(), http::Method::POST, "/api/v1/keys", &terms).await.json().await;
    let secret = made["secret"].as_str().unwrap_or_else(|| panic!("{made}"));
    let told = house.client.call(secret, http::Method::GET, "/v1/models", "").await.json().await;
    assert!(!ids(&told).is_empty() && ids(&told).iter().all(|id| id.contains("haiku")), "{told}");
    assert!(!told.to_string().contains("private"), "nor does it hear of other accounts: {told}");
    let unknown = format!("hg_{}", "x".repeat(secret.len() - 3));
    let refused = house.client.call(&unknown, http::Method::GET, "/v1/models", "").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_upstream_tells_its_own_models_in_pages_and_cannot_rename_those_of_others() {
    let house = asking().await;
    let first = serde_json::json!({ "has_more": true, "data": [
        { "id": "glm-5", "display_name": "GLM 5" },
        { "id": "claude-opus-5-5", "display_name": "Free money" },
        { "id": "evil\u{1b}[2J" }, { "id": "x".repeat(500) },
        { "id": "b", "display_name": "two\nlines" }, null, 7, { "id": ["c"] }, { "display_name": "nameless" },
    ]});
    let first = wire::answer("200 OK", "application/json", &first.to_string());
    let wire = Wire::saying([wire::Reply::Keep(first), wire::Reply::Keep(told(&["last-page"]))]).await;
    wire.account(&house, "own", 0);
    let list = until_listed(&house, "last-page").await;
    let find = |id: &str| list["data"].as_array().unwrap().iter().find(|model| model["id"] == id).cloned();
    assert_eq!(find("glm-5").unwrap()["display_name"], "GLM 5");
    assert_eq!(find("claude-opus-5-5").unwrap()["display_name"], "Claude Opus 5.5");
    assert_eq!(find("b").unwrap()["display_name"], "b", "a title that breaks the line is none");
    assert!(ids(&list).iter().all(|id| id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic())));
}

#[tokio::test]
async fn what_was_told_is_known_after_a_restart_and_forgotten_with_its_address() {
    let house = asking().await;
    let wire = Wire::saying([wire::Reply::Keep(told(&["own-model"]))]).await;
    let id = wire.account(&house, "own", 0);
    until_listed(&house, "own-model").await;
    let kept = soon("the models to be on disk", async {
        loop {
            let kept = house.app.api().store.models().unwrap();
            if !kept.is_empty() {
                return kept;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((&*kept[0].1.id, kept[0].0), ("own-model", id));
    let roster = house.app.api().gateway.roster.clone();
    let elsewhere = Wire::saying([wire::Reply::Keep(told(&["another"]))]).await;
    let change = Change { base_url: Some(elsewhere.base_url.clone()), ..Change::default() };
    roster.change(id, change).unwrap();
    let list = until_listed(&house, "another").await;
    assert!(!ids(&list).contains(&"own-model".to_owned()), "that was another upstream's word");
}

#[tokio::test]
async fn a_request_goes_to_the_account_whose_upstream_has_the_model_and_to_another_only_where_none_has_it() {
    let house = asking().await;
    let says = |models: &[&str]| {
        let good = wire::answer("200 OK", "application/json", r#"{"type":"message","content":[]}"#);
        [wire::Reply::Keep(told(models)), wire::Reply::Keep(good)]
    };
    let without = Wire::saying(says(&["another-model"])).await;
    without.account(&house, "without", 0);
    until_listed(&house, "another-model").await;
    let having = Wire::saying(says(&["own-model-20260101"])).await;
    having.account(&house, "having", 5);
    until_listed(&house, "own-model-20260101").await;
    let heard = || (without.heard(), having.heard());
    let asked = heard();
    assert_eq!(house.client.post("/v1/messages", ask("own-model", false)).await.status, StatusCode::OK);
    assert_eq!(heard(), (asked.0, asked.1 + 1), "no priority makes up for a model that is not there");
    assert_eq!(house.client.post("/v1/messages", ask("nobodys-model", false)).await.status, StatusCode::OK);
    assert_eq!(heard(), (asked.0 + 1, asked.1 + 1), "lists have gaps: it is asked all the same");
}

#[tokio::test]
async fn an_upstream_that_hangs_or_talks_nonsense_keeps_nobody_waiting() {
    let house = asking().await;
    let odd = Wire::saying([wire::Reply::Keep(wire::answer("200 OK", "text/html", "<html>"))]).await;
    odd.account(&house, "odd", 1);
    odd.arrival().await;
    let hangs = Wire::saying([wire::Reply::Held(String::new())]).await;
    hangs.account(&house, "hangs", 0);
    hangs.arrival().await;
    assert!(!ids(&list(&house, "").await).is_empty(), "what is known is told meanwhile");
    assert_eq!(house.standing("odd").await["state"], "ready", "nonsense says nothing of the account");
    assert_eq!(house.standing("hangs").await["state"], "ready");
}

fn count_of(text: &str) -> String {
    format!(r#"{{"model":"claude-opus-4-5","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

#[tokio::test]
async fn a_count_is_the_upstreams_own_where_it_counts() {
    let mut house = House::with(&["work"]).await;
    let counted = house.client.post("/v1/messages/count_tokens?beta=true", count_of("hi")).await;
    assert_eq!(counted.header("x-headgate-estimated"), "");
    assert!(counted.json().await["input_tokens"].is_u64());
    assert_eq!(house.sandbox.counts().arrived, 1);
    let exchange = house.ended().await;
    assert_eq!(house.tried(&exchange), ["work"]);
}

#[tokio::test]
async fn s14_what_no_upstream_counts_is_estimated_at_once_and_never_uncounted() {
    let mut house = House::with(&[]).await;
    let missing = wire::answer("404 Not Found", "application/json", "{}");
    let wire = Wire::saying([wire::Reply::Keep(missing)]).await;
    wire.account(&house, "own", 0);
    let first = house.client.post("/v1/messages/count_tokens", count_of("hello world")).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.header("x-headgate-estimated"), "true", "it is marked, and not a rough one");
    assert_eq!(first.json().await["input_tokens"], 6);
    let exchange = house.ended().await;
    assert_eq!(exchange.ending, Some(headgate::domain::Ending::Complete));
    assert!(
        exchange.error.as_deref().unwrap().contains("estimated here"),
        "the record says so: {exchange:?}"
    );
    assert_eq!(house.standing("own").await["state"], "ready");
    let again = house.client.post("/v1/messages/count_tokens", count_of("hello world")).await;
    assert_eq!(again.json().await["input_tokens"], 6);
    assert_eq!(wire.heard(), 1, "it is not asked again for a while");
}

#[tokio::test]
async fn a_count_gets_an_estimate_rather_than_an_error_but_its_own_fault_is_told() {
    let house = House::with(&["work"]).await;
    let roster = house.app.api().gateway.roster.clone();
    let refused = |status: &str| {
        wire::answer(
            status,
            "application/json",
            r#"{"type":"error","error":{"type":"x","message":"model: nope"}}"#,
        )
    };
    let wire = Wire::saying([
        wire::Reply::Keep(refused("404 Not Found")),
        wire::Reply::Keep(refused("400 Bad Request")),
    ])
    .await;
    wire.account(&house, "own", -1);
    for status in [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST] {
        assert_eq!(house.client.post("/v1/messages/count_tokens", count_of("hi")).await.status, status);
    }
    for contender in &roster.snapshot().contenders {
        roster.pause(contender.account.id, "").unwrap();
    }
    let estimated = house.client.post("/v1/messages/count_tokens", count_of("hi")).await;
    assert_eq!(estimated.status, StatusCode::OK, "nobody is ready, and a count costs nobody anything");
    assert!(!estimated.header("x-headgate-estimated").is_empty());
}

#[tokio::test]
async fn a_throttled_count_rests_nobody() {
    let mut house = House::with(&[]).await;
    let throttled =
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 60\r\ncontent-length: 2\r\n\r\n{}".to_owned();
    let wire = Wire::saying([wire::Reply::Keep(throttled)]).await;
    wire.account(&house, "own", 0);
    let reply = house.client.post("/v1/messages/count_tokens", count_of("hi")).await;
    assert_eq!(reply.status, StatusCode::OK, "an estimate, not an error");
    house.ended().await;
    assert_eq!(house.standing("own").await["state"], "ready", "counts have a limit of their own");
}

#[tokio::test]
async fn many_counts_at_once_all_get_an_answer() {
    let house = House::with(&[]).await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..34 {
        let client = house.client.clone();
        running.spawn(async move {
            client.post("/v1/messages/count_tokens", count_of("hello")).await.json().await
        });
    }
    assert!(running.join_all().await.iter().all(|count| count["input_tokens"].as_u64() >= Some(1)));
}

#[test]
fn s21_one_encoding_is_in_the_program_and_no_tables_that_would_have_to_be_read() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_headgate")).unwrap();
    let holds = |line: &str| memchr::memmem::find(&program, line.as_bytes()).is_some();
    assert!(holds("[^\\r\\n\\p{L}\\p{N}]?+"), "how cl100k_base takes a text apart");
    // The last lines of cl100k_base, o200k_base and p50k_base, put together here so that they stand nowhere else.
    assert!(
        !holds(&format!("IENvbnZleW9y {}", 100_255)),
        "a map takes half of it, and is read where it lies"
    );
    assert!(!holds(&format!("IGNvY29z {}", 199_997)), "3.6 MB that nobody uses");
    assert!(!holds(&format!("ICAgICAgICAgICAgICAgICAgICAgICAgIA== {}", 50_280)));
}

//! Every way to sign in that the program knows, each by each of its ways back, through a whole life at a scripted
//! authorisation server: begun, answered, done, renewed and given back. One that is added to `sign_ins.toml` is played
//! here without a word.

use std::{sync::Arc, time::Duration};

use headgate::{
    providers::{Definition, SecretIn, SignIns, Way, Writing},
    sandbox::{
        ScriptedAccount,
        authority::{Asked, Desk, Mischief},
    },
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::sign_ins::{FIRST, Place};

const SECRET: &str = "canary-client-secret+/%";
const TENANT: &str = "contoso.example";

fn last(place: &Place, desk: Desk) -> Arc<Asked> {
    let asked = place.authority.asked();
    asked
        .iter()
        .rfind(|asked| asked.desk == desk)
        .unwrap_or_else(|| panic!("nobody came to {desk:?}"))
        .clone()
}

fn shown(back: &str, name: &str) -> String {
    let url = Url::parse(back).unwrap();
    url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
}

/// What a person does, by the way that the sign-in was begun with.
async fn answers(place: &Place, definition: &Definition, way: Way, begun: &Value) {
    if way == Way::Device {
        let gate = begun["name"].as_str().unwrap();
        assert!(place.authority.await_held(gate).await);
        assert!(place.authority.answer_device(begun["user_code"].as_str().unwrap(), true));
        place.authority.release(gate);
        return;
    }
    let back = place.browse(begun).await;
    match way {
        Way::Loopback => {
            let host = format!("http://{}:", definition.loopback_host);
            assert!(back.starts_with(&host), "{}: {back}", definition.id);
            assert_eq!(place.come_back(&back).await.status, StatusCode::OK);
        }
        Way::DeepLink => {
            let link = json!({ "url": back });
            let came = place.house.done(Method::POST, "/api/v1/sign-ins/callback", link).await;
            assert_eq!(came["state"], "answered");
            assert_eq!(place.finish(begun).await, StatusCode::OK);
        }
        // A page of the provider's own shows both; else the address is all there is.
        Way::Paste if definition.repeats_state() => {
            let page = definition.paste_url.as_ref().unwrap().as_str();
            assert!(back.starts_with(page), "{}: {back}", definition.id);
            let text = format!("{}#{}", shown(&back, "code"), shown(&back, "state"));
            assert_eq!(place.paste(begun, &text).await.0, StatusCode::OK);
        }
        Way::Paste => assert_eq!(place.paste(begun, &back).await.0, StatusCode::OK),
        Way::Device => unreachable!("it was answered above"),
    }
}

/// What the browser was sent with: PKCE, the scopes, and whatever the definition asks for besides.
fn was_sent_well(definition: &Definition, begun: &Value) {
    let (id, url) = (&definition.id, Url::parse(begun["url"].as_str().unwrap()).unwrap());
    let says =
        |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(says("code_challenge_method").as_deref(), Some("S256"), "{id}");
    for (name, value) in &definition.asks {
        assert_eq!(says(name).as_ref(), Some(value), "{id} asks for {name}");
    }
    if !definition.names_only_the_way_back() {
        assert_eq!(says("scope").unwrap_or_default(), definition.scopes.join(" "), "{id}");
        assert!(says("state").is_some_and(|state| state.len() >= 43), "{id}");
    }
    if definition.tenant.is_some() {
        assert!(url.path().contains(TENANT), "{id}: {url}");
    }
}

/// How a question for tokens was written, and by whom.
fn was_asked_well(definition: &Definition, asked: &Asked) {
    let (id, desk) = (&definition.id, asked.desk);
    let kind = asked.headers["content-type"].to_str().unwrap();
    let is_json = kind.starts_with("application/json");
    assert_eq!(is_json, definition.request == Writing::Json, "{id} at {desk:?}: {kind}");
    assert!(asked.headers["user-agent"].to_str().unwrap().starts_with("headgate/"), "{id} at {desk:?}");
    let in_body = asked.fields.get("client_secret").map(String::as_str);
    let is_secret = definition.secret == SecretIn::Body;
    assert_eq!(in_body, is_secret.then_some(SECRET), "{id} at {desk:?}");
    assert!(!asked.headers.contains_key("authorization"), "{id} at {desk:?}");
    if definition.tenant.is_some() {
        assert!(asked.target.contains(TENANT), "{id} at {desk:?}: {}", asked.target);
    }
}

/// One whole life.
async fn lives(place: &Place, definition: &Definition, way: Way) {
    let (id, name) = (&*definition.id, format!("{} {}", definition.id, way.word()));
    let has_secret = definition.secret == SecretIn::Body;
    place.authority.furnish(|house| house.client_secret = has_secret.then(|| SECRET.to_owned()));
    let mut order = place.order(&name, id, way.word());
    if has_secret {
        order["client_secret"] = SECRET.into();
    }
    if definition.tenant.is_some() {
        order["tenant"] = TENANT.into();
    }
    if way == Way::Device {
        place.authority.script(Desk::Poll, [Mischief::Hold(name.clone())]);
    }
    let begun = place.begin(order).await;
    if way != Way::Device {
        was_sent_well(definition, &begun);
    }
    answers(place, definition, way, &begun).await;

    let done = place.ended(&begun).await;
    assert_eq!(done["state"], "done", "{name}: {done}");
    let account = place.accounts().await.into_iter().find(|one| one["id"] == done["account"]).unwrap();
    assert_eq!(account["sign_in"]["with"], id, "{account}");
    assert_eq!(account["standing"]["state"], "ready", "{account}");
    let own = format!("/api/v1/accounts/{}", account["id"]);
    let renewals = place.authority.count(Desk::Refresh);
    let renewed = place.house.api(Method::POST, &format!("{own}/renew"), json!(null)).await;
    if definition.yields_key() {
        assert_eq!(account["sign_in"]["renews"], false, "{account}");
        assert!(!renewed.status.is_success(), "{name}: a key is not renewed");
    } else {
        was_asked_well(definition, &last(place, if way == Way::Device { Desk::Poll } else { Desk::Code }));
        assert_eq!(account["sign_in"]["renews"], true, "{account}");
        assert_eq!(renewed.status, StatusCode::OK, "{name}");
        assert_eq!(place.authority.count(Desk::Refresh), renewals + 1, "{name}");
        was_asked_well(definition, &last(place, Desk::Refresh));
    }

    let (given_back, live) = (place.authority.count(Desk::Revoke), place.authority.live());
    assert_eq!(place.house.api(Method::DELETE, &own, json!(null)).await.status, StatusCode::OK);
    // An issuer's own document names the place; of the others some have none.
    let takes_back = match definition.places(None).unwrap() {
        Some(places) => places.revoke.is_some(),
        None => true,
    };
    let now = (place.authority.count(Desk::Revoke), place.authority.live());
    let back = usize::from(takes_back);
    assert_eq!(now, (given_back + back, live - back), "{name}");
    assert!(place.accounts().await.is_empty());
}

#[tokio::test]
async fn every_way_to_sign_in_is_lived_through_by_each_of_its_ways_back() {
    let place = Place::with(&[]).await;
    let all = SignIns::built_in().unwrap();
    let mut lived = 0;
    for definition in all.iter() {
        for way in &definition.ways {
            lives(&place, definition, *way).await;
            lived += 1;
        }
    }
    assert!(lived >= 18, "as many as there were when this was written: {lived}");
}

#[tokio::test]
async fn a_claude_plan_that_is_signed_in_to_tells_its_five_hours_and_its_week() {
    let hour = Duration::from_hours(1);
    let plan = ScriptedAccount::new("plan", FIRST).with_window("5h", 0.25, 3 * hour).with_window(
        "7d",
        0.5,
        100 * hour,
    );
    let mut place = Place::of([plan]).await;
    let begun = place.begin(place.order("plan", "anthropic", "paste")).await;
    let back = place.browse(&begun).await;
    let text = format!("{}#{}", shown(&back, "code"), shown(&back, "state"));
    assert_eq!(place.paste(&begun, &text).await.0, StatusCode::OK);
    let done = place.ended(&begun).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(place.accounts().await[0]["windows"], json!([]), "nothing is known before it has answered");

    let reply = place.house.ask().await;
    assert_eq!(place.house.answered_by(reply).await, "plan");

    let account = place.accounts().await.remove(0);
    assert_eq!((&account["id"], &account["sign_in"]["with"]), (&done["account"], &json!("anthropic")));
    for (name, used, left) in [("5h", 0.25, 3 * hour), ("7d", 0.5, 100 * hour)] {
        let windows = account["windows"].as_array().unwrap();
        let window = windows.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{account}"));
        let told = window["utilization"].as_f64().unwrap();
        assert!((told - used).abs() < 0.05, "{name}: {window}");
        let resets: jiff::Timestamp = window["resets_at"].as_str().unwrap().parse().unwrap();
        let ahead = resets.duration_since(place.house.clock.now()).as_secs();
        let left = i64::try_from(left.as_secs()).unwrap();
        assert!((left - 120..=left).contains(&ahead), "{name} starts anew in {ahead} s: {window}");
    }
}

//! Sign-ins that come to nothing: what can't be begun, is called off, fails, or floods; and that no secret of any is
//! told.

use std::time::Duration;

use headgate::{
    accounts::sign_in::{MOST_OPEN, SignInId},
    domain::AccountId,
    sandbox::authority::{CLIENT, Desk, Mischief},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    harness::holds,
    sign_ins::{FIRST, Place},
};

#[tokio::test]
async fn what_can_not_be_begun_says_what_is_missing() {
    let place = Place::with(&[]).await;
    let good = place.order("work", "oidc", "paste");
    let changed = |change: Value| {
        let mut order = good.clone();
        for (name, value) in change.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    };
    for (change, status, why) in [
        (json!({ "client_id": null }), 422, "Register a public (native) client"),
        (json!({ "client_id": "two words" }), 422, "no client id"),
        (json!({ "issuer": null }), 422, "name the issuer"),
        (json!({ "issuer": "http://id.example.com" }), 422, "plain http"),
        (json!({ "issuer": "https://u:canary@id.example.com" }), 422, "leave user name"),
        (json!({ "with": "nonsense" }), 422, "choose one of: anthropic, "),
        (json!({ "with": "nonsense", "provider": null }), 422, "no way to sign in called \"nonsense\""),
        (json!({ "with": "openrouter" }), 422, "not signed in to with"),
        (json!({ "with": "entra", "issuer": null, "tenant": "../evil" }), 422, "directory"),
        (json!({ "with": "google", "issuer": null, "way": "device" }), 422, "choose one of: loopback, paste"),
        (json!({ "tenant": "contoso" }), 422, "no directories"),
        (json!({ "scopes": ["a b"] }), 422, "scopes"),
        (json!({ "name": "" }), 422, "a name has"),
        (json!({ "provider": "claude-login" }), 422, "not signed in to with"),
        (json!({ "provider": "nonsense" }), 422, "no provider"),
        (json!({ "name": null }), 422, "say which account"),
        (json!({ "account": 77 }), 422, "not both"),
        (json!({ "account": 77, "name": null, "provider": null, "base_url": null }), 404, "no such account"),
        (json!({ "issuer": "http://127.0.0.1:9" }), 502, "127.0.0.1"),
    ] {
        let reply = place.house.api(Method::POST, "/api/v1/sign-ins", changed(change.clone())).await;
        assert_eq!(reply.status.as_u16(), status, "{change}");
        let said = reply.json().await["message"].as_str().unwrap().to_owned();
        assert!(said.contains(why) && !said.contains("canary"), "{change}: {said}");
    }
    assert_eq!(place.authority.count(Desk::Discovery), 0, "nobody was asked for what could not be");
}

#[tokio::test]
async fn an_answer_that_did_not_say_whose_it_is_was_taken_where_each_says_so() {
    let place = Place::with(&[]).await;
    place.authority.furnish(|house| house.names_itself = true);
    let cut = |back: &str| {
        let at = back.find("&iss=").unwrap_or_else(|| panic!("{back} says whose it is"));
        back[..at].to_owned()
    };
    let here = place.begin(place.order("here", "oidc", "loopback")).await;
    let back = place.browse(&here).await;
    assert_eq!(place.come_back(&cut(&back)).await.status, StatusCode::BAD_REQUEST);
    let link = place.begin(place.order("link", "oidc", "deep_link")).await;
    let far = place.browse(&link).await;
    let refusal = place.house.app.api().sign_ins.take_callback(&cut(&far)).unwrap_err().to_string();
    assert!(refusal.contains("does not say whose it is"), "{refusal}");
    let paste = place.begin(place.order("paste", "oidc", "paste")).await;
    let shown = place.browse(&paste).await;
    let (status, said) = place.paste(&paste, "canary-authorisation-code").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "a bare code says nothing: {said}");
    assert!(said["message"].as_str().unwrap().contains("copy the whole address"), "{said}");
    for begun in [&here, &link, &paste] {
        place.is_untouched(begun).await;
    }
    // And the whole ones are taken.
    place.come_back(&back).await;
    place.house.app.api().sign_ins.take_callback(&far).unwrap();
    assert_eq!(place.finish(&link).await, StatusCode::OK);
    assert_eq!(place.paste(&paste, &shown).await.0, StatusCode::OK);
    for begun in [&here, &link, &paste] {
        assert_eq!(place.ended(begun).await["state"], "done");
    }
}

#[tokio::test]
async fn a_companys_token_went_to_anthropic_where_no_address_was_named() {
    let mut place = Place::with(&[FIRST]).await;
    for (with, provider) in [
        ("google", "anthropic"),
        ("entra", "anthropic"),
        ("huggingface", "openrouter"),
        ("oidc", "anthropic"),
    ] {
        let mut order = place.order("work", with, "paste");
        order["provider"] = provider.into();
        order.as_object_mut().unwrap().remove("base_url");

        let reply = place.house.api(Method::POST, "/api/v1/sign-ins", order).await;

        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{with} at {provider}");
        let said = reply.json().await["message"].to_string();
        assert!(said.contains("--base-url"), "{said}");
    }
    let begun = place.begin(place.order("work", "oidc", "paste")).await;
    place.paste(&begun, &place.browse(&begun).await).await;
    let id = place.ended(&begun).await["account"].as_i64().unwrap();

    let away = json!({ "base_url": "" });
    let reply = place.house.api(Method::PATCH, &format!("/api/v1/accounts/{id}"), away).await;

    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "nor later");
    let reply = place.house.ask().await;
    assert_eq!(place.house.answered_by(reply).await, "work", "it goes where it went");
}

#[tokio::test]
async fn an_address_that_came_with_a_sign_in_of_an_account_that_was_there_was_ignored() {
    let place = Place::with(&[FIRST]).await;
    let id = place.house.add("work", place.house.sandbox.base_url(), 0).0;
    for (field, value) in
        [("base_url", json!("http://127.0.0.1:1")), ("provider", json!("openrouter")), ("priority", json!(5))]
    {
        let mut order = json!({
            "account": id, "with": "oidc", "issuer": place.authority.base_url(), "client_id": CLIENT, "way": "paste",
        });
        order[field] = value;

        let reply = place.house.api(Method::POST, "/api/v1/sign-ins", order).await;

        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(reply.json().await["message"].to_string().contains("accounts base-url"));
    }
}

#[tokio::test]
async fn so_many_sign_ins_are_open_and_no_more_and_who_begins_again_takes_his_own_place() {
    let place = Place::with(&[]).await;
    let mut first = None;
    for number in 0..MOST_OPEN {
        let begun = place.begin(place.order(&format!("work {number}"), "oidc", "paste")).await;
        first.get_or_insert(begun);
    }
    let one_more = || place.order("one more", "oidc", "paste");
    let reply = place.house.api(Method::POST, "/api/v1/sign-ins", one_more()).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    let said = reply.json().await["message"].as_str().unwrap().to_owned();
    assert!(said.contains("within 10 min"), "{said}");
    let first = first.unwrap();
    place.begin(place.order("WORK 0", "oidc", "paste")).await;
    assert_eq!(place.look(&first).await["state"], "cancelled", "its place is taken by itself");
    place.house.clock.advance(Duration::from_mins(10));
    place.begin(one_more()).await;
}

#[tokio::test]
async fn a_sign_in_that_is_called_off_takes_no_answer_and_its_tokens_are_given_back() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "paste")).await;
    let path = format!("/api/v1/sign-ins/{}", begun["id"].as_str().unwrap());
    let back = place.browse(&begun).await;
    assert_eq!(place.house.api(Method::DELETE, &path, json!(null)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(place.paste(&begun, &back).await.0, StatusCode::CONFLICT);
    assert_eq!(place.house.api(Method::DELETE, &path, json!(null)).await.status, StatusCode::CONFLICT);
    assert_eq!(place.look(&begun).await["state"], "cancelled");

    // Called off while the code is being exchanged.
    place.authority.script(Desk::Code, [Mischief::Hold("exchange".into())]);
    let begun = place.begin(place.order("work", "oidc", "paste")).await;
    let path = format!("/api/v1/sign-ins/{}", begun["id"].as_str().unwrap());
    place.paste(&begun, &place.browse(&begun).await).await;
    assert!(place.authority.await_held("exchange").await);
    assert_eq!(place.house.api(Method::DELETE, &path, json!(null)).await.status, StatusCode::NO_CONTENT);
    place.authority.release("exchange");
    assert!(place.authority.await_asked(Desk::Revoke, 1).await, "nobody will use them");
    assert!(place.accounts().await.is_empty());
    assert_eq!(place.look(&begun).await["state"], "cancelled");
}

#[tokio::test]
async fn those_that_are_over_are_forgotten_after_a_while() {
    let place = Place::with(&[]).await;
    let mut first = None;
    for number in 0..66 {
        let begun = place.begin(place.order(&format!("work {number}"), "oidc", "paste")).await;
        let path = format!("/api/v1/sign-ins/{}", begun["id"].as_str().unwrap());
        place.house.api(Method::DELETE, &path, json!(null)).await;
        first.get_or_insert((begun, path));
    }
    let (_, path) = first.unwrap();
    assert_eq!(place.house.api(Method::GET, &path, json!(null)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_flood_of_false_answers_is_not_read_and_a_code_can_still_be_pasted() {
    let place = Place::with(&[]).await;
    let desk = &place.house.app.api().sign_ins;
    let begun = place.begin(place.order("work", "oidc", "deep_link")).await;
    let back = place.browse(&begun).await;
    let mut refusals = (0..100).map(|number| {
        desk.take_callback(&format!("headgate://oauth/callback?code=a&state=false-{number}"))
            .unwrap_err()
            .to_string()
    });
    assert!(refusals.any(|refusal| refusal.contains("wait a minute")));
    assert!(desk.take_callback(&back).is_err(), "for a minute, not even the right one");
    assert_eq!(place.paste(&begun, &back).await.0, StatusCode::OK);
    assert_eq!(place.ended(&begun).await["state"], "done");
}

#[tokio::test]
async fn an_exchange_that_fails_says_why_and_keeps_nothing() {
    let place = Place::with(&[]).await;
    for (mischief, why) in [
        (Mischief::Refuse("invalid_grant".into()), "expired, used or withdrawn"),
        (Mischief::Status(503), "in trouble"),
        (Mischief::Page, "did not answer as an authorisation server"),
        (Mischief::WrongType, "did not answer as an authorisation server"),
        (Mischief::Flood, "bytes"),
        (Mischief::LoseAnswer, "closed the connection"),
    ] {
        place.authority.script(Desk::Code, [mischief.clone()]);
        let begun = place.begin(place.order("work", "oidc", "paste")).await;
        place.paste(&begun, &place.browse(&begun).await).await;
        let ended = place.ended(&begun).await;
        assert_eq!(ended["state"], "failed", "{mischief:?}");
        let said = ended["message"].as_str().unwrap();
        assert!(said.contains(why) && !said.contains("canary"), "{mischief:?}: {said}");
    }
    assert!(place.accounts().await.is_empty());
}

#[tokio::test]
async fn a_name_that_is_taken_meanwhile_fails_the_sign_in_and_its_tokens_are_given_back() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "paste")).await;
    place.house.add("Work", place.house.sandbox.base_url(), 0);
    place.paste(&begun, &place.browse(&begun).await).await;
    let ended = place.ended(&begun).await;
    assert!(ended["message"].as_str().unwrap().contains("already called"), "{ended}");
    assert_eq!(place.authority.live(), 0);
    assert_eq!(place.accounts().await.len(), 1);
}

#[tokio::test]
async fn a_removed_account_gives_its_tokens_back_and_is_gone_whatever_its_provider_says() {
    let place = Place::with(&[]).await;
    for mischief in [None, Some(Mischief::Status(500)), Some(Mischief::LoseAnswer)] {
        let begun = place.begin(place.order("work", "oidc", "paste")).await;
        place.paste(&begun, &place.browse(&begun).await).await;
        let id = place.ended(&begun).await["account"].clone();
        let is_good = mischief.is_none();
        place.authority.script(Desk::Revoke, mischief);
        let path = format!("/api/v1/accounts/{id}");
        assert_eq!(place.house.api(Method::DELETE, &path, json!(null)).await.status, StatusCode::OK);
        assert!(place.accounts().await.is_empty());
        if is_good {
            assert_eq!(place.authority.live(), 0);
        }
    }
    assert_eq!(place.authority.count(Desk::Revoke), 3);
}

#[tokio::test]
async fn nothing_that_is_told_or_debugged_holds_a_secret() {
    let place = Place::with(&[]).await;
    let mut told = String::new();
    for mischief in [None, Some(Mischief::Refuse("invalid_grant".into()))] {
        place.authority.script(Desk::Code, mischief);
        let begun = place.begin(place.order("work", "oidc", "paste")).await;
        let back = place.browse(&begun).await;
        told += &place.paste(&begun, &back).await.1.to_string();
        told += &place.ended(&begun).await.to_string();
        let id = SignInId(begun["id"].as_str().unwrap().into());
        told += &format!("{:?}", place.house.app.api().sign_ins.look(&id));
        told += &format!("{:?}", place.paste(&begun, &back).await);
        for account in place.accounts().await {
            told += &account.to_string();
            let id = AccountId(account["id"].as_i64().unwrap());
            told += &format!("{:?}", place.house.app.api().gateway.roster.tokens(id));
            place.house.api(Method::DELETE, &format!("/api/v1/accounts/{}", id.0), json!(null)).await;
        }
    }
    place.house.written().await;
    let secrets = place.authority.secrets();
    assert!(secrets.len() > 6, "{secrets:?}");
    for secret in secrets {
        assert!(!told.contains(&secret), "{secret} was told: {told}");
        assert!(!holds(place.house.folder.path(), &secret), "{secret} lies in the data folder");
    }
}

#[tokio::test]
async fn a_slip_at_pasting_went_to_the_provider_and_ended_the_sign_in() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("work", "oidc", "paste")).await;
    let back = place.browse(&begun).await;
    let (address, query) = back.split_once('?').unwrap();
    let half = &back[..back.len() - 4];
    let rest_of_state = back.split_once("state=").unwrap().1.split('&').next().unwrap();
    let slips = ["", "yes", "what do I paste here", address, &address[7..], half, &rest_of_state[12..]];
    for slip in slips {
        let (status, said) = place.paste(&begun, slip).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{slip}: {said}");
        place.is_untouched(&begun).await;
    }
    assert_eq!(place.paste(&begun, query).await.0, StatusCode::OK);
    assert_eq!(place.ended(&begun).await["state"], "done");
}

#[tokio::test]
async fn a_code_without_the_state_that_its_page_shows_was_taken_for_a_whole_one() {
    let place = Place::with(&[]).await;
    let begun = place.begin(place.order("plan", "anthropic", "paste")).await;
    let back = place.browse(&begun).await;
    let code = back.split_once("code=").unwrap().1.split('&').next().unwrap();
    let (status, said) = place.paste(&begun, code).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(said["message"].to_string().contains("a part of the answer is missing"), "{said}");
    place.is_untouched(&begun).await;
}

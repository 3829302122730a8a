//! What becomes of an account that was signed in to: again, with a key instead, and when it is removed.

use super::*;

#[tokio::test]
async fn signing_in_again_keeps_the_accounts_row_id_and_history() {
    let mut place = Place::with(&[FIRST, "canary-access-6"]).await;
    let first = place.begin(place.order("work", "oidc", "paste")).await;
    place.paste(&first, &place.browse(&first).await).await;
    let id = place.ended(&first).await["account"].clone();
    let reply = place.house.ask().await;
    place.house.answered_by(reply).await;

    // The terms of the last time hold.
    let again = place.begin(json!({ "account": id, "way": "paste" })).await;
    place.paste(&again, &place.browse(&again).await).await;

    assert_eq!(place.ended(&again).await["account"], id);
    let reply = place.house.ask().await;
    assert_eq!(place.house.answered_by(reply).await, "work");
    assert_eq!(place.house.sandbox.seen("canary-access-6").len(), 1, "with the new token");
    let written = place.house.written().await;
    assert!(written.len() == 2 && written.iter().all(|row| row.account_id == id.as_i64()), "one history");
    assert_eq!(place.accounts().await.len(), 1);
}

#[tokio::test]
async fn an_account_with_a_key_can_be_signed_in_to_and_be_given_a_key_again() {
    let mut place = Place::with(&[FIRST, "key-later"]).await;
    let id = place.house.add("work", place.house.sandbox.base_url(), 0).0;
    let path = format!("/api/v1/accounts/{id}");
    let begun = place
        .begin(json!({
            "account": id, "with": "oidc", "issuer": place.authority.base_url(), "client_id": CLIENT, "way": "paste",
        }))
        .await;
    place.paste(&begun, &place.browse(&begun).await).await;
    assert_eq!(place.ended(&begun).await["state"], "done");
    let reply = place.house.ask().await;
    place.house.answered_by(reply).await;
    assert_eq!(place.house.sandbox.seen(FIRST).len(), 1);

    let changed = place.house.done(Method::PATCH, &path, json!({ "key": "key-later" })).await;

    assert_eq!(changed["sign_in"], Value::Null);
    assert_eq!(place.authority.count(Desk::Revoke), 1, "the sign-in is given back");
    assert!(!place.authority.accepts(FIRST));
    let reply = place.house.ask().await;
    place.house.answered_by(reply).await;
    let seen = place.house.sandbox.seen("key-later");
    assert!(seen[0].headers.contains_key("x-api-key"), "a key goes where keys go");
    assert!(place.house.app.api().gateway.roster.tokens(AccountId(id)).is_none());
}

#[tokio::test]
async fn whoever_removes_an_account_gives_its_sign_in_back_and_need_not_wait_for_a_server_that_is_gone() {
    let place = Place::with(&[]).await;
    let remove = async |name: &str, mischief: Option<Mischief>| {
        let begun = place.begin(place.order(name, "oidc", "paste")).await;
        place.paste(&begun, &place.browse(&begun).await).await;
        let id = place.ended(&begun).await["account"].clone();
        place.authority.script(Desk::Revoke, mischief);
        let path = format!("/api/v1/accounts/{id}");
        let removed = soon("the removal", place.house.api(Method::DELETE, &path, json!(null))).await;
        assert_eq!(removed.status, StatusCode::OK);
        assert!(place.accounts().await.is_empty());
    };
    remove("one", None).await;
    assert_eq!((place.authority.count(Desk::Revoke), place.authority.live()), (1, 0));
    for mischief in
        [Mischief::Status(500), Mischief::LoseAnswer, Mischief::Hold("never".into()), Mischief::Page]
    {
        remove("another", Some(mischief)).await;
    }
    assert_eq!(place.authority.count(Desk::Revoke), 5, "each time it was tried");
}

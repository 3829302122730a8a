//! Tokens that an upstream refuses: who waits for the next one, and when a sign-in is over.

use super::*;

#[tokio::test]
async fn a_request_whose_token_is_refused_is_served_under_the_next_one() {
    let stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.refuse(1, 1);
    let reply = stage.ask().await;
    let (status, text) = (reply.status, reply.text().await);
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!((stage.renewals(), stage.state().await), (1, "ready".into()));
    assert_eq!(stage.sandbox.seen(&access(2)).len(), 1);
}

#[tokio::test]
async fn a_gateway_that_learns_of_new_tokens_late_ended_the_sign_in_at_each_renewal() {
    let stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.refuse(1, 1);
    stage.refuse(2, 1);
    let reply = stage.ask().await;
    assert_eq!(
        (reply.status, &reply.headers["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"10".parse().unwrap())
    );
    assert_eq!((stage.renewals(), stage.state().await), (1, "cooling".into()), "once, and not in a circle");
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(stage.ask().await.status, StatusCode::OK, "it has learned of it");
    assert_eq!((stage.renewals(), stage.state().await), (1, "ready".into()));
}

#[tokio::test]
async fn an_upstream_that_refuses_each_new_token_for_a_while_needs_a_sign_in() {
    let stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    for n in 1..=9 {
        stage.refuse(n, 9);
    }
    for (renewals, rest) in [(1, 10), (2, 20), (3, 40)] {
        assert_eq!(stage.ask().await.headers["retry-after"], rest.to_string(), "each rest is longer");
        assert_eq!((stage.renewals(), stage.state().await), (renewals, "cooling".into()));
        stage.clock.advance(Duration::from_secs(rest));
    }
    stage.ask().await;
    assert_eq!((stage.renewals(), stage.state().await), (4, "needs_sign_in".into()));
    let reason = stage.view().await["standing"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("headgate accounts sign-in \"work\""), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_requests_under_a_token_that_is_refused_cause_one_renewal_and_one_rest() {
    let stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.refuse(1, 60);
    stage.refuse(2, 60);
    let all = futures_util::future::join_all((0..60).map(|_| stage.ask())).await;
    assert!(all.iter().all(|reply| reply.status != StatusCode::OK));
    assert_eq!((stage.renewals(), stage.state().await), (1, "cooling".into()));
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(stage.view().await["standing"]["state"], "ready", "one rest, however many were refused");
}

#[tokio::test]
async fn a_token_that_was_refused_in_its_first_seconds_ended_the_sign_in() {
    let stage = SignedIn::set(House::default()).await;
    stage.refuse(1, 1);
    let reply = stage.ask().await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "the client asks again by itself");
    assert_eq!(reply.headers["retry-after"], "10");
    let standing = stage.view().await["standing"].clone();
    assert_eq!((stage.renewals(), &standing["state"]), (0, &"cooling".into()), "{standing}");
    stage.a_minute_later();

    assert_eq!(stage.ask().await.status, StatusCode::OK, "it is asked again by itself");

    assert_eq!(stage.state().await, "ready");
}

#[tokio::test]
async fn a_late_refusal_of_an_old_token_renews_nothing() {
    let stage = SignedIn::set(House::default()).await;
    let old = stage.bearer();
    assert_eq!(stage.renew().await.0, StatusCode::OK);
    stage.a_minute_later();
    stage.app.api().gateway.renewals.renew_refused(stage.id, &old).await.unwrap();
    assert_eq!((stage.renewals(), stage.bearer().expose()), (1, &access(2)));
}

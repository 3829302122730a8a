//! What a key may use up: its rate, and its budgets in tokens and money.

use super::*;

#[tokio::test]
async fn beyond_its_rate_a_key_waits_out_the_minute() {
    let house = House::with(&["work"]).await;
    let (_, secret) = key(&house, json!({ "name": "bot", "per_minute": 2 })).await;
    for _ in 0..2 {
        assert_eq!(ask_with(&house, &secret, "m").await.status, StatusCode::OK);
    }
    let reply = ask_with(&house, &secret, "m").await;
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((58..=60).contains(&wait), "{wait} whole seconds");
    assert_eq!(reply.header("x-should-retry"), "true", "waiting helps");
    refused(reply, 429, "rate_limit_error", "2 requests a minute").await;
    assert_eq!(house.ask().await.status, StatusCode::OK, "others are not held up");
    house.clock.advance(Duration::from_secs(wait));
    assert_eq!(ask_with(&house, &secret, "m").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_budget_is_reached_exactly_and_then_nothing_more_is_served() {
    let mut house = House::with(&["work"]).await;
    let (id, secret) =
        key(&house, json!({ "name": "laptop", "daily_tokens": 200, "monthly_tokens": 300 })).await;
    house.script("work", [hundred(), hundred(), hundred()]);
    for _ in 0..2 {
        served(&mut house, &secret, "claude-opus-5-5").await;
    }
    let reply = ask_with(&house, &secret, "m").await;
    refused(reply, 402, "billing_error", "The daily token budget of the key \"laptop\" (200 tokens)").await;
    let shown = call(&house, Method::GET, &format!("/api/v1/keys/{id}"), json!({})).await.json().await;
    assert_eq!(
        (&shown["daily"]["used_tokens"], &shown["daily"]["unpriced_requests"]),
        (&json!(200), &json!(2))
    );
    assert_eq!(house.ask().await.status, StatusCode::OK, "others are not held up");

    // Tomorrow may be another month.
    let tomorrow: jiff::Timestamp = serde_json::from_value(shown["daily"]["resets_at"].clone()).unwrap();
    let month: jiff::Timestamp = serde_json::from_value(shown["monthly"]["resets_at"].clone()).unwrap();
    advance_to(&house, tomorrow);
    house.script("work", [hundred(), hundred(), hundred()]);
    let _ = (house.ended().await, house.ended().await);
    served(&mut house, &secret, "m").await;
    let after = ask_with(&house, &secret, "m").await;
    if month > tomorrow {
        refused(after, 402, "billing_error", "monthly token budget").await;
        advance_to(&house, month);
        assert_eq!(ask_with(&house, &secret, "m").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_money_budget_counts_what_has_a_price_and_says_what_has_none() {
    let mut house = House::with(&["work"]).await;
    // 60 in and 40 out of Opus 4.8 are 300 and 1,000 micro-dollars.
    let (id, secret) = key(&house, json!({ "name": "laptop", "daily_usd": 0.0026 })).await;
    house.script("work", [hundred(), hundred(), hundred()]);
    assert_eq!(served(&mut house, &secret, "claude-opus-5-5").await.cost, None, "nobody knows its price");
    for _ in 0..2 {
        assert_eq!(served(&mut house, &secret, "claude-opus-4-8").await.cost.unwrap().0, 1300);
    }
    let reply = ask_with(&house, &secret, "claude-opus-4-8").await;
    refused(reply, 402, "billing_error", "The daily money budget of the key \"laptop\" ($0.0026)").await;
    let shown = call(&house, Method::GET, &format!("/api/v1/keys/{id}"), json!({})).await.json().await;
    assert_eq!(
        (&shown["daily"]["used_usd"], &shown["daily"]["unpriced_requests"]),
        (&json!(0.0026), &json!(1))
    );
    let written = house.written().await;
    let costs: Vec<_> = written.iter().map(|request| request.cost_usd).collect();
    assert_eq!(costs, [None, Some(0.0013), Some(0.0013), None]);
}

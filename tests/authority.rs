//! What is asked of an authorisation server and what its answers mean, over real sockets: the requests behind every
//! sign-in and every renewal.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use headgate::{
    accounts::{
        Tokens,
        sign_in::{Failure, Polled, Proof, Server},
    },
    clock::Clock,
    domain::SignIn,
    providers::{Catalog, SignIns},
    proxy::{Courier, Outward},
    sandbox::authority::{Authority, CLIENT, Desk, House, Mischief},
    secrets::Sensitive,
    settings::{Limits, Network},
    tasks::Tasks,
};
use url::Url;

struct Stage {
    authority: Authority,
    clock: Clock,
    tasks: Tasks,
}

impl Stage {
    async fn set(house: House) -> Self {
        let (clock, tasks) = (Clock::movable(), Tasks::default());
        let authority = Authority::start(house, &clock, &tasks).await.unwrap();
        Self { authority, clock, tasks }
    }

    async fn server(&self, with: &str) -> Result<Server, Failure> {
        let limits = Limits { head_seconds: 0.5, ..Limits::default() };
        let outward = Outward::new(&Network::default(), 1);
        let courier = Courier::new(outward, &limits, self.clock.clone(), self.tasks.clone());
        let origin = Url::parse(self.authority.base_url()).unwrap();
        let definition = Catalog::built_in().signing_in_at(&origin).sign_ins().get(with).unwrap();
        let terms = SignIn {
            with: with.into(),
            client_id: Some(CLIENT.into()),
            issuer: Some(origin),
            tenant: None,
            scopes: Vec::new(),
            at: self.clock.now(),
        };
        let secret = self.secret();
        Server::find(Arc::new(courier), definition, Arc::new(terms), secret).await
    }

    fn secret(&self) -> Option<Sensitive<String>> {
        let mut secret = None;
        self.authority.furnish(|house| secret.clone_from(&house.client_secret));
        secret.map(Sensitive::new)
    }

    /// Signs in by a device code, which is the shortest way to tokens.
    async fn tokens(&self, server: &Server) -> Tokens {
        let device = server.device().await.unwrap();
        assert!(self.authority.answer_device(&device.user_code, true));
        let Polled::Tokens(tokens) = server.poll(&device, self.clock.now()).await.unwrap() else {
            panic!("the person agreed");
        };
        tokens
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn exposed(tokens: &Tokens) -> (String, String) {
    (tokens.access.expose().clone(), tokens.refresh.as_ref().unwrap().expose().clone())
}

#[tokio::test]
async fn a_refresh_brings_the_next_tokens_and_the_old_one_ends_them_all_if_it_is_shown_again() {
    let stage = Stage::set(House::default()).await;
    let server = stage.server("oidc").await.unwrap();
    let first = stage.tokens(&server).await;

    let second = server.refresh(&first, stage.clock.now()).await.unwrap();

    assert_ne!(exposed(&first), exposed(&second));
    assert!(stage.authority.accepts(second.access.expose()));
    let left = second.expires_at.unwrap().duration_since(stage.clock.now()).as_secs();
    assert!((3590..=3600).contains(&left), "an hour by our clock: {left}");
    let reused = server.refresh(&first, stage.clock.now()).await.unwrap_err();
    assert!(reused.is_final(), "{reused}");
    assert_eq!(stage.authority.live(), 0, "one of two who had it has stolen it");
}

#[tokio::test]
async fn where_no_new_refresh_token_comes_the_old_one_stays() {
    let stage = Stage::set(House { rotates: false, ..House::default() }).await;
    let server = stage.server("oidc").await.unwrap();
    let first = stage.tokens(&server).await;
    let second = server.refresh(&first, stage.clock.now()).await.unwrap();
    assert_eq!(exposed(&first).1, exposed(&second).1);
    assert_ne!(exposed(&first).0, exposed(&second).0);
}

type Is<'a> = &'a dyn Fn(&Failure) -> bool;

#[tokio::test]
async fn only_a_refusals_own_code_ends_a_sign_in() {
    let stage = Stage::set(House::default()).await;
    let server = stage.server("oidc").await.unwrap();
    let tokens = stage.tokens(&server).await;
    let odd = |failure: &Failure| matches!(failure, Failure::Odd { .. });
    let unreached = |failure: &Failure| matches!(failure, Failure::Unreached(_));
    let played: [(Mischief, Is, bool); 12] = [
        (Mischief::Refuse("invalid_grant".into()), &|f| f.code() == Some("invalid_grant"), true),
        (Mischief::Refuse("refresh_token_reused".into()), &|f| f.code().is_some(), true),
        (Mischief::Refuse("invalid_client".into()), &|f| f.code() == Some("invalid_client"), false),
        (Mischief::Refuse("CANARY-code".into()), &|f| f.code() == Some("an unknown error"), false),
        // What a proxy on the way makes up is not the server's word, whatever it looks like.
        (Mischief::Status(503), &unreached, false),
        (Mischief::Status(429), &unreached, false),
        (Mischief::WrongType, &odd, false),
        (Mischief::Page, &odd, false),
        (Mischief::Nonsense, &odd, false),
        (Mischief::Say(r#"{"access_token":"two words","token_type":"Bearer"}"#.into()), &odd, false),
        (Mischief::Flood, &unreached, false),
        (Mischief::LoseAnswer, &unreached, false),
    ];
    for (mischief, is_so, is_final) in played {
        let name = format!("{mischief:?}");
        stage.authority.script(Desk::Refresh, [mischief]);
        // One that loses its answer has rotated all the same, so the tokens are fetched anew each time.
        let tokens = if name == "LoseAnswer" { stage.tokens(&server).await } else { tokens.clone() };
        let failure = server.refresh(&tokens, stage.clock.now()).await.unwrap_err();
        assert!(is_so(&failure), "{name}: {failure:?}");
        assert_eq!(failure.is_final(), is_final, "{name}: {failure:?}");
        let said = format!("{failure} {failure:?}");
        assert!(!said.to_lowercase().contains("canary"), "{name}: {said}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_no_longer_than_the_limit() {
    let stage = Stage::set(House::default()).await;
    let server = stage.server("oidc").await.unwrap();
    let tokens = stage.tokens(&server).await;
    stage.authority.script(Desk::Refresh, [Mischief::Hold("never".into())]);
    let late = server.refresh(&tokens, stage.clock.now()).await.unwrap_err();
    assert!(matches!(late, Failure::Unreached(_)), "{late:?}");
}

#[tokio::test]
async fn a_redirect_takes_no_secret_along() {
    let stage = Stage::set(House::default()).await;
    let elsewhere = Authority::start(House::default(), &stage.clock, &stage.tasks).await.unwrap();
    let server = stage.server("oidc").await.unwrap();
    let tokens = stage.tokens(&server).await;
    let to = format!("{}/token", elsewhere.base_url());
    stage.authority.script(Desk::Refresh, [Mischief::Redirect(to)]);
    server.refresh(&tokens, stage.clock.now()).await.unwrap_err();
    assert!(elsewhere.asked().is_empty(), "nobody went there");
}

#[tokio::test]
async fn a_clock_that_is_wrong_there_is_not_believed_beyond_reason() {
    let stage = Stage::set(House::default()).await;
    let server = stage.server("oidc").await.unwrap();
    let mut tokens = stage.tokens(&server).await;
    for (says, is_known) in [(0, true), (60, true), (i64::MAX, false)] {
        stage.authority.furnish(|house| house.says_token_life = Some(says));
        tokens = server.refresh(&tokens, stage.clock.now()).await.unwrap();
        assert_eq!(tokens.expires_at.is_some(), is_known, "{says}");
    }
    stage.authority.furnish(|house| house.says_token_life = Some(-60));
    assert!(
        server.refresh(&tokens, stage.clock.now()).await.is_err(),
        "no token lives for less than no time"
    );
}

#[tokio::test]
async fn a_clients_secret_is_shown_as_each_server_wants_it() {
    let secret = || Some("canary-secret+/ %".to_owned());
    let stage = Stage::set(House { client_secret: secret(), ..House::default() }).await;
    for (with, is_basic) in [("oidc", true), ("google", false)] {
        let server = stage.server(with).await.unwrap();
        let refused = server.refresh(&made_up(stage.secret()), stage.clock.now()).await.unwrap_err();
        assert_eq!(refused.code(), Some("invalid_grant"), "{with}: the client is known, the token is not");
        let asked = stage.authority.asked().last().unwrap().clone();
        assert_eq!(asked.headers.contains_key("authorization"), is_basic, "{with}");
        assert_eq!(asked.fields.contains_key("client_secret"), !is_basic, "{with}");
    }
}

fn made_up(client_secret: Option<Sensitive<String>>) -> Tokens {
    let secret = |text: &str| Sensitive::new(text.to_owned());
    Tokens {
        access: Arc::new(secret("made-up")),
        refresh: Some(secret("made-up")),
        expires_at: None,
        obtained_at: Clock::system().now(),
        client_secret,
    }
}

#[tokio::test]
async fn an_issuer_that_speaks_of_another_one_is_refused() {
    let stage = Stage::set(House::default()).await;
    let evil = r#"{"issuer":"https://evil.example.com","token_endpoint":"https://evil.example.com/token"}"#;
    stage.authority.script(Desk::Discovery, [Mischief::Say(evil.into())]);
    let refused = stage.server("oidc").await.unwrap_err();
    assert!(refused.to_string().contains("another issuer"), "{refused}");
    for mischief in [Mischief::Page, Mischief::Nonsense, Mischief::Flood, Mischief::Status(500)] {
        // There are two places where a document may lie.
        stage.authority.script(Desk::Discovery, [mischief.clone(), mischief]);
        stage.server("oidc").await.unwrap_err();
    }
}

#[tokio::test]
async fn a_token_that_was_given_back_is_good_no_longer() {
    let stage = Stage::set(House::default()).await;
    let server = stage.server("oidc").await.unwrap();
    let tokens = stage.tokens(&server).await;
    assert!(stage.authority.accepts(tokens.access.expose()));
    assert!(server.revoke(&tokens).await.unwrap());
    assert!(!stage.authority.accepts(tokens.access.expose()));
    let hints: BTreeMap<_, _> = stage.authority.asked().last().unwrap().fields.clone();
    assert_eq!(hints["token_type_hint"], "refresh_token");
    let entra = stage.server("entra").await.unwrap();
    assert!(!entra.revoke(&tokens).await.unwrap(), "it has no such place, and nobody is asked");
}

#[tokio::test]
async fn a_device_that_is_not_answered_yet_is_pending_then_slowed_denied_or_expired() {
    let stage = Stage::set(House { interval: 5, ..House::default() }).await;
    let server = stage.server("huggingface").await.unwrap();
    let device = server.device().await.unwrap();
    assert_eq!(device.interval, Duration::from_secs(5));
    let now = || stage.clock.now();
    assert!(matches!(server.poll(&device, now()).await.unwrap(), Polled::Pending));
    assert!(matches!(server.poll(&device, now()).await.unwrap(), Polled::SlowDown));
    stage.authority.answer_device(&device.user_code, false);
    stage.clock.advance(Duration::from_secs(5));
    assert_eq!(server.poll(&device, now()).await.unwrap_err().code(), Some("access_denied"));
    stage.clock.advance(Duration::from_mins(15));
    assert_eq!(server.poll(&device, now()).await.unwrap_err().code(), Some("expired_token"));
}

#[tokio::test]
async fn a_devices_code_that_a_server_meant_for_a_day_was_good_for_an_hour() {
    let stage = Stage::set(House::default()).await;
    let server = stage.server("oidc").await.unwrap();
    for (says, minutes) in [(86_400, 15), (600, 10)] {
        let told = serde_json::json!({
            "device_code": "code", "user_code": "WDJB", "verification_uri": "https://id.example.com/activate",
            "expires_in": says, "interval": 5,
        });
        stage.authority.script(Desk::Device, [Mischief::Say(told.to_string())]);
        assert_eq!(server.device().await.unwrap().lives, Duration::from_mins(minutes), "of {says} s");
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_for_who_began_alone() {
    let stage = Stage::set(House::default()).await;
    let server = stage.server("oidc").await.unwrap();
    let secret = |text: &str| Sensitive::new(text.to_owned());
    let (code, verifier, state) = (secret("no-such-code"), secret("v"), secret("s"));
    let redirect = Url::parse("http://127.0.0.1:9/oauth/callback").unwrap();
    let proof = Proof { code: &code, verifier: &verifier, redirect: &redirect, state: &state };
    let refused = server.exchange(proof, stage.clock.now()).await.unwrap_err();
    assert_eq!(refused.code(), Some("invalid_grant"));
}

#[test]
fn every_way_to_sign_in_can_be_led_to_a_stand_in() {
    let origin = Url::parse("http://127.0.0.1:9").unwrap();
    for definition in SignIns::built_in().unwrap().led_to(&origin).iter() {
        let Some(places) = definition.places(None).unwrap() else { continue };
        assert!(places.token.as_str().starts_with("http://127.0.0.1:9/"), "{}", places.token);
    }
}

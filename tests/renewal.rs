//! Sign-ins that end: renewed ahead of it, or where an upstream refuses them, once for everybody and never lost. A real
//! core, real sockets, and an authorisation server that rotates and takes a sign-in away if an old token is shown.

mod refused;

use std::{
    process::Stdio,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use headgate::{
    accounts::{Change, renewal::NotRenewed},
    app::AppError,
    sandbox::authority::{Desk, House, Mischief},
    secrets::{SecretName, Sensitive, Vault},
};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{
    Program, aside, ask, holds,
    signed_in::{SignedIn, access, open, signed_in},
    soon,
};

#[tokio::test]
async fn a_sign_in_is_renewed_ahead_of_its_end() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.clock.advance(Duration::from_mins(40));
    assert_eq!(stage.ask().await.status, StatusCode::OK);
    assert_eq!(stage.renewals(), 0, "it is not time yet");

    stage.clock.advance(Duration::from_mins(15));
    stage.until_token(2).await;

    assert_eq!(stage.kept().access.expose(), &access(2));
    assert_eq!(stage.ask().await.status, StatusCode::OK);
    let used = [access(1), access(2)].map(|token| stage.sandbox.seen(&token).len());
    assert_eq!(used, [1, 1], "no request met the end of the first one");
    assert_eq!(stage.renewals(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_who_want_it_at_once_cause_one_renewal() {
    let stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.authority.script(Desk::Refresh, [Mischief::Hold("desk".into())]);
    let (refused, mut all) = (stage.bearer(), JoinSet::new());
    for _ in 0..10_000 {
        let (renewals, id, refused) =
            (stage.app.api().gateway.renewals.clone(), stage.id, Arc::clone(&refused));
        all.spawn(async move { renewals.renew_refused(id, &refused).await });
    }
    assert!(stage.authority.await_held("desk").await);
    stage.authority.release("desk");
    assert!(all.join_all().await.iter().all(Result::is_ok));
    assert_eq!(stage.renewals(), 1);
    assert_eq!(stage.bearer().expose(), &access(2));
}

#[tokio::test]
async fn no_weather_signs_an_account_out() {
    let mut stage = SignedIn::set(House::default()).await;
    let weather = [
        Mischief::Status(503),
        Mischief::Status(429),
        Mischief::Page,
        Mischief::WrongType,
        Mischief::Nonsense,
        Mischief::Flood,
        Mischief::Refuse("temporarily_unavailable".into()),
        Mischief::Redirect("http://127.0.0.1:9/token".into()),
    ];
    let count = weather.len();
    for (n, mischief) in weather.into_iter().enumerate() {
        // Long after the last pause, and not so long that a renewal is due.
        stage.a_minute_later();
        if n == 2 {
            stage.restart().await;
        }
        let name = format!("{mischief:?}");
        // As the server sees it, one that answers in a wrong dress has rotated: it is set up not to.
        stage.authority.furnish(|house| house.rotates = false);
        stage.authority.script(Desk::Refresh, [mischief]);
        let (status, told) = stage.renew().await;
        assert_eq!((status, &told["code"]), (StatusCode::BAD_GATEWAY, &"not_renewed".into()), "{name}");
        assert_eq!(stage.state().await, "ready", "{name}: the token is still good");
        let renewal = &stage.view().await["renewal"];
        assert_eq!(renewal["failures"], n + 1, "{name}");
        assert!(renewal["failure"].is_string() && renewal["failed_at"].is_string(), "{renewal}");
    }
    stage.refuse(1, 1);
    stage.authority.script(Desk::Refresh, [Mischief::Status(500)]);
    let before = stage.renewals();
    let refused = stage.ask().await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "the client is not told to sign in");
    assert!(!refused.header("retry-after").is_empty(), "but when to come again");
    assert_eq!(stage.state().await, "cooling");
    assert_eq!(stage.renewals(), before, "the pause after the last failure holds");
    assert_eq!(stage.renew().await.0, StatusCode::BAD_GATEWAY, "a person need not wait for it");
    let (status, view) = stage.renew().await;
    assert_eq!((status, &view["standing"]["state"]), (StatusCode::OK, &"ready".into()), "{view}");
    assert_eq!((&view["renewal"]["failures"], stage.renewals()), (&0.into(), before + 2));
    assert!(before >= count);
}

#[tokio::test]
async fn a_sign_in_that_was_taken_back_needs_a_person_and_is_shown_again_by_one_alone() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.authority.withdraw_all();
    stage.refuse(1, 1);
    assert_eq!(stage.ask().await.status, StatusCode::UNAUTHORIZED);
    let told = stage.view().await;
    assert_eq!(told["standing"]["state"], "needs_sign_in");
    assert!(told["standing"]["reason"].as_str().unwrap().contains("invalid_grant"), "{told}");
    for (is_restarted, asked) in [(false, 2), (true, 3)] {
        if is_restarted {
            stage.restart().await;
        }
        stage.clock.advance(Duration::from_hours(24));
        stage.app.api().gateway.renewals.renew_due().await;
        assert_eq!(stage.renewals(), asked - 1, "nobody but a person asks; restarted: {is_restarted}");
        let (status, problem) = stage.renew().await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &"needs_sign_in".into()), "{problem}");
        assert_eq!(stage.renewals(), asked);
        assert_eq!(stage.state().await, "needs_sign_in");
    }
}

#[tokio::test]
async fn a_renewal_that_a_person_wanted_asked_nobody_and_repeated_the_old_refusal() {
    let stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.authority.script(Desk::Refresh, [Mischief::Refuse("invalid_grant".into())]);
    let (status, problem) = stage.renew().await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &"needs_sign_in".into()), "{problem}");

    let (status, view) = stage.renew().await;

    assert_eq!((status, &view["standing"]["state"]), (StatusCode::OK, &"ready".into()), "{view}");
    assert_eq!(stage.renewals(), 2, "its provider has thought better of it");
}

#[tokio::test]
async fn a_renewal_that_a_person_wanted_and_that_met_bad_weather_is_tried_by_itself() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.authority.script(
        Desk::Refresh,
        [Mischief::Refuse("invalid_grant".into()), Mischief::Refuse("temporarily_unavailable".into())],
    );
    assert_eq!(stage.renew().await.0, StatusCode::CONFLICT);

    let (status, problem) = stage.renew().await;

    assert_eq!((status, &problem["code"]), (StatusCode::BAD_GATEWAY, &"not_renewed".into()), "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("tried again by itself"), "{problem}");
    assert_eq!(stage.state().await, "ready", "nobody says any more that it is no good");
    stage.clock.advance(Duration::from_mins(55));
    stage.until_token(2).await;
    assert_eq!((stage.renewals(), stage.state().await), (3, "ready".into()));
}

#[tokio::test]
async fn an_account_that_was_resumed_was_called_ready_and_its_sign_in_never_asked_for_again() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.authority.withdraw_all();
    stage.refuse(1, 1);
    assert_eq!(stage.ask().await.status, StatusCode::UNAUTHORIZED);
    let path = format!("/api/v1/accounts/{}/resume", stage.id);
    assert_eq!(
        stage.call(Method::POST, &path).await.1["standing"]["state"],
        "ready",
        "its token may be good"
    );
    stage.restart().await;
    stage.refuse(1, 1);
    assert_eq!(stage.ask().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!((stage.renewals(), stage.state().await), (2, "needs_sign_in".into()), "asked once, in vain");

    let mut events = stage.app.api().events.subscribe();
    stage.clock.advance(Duration::from_hours(24));
    assert_eq!(stage.call(Method::POST, &path).await.0, StatusCode::OK);
    let told = async {
        while stage.renewals() < 3 || stage.state().await != "needs_sign_in" {
            events.recv().await.unwrap();
        }
    };
    soon("the sign-in to be asked for by itself, whose time has come", told).await;
}

#[tokio::test]
async fn a_client_that_is_refused_needs_a_person_who_can_mend_it_there() {
    let stage = SignedIn::set(House::default()).await;
    stage.authority.furnish(|house| house.client_secret = Some("canary-secret".into()));
    let (status, problem) = stage.renew().await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &"needs_sign_in".into()), "{problem}");
    stage.clock.advance(Duration::from_hours(2));
    stage.app.api().gateway.renewals.renew_due().await;
    assert_eq!((stage.renewals(), stage.state().await), (1, "needs_sign_in".into()), "time mends nothing");
    stage.authority.furnish(|house| house.client_secret = None);
    let (status, view) = stage.renew().await;
    assert_eq!((status, &view["standing"]["state"]), (StatusCode::OK, &"ready".into()), "{view}");
}

#[tokio::test]
async fn what_the_vault_does_not_take_is_not_used_and_not_lost() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.chest.is_locked.store(true, Ordering::Relaxed);
    let (status, problem) = stage.renew().await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"not_kept".into()));
    assert_eq!(stage.bearer().expose(), &access(1), "it is not used before it is kept");
    assert_eq!(stage.view().await["renewal"]["unkept"], true);

    stage.chest.is_locked.store(false, Ordering::Relaxed);
    stage.a_minute_later();
    stage.until_token(2).await;
    assert_eq!(stage.kept().access.expose(), &access(2));
    assert_eq!(stage.renewals(), 1, "nobody was asked again: the old token is used up");
    assert_eq!(stage.view().await["renewal"]["unkept"], false);
    assert_eq!(stage.renew().await.0, StatusCode::OK, "the next one is good too");
}

#[tokio::test]
async fn what_could_not_be_kept_is_tried_once_more_at_the_end() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.chest.is_locked.store(true, Ordering::Relaxed);
    stage.renew().await;
    stage.chest.is_locked.store(false, Ordering::Relaxed);
    stage.restart().await;
    assert_eq!(stage.bearer().expose(), &access(2));
    assert_eq!(stage.authority.live(), 1, "no old token was shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_during_a_renewal_wins() {
    let stage = SignedIn::set(House::default()).await;
    stage.authority.script(Desk::Refresh, [Mischief::Hold("desk".into())]);
    let mut renewing = JoinSet::new();
    let (renewals, id) = (stage.app.api().gateway.renewals.clone(), stage.id);
    renewing.spawn(async move { renewals.renew(id).await });
    assert!(stage.authority.await_held("desk").await);
    let mine = Arc::new(signed_in(&stage.app, &stage.authority, &stage.clock).await);
    let roster = stage.app.api().gateway.roster.clone();
    let before = roster.tokens(id).unwrap();
    assert!(roster.renew_tokens(id, &before, &mine).unwrap());
    stage.authority.release("desk");
    soon("the renewal", renewing.join_all()).await[0].clone().unwrap();
    assert_eq!(stage.bearer().expose(), mine.access.expose());
    assert_eq!(stage.kept().access.expose(), mine.access.expose());
    assert_eq!(stage.renew().await.0, StatusCode::OK, "and it can be renewed");
}

/// Signs in to the account anew by a device code, as the page and the command line do, and gives the new token.
async fn sign_in_anew(stage: &SignedIn) -> String {
    let token = stage.app.api().keys.core().expose();
    let order = format!(r#"{{"account":{},"way":"device"}}"#, stage.id);
    let begun = stage.client.call(token, Method::POST, "/api/v1/sign-ins", &order).await.json().await;
    assert!(stage.authority.answer_device(begun["user_code"].as_str().unwrap(), true), "{begun}");
    let path = format!("/api/v1/sign-ins/{}", begun["id"].as_str().unwrap());
    soon("the sign-in to be done", async {
        while stage.call(Method::GET, &path).await.1["state"] != "done" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stage.bearer().expose().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_late_answer_of_a_renewal_neither_replaces_nor_benches_who_signed_in_meanwhile() {
    let hold = || "desk".to_owned();
    let weather = |then| Mischief::Late(hold(), Box::new(then));
    for (is_withdrawn, late) in [
        (false, Mischief::Hold(hold())),
        (true, Mischief::Hold(hold())),
        (false, weather(Mischief::Refuse("invalid_grant".into()))),
        (false, weather(Mischief::Refuse("invalid_client".into()))),
        (false, weather(Mischief::Status(503))),
        (false, weather(Mischief::Page)),
        (false, weather(Mischief::LoseAnswer)),
    ] {
        let told = format!("{late:?}, withdrawn: {is_withdrawn}");
        let stage = SignedIn::set(House::default()).await;
        stage.a_minute_later();
        stage.refuse(1, 1);
        stage.authority.script(Desk::Refresh, [late]);
        let client = stage.client.clone();
        let mut asking = aside(async move {
            let reply = client.post("/v1/messages", ask("claude-opus-5-5", false)).await;
            let status = reply.status;
            (status, reply.text().await)
        });
        assert!(stage.authority.await_held("desk").await, "the request waits for the renewal");
        if is_withdrawn {
            stage.authority.withdraw_all();
        }
        let mine = sign_in_anew(&stage).await;
        assert_ne!(mine, access(1));

        stage.authority.release("desk");
        let (status, said) = soon("the request", asking.join_next()).await.unwrap().unwrap();

        assert_eq!(status, StatusCode::OK, "{told}: {said}");
        assert_eq!(stage.bearer().expose(), &mine, "{told}");
        assert_eq!(stage.kept().access.expose(), &mine);
        assert_eq!(stage.view().await["standing"]["reason"], Value::Null, "{told}");
        assert_eq!(stage.view().await["renewal"]["failures"], 0, "{told}");
        assert_eq!(stage.ask().await.status, StatusCode::OK);
        assert_eq!(stage.sandbox.seen(&mine).len(), 2, "both were asked with the new token");
        assert_eq!(stage.renewals(), 1);
        assert_eq!(stage.renew().await.0, StatusCode::OK, "and the new sign-in can be renewed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_given_during_a_renewal_is_not_written_over() {
    let stage = SignedIn::set(House::default()).await;
    stage.authority.script(Desk::Refresh, [Mischief::Hold("desk".into())]);
    let mut renewing = JoinSet::new();
    let (renewals, id) = (stage.app.api().gateway.renewals.clone(), stage.id);
    renewing.spawn(async move { renewals.renew(id).await });
    assert!(stage.authority.await_held("desk").await);
    let key = Some(Sensitive::new("key".to_owned()));
    let change = Change { key, ..Change::default() };
    stage.app.api().gateway.roster.change(id, change).unwrap();
    stage.authority.release("desk");
    assert_eq!(soon("the renewal", renewing.join_all()).await, [Err(NotRenewed::NoSignIn)]);
    let kept = stage.chest.get(&SecretName::of_account(id)).unwrap().unwrap();
    assert_eq!((stage.bearer().expose(), kept.expose()), (&"key".to_owned(), &"key".to_owned()));
    assert_eq!(stage.app.api().gateway.renewals.next_due(stage.clock.now()), None);
}

#[tokio::test]
async fn who_hangs_up_does_not_break_off_the_renewal() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.refuse(1, 1);
    stage.authority.script(Desk::Refresh, [Mischief::Hold("desk".into())]);
    {
        let asking = stage.ask();
        tokio::pin!(asking);
        tokio::select! {
            _ = &mut asking => panic!("the renewal is held"),
            is_held = stage.authority.await_held("desk") => assert!(is_held),
        }
    }
    stage.authority.release("desk");
    stage.until_token(2).await;
    assert_eq!(stage.kept().access.expose(), &access(2));
}

#[tokio::test]
async fn pauses_and_their_reasons_outlive_a_restart() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.a_minute_later();
    stage.refuse(1, 1);
    stage.authority.script(Desk::Refresh, [Mischief::Status(503)]);
    stage.ask().await;
    let before = stage.view().await;
    assert_eq!(before["standing"]["state"], "cooling");
    stage.restart().await;
    let after = stage.view().await;
    assert_eq!(before["standing"]["reason"], after["standing"]["reason"]);
    let until = |view: &Value| view["standing"]["until"].as_str().unwrap()[..19].to_owned();
    assert_eq!(until(&before), until(&after));
    for field in ["failures", "failure"] {
        assert_eq!(before["renewal"][field], after["renewal"][field]);
    }
    stage.refuse(1, 1);
    assert_eq!(stage.ask().await.status, StatusCode::TOO_MANY_REQUESTS, "it still rests");
    assert_eq!(stage.renewals(), 1);
    stage.a_minute_later();
    assert_eq!(stage.ask().await.status, StatusCode::OK, "the pause is over, and the renewal goes well");
    assert_eq!((stage.renewals(), stage.state().await), (2, "ready".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_folder_never_renews_by_itself() {
    let mut stage = SignedIn::set(House::default()).await;
    stage.clock.advance(Duration::from_mins(55));
    stage.until_token(2).await;
    let second = open(&stage.folder, &stage.clock, &stage.chest);
    assert!(matches!(second, Err(AppError::InUse { .. })), "the lock says whose the folder is");

    let program = Program::new();
    let mut command = program.command(&["accounts", "renew", "work", "--json"]);
    command.env("HEADGATE_DATA_DIR", stage.folder.path()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stage.bearer().expose(), &access(3), "the core that has it did it");
    assert_eq!((stage.renewals(), stage.authority.live()), (2, 1), "no old token was shown");

    let mut command = program.command(&["accounts"]);
    command.env("HEADGATE_DATA_DIR", stage.folder.path()).stdin(Stdio::null());
    let listed = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("signed in: until ") && listed.contains("renewed "), "{listed}");
}

#[tokio::test]
async fn an_account_tells_when_its_sign_in_ends_and_is_renewed() {
    let stage = SignedIn::set(House::default()).await;
    let renewal = stage.view().await["renewal"].clone();
    let at = |field: &str| renewal[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(at("next_at") < at("expires_at"), "{renewal}");
    assert_eq!((&renewal["renewable"], &renewal["failure"]), (&true.into(), &Value::Null));
    let key = headgate::accounts::NewAccount {
        name: "keyed".into(),
        provider: "anthropic".into(),
        base_url: None,
        plain_http: headgate::accounts::PlainHttp::default(),
        priority: 9,
        key: Some(Sensitive::new("key".into())),
    };
    let keyed = stage.app.api().gateway.roster.add(key).unwrap().account.id;
    let (_, view) = stage.call(Method::GET, &format!("/api/v1/accounts/{keyed}")).await;
    assert_eq!(view["renewal"], Value::Null);
    let (status, problem) = stage.call(Method::POST, &format!("/api/v1/accounts/{keyed}/renew")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &"not_renewable".into()), "{problem}");
    let (status, _) = stage.call(Method::POST, "/api/v1/accounts/999/renew").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

/// What was logged, by whichever thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_of_a_sign_in_is_written_or_said_anywhere() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("headgate=trace,debug"))
        .with_writer(move || writer.clone())
        .init();
    let mut stage = SignedIn::set(House::default()).await;
    let mut said = String::new();
    for mischief in [
        Mischief::Refuse("temporarily_unavailable".into()),
        Mischief::Refuse("CANARY code-of-an-error".into()),
        Mischief::Nonsense,
        Mischief::Say(r#"{"access_token":"canary two","token_type":"Bearer"}"#.into()),
    ] {
        stage.authority.script(Desk::Refresh, [mischief]);
        said += &format!("{:?}", stage.renew().await);
    }
    stage.chest.is_locked.store(true, Ordering::Relaxed);
    said += &format!("{:?}", stage.renew().await);
    said += &format!("{:?}", stage.app.api().gateway.renewals.look(stage.id));
    stage.chest.is_locked.store(false, Ordering::Relaxed);
    stage.clock.advance(Duration::from_mins(10));
    stage.until_token(2).await;
    said += &format!("{:?} {:?}", stage.app.api().gateway.roster.tokens(stage.id), stage.bearer());
    stage.authority.withdraw_all();
    said += &format!("{:?}", stage.renew().await);
    said += &format!("{:?}", stage.call(Method::GET, "/api/v1/accounts").await);
    said += &format!("{:?}", NotRenewed::Needs("it was refused".into()));
    stage.app.drain().await;

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("its sign-in was renewed and can't be kept"), "it is told: {logged}");
    assert!(logged.contains("can't be renewed without a person"), "it is told: {logged}");
    let secrets = stage.authority.secrets();
    assert!(secrets.len() >= 5, "{secrets:?}");
    for secret in secrets.iter().map(String::as_str).chain(["code-of-an-error", "canary two"]) {
        assert!(!said.contains(secret), "{secret} was said: {said}");
        assert!(!logged.contains(secret), "{secret} was logged: {logged}");
        assert!(!holds(stage.folder.path(), secret), "{secret} lies in the folder");
    }
    let asked = stage.authority.asked();
    assert!(asked.iter().all(|asked| !asked.target.contains("canary")), "no address has a secret: {asked:?}");
}

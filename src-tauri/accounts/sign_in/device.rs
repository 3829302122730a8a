//! Asking whether a person has entered a device's code (RFC 8628, section 3.4): as often as the provider wants, and no
//! longer than the code lives.

use std::time::Duration;

use super::{
    failure::Failure,
    server::{DeviceCode, Polled, Server},
};
use crate::{accounts::Tokens, clock::Clock};

/// A provider that says less is asked no more often all the same.
const LEAST: Duration = Duration::from_secs(1);
/// A provider that is not reached is asked again after twice as long each time, up to this.
const MOST: Duration = Duration::from_mins(1);
/// How much longer to wait each time, once told to slow down (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// Asks until there is an answer. `wait` passes the time between two questions.
///
/// # Errors
/// [`Failure`] once it is over, with `expired_token` if nobody has answered by then.
pub async fn ask<F: Future<Output = ()>>(
    server: &Server,
    device: &DeviceCode,
    clock: &Clock,
    wait: impl Fn(Duration) -> F,
) -> Result<Tokens, Failure> {
    let mut interval = device.interval.max(LEAST);
    let mut left = device.lives;
    loop {
        interval = match server.poll(device, clock.now()).await {
            Ok(Polled::Tokens(tokens)) => return Ok(tokens),
            Ok(Polled::Pending) => interval,
            Ok(Polled::SlowDown) => interval + SLOWER,
            Err(Failure::Unreached(_)) => (interval * 2).min(MOST.max(interval)),
            Err(failure) => return Err(failure),
        };
        left = left.saturating_sub(interval);
        if left.is_zero() {
            return Err(Failure::Refused { host: server.host(), code: "expired_token".into() });
        }
        wait(interval).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

    use bytes::Bytes;
    use http::{Request, Response};
    use serde_json::{Value, json};
    use url::Url;

    use super::*;
    use crate::{
        accounts::sign_in::{Carried, Carrier, NotCarried},
        domain::SignIn,
        providers::SignIns,
    };

    /// Answers from a list; `null` is nobody there.
    #[derive(Debug)]
    struct Script(Mutex<VecDeque<Value>>);

    impl Carrier for Script {
        fn carry(&self, _: Request<Bytes>) -> Carried<'_> {
            let said = self.0.lock().unwrap().pop_front().expect("it is asked no more often than that");
            Box::pin(async move {
                let status = if said.get("error").is_some() { 400 } else { 200 };
                match said {
                    Value::Null => Err(NotCarried::Unreached("nobody there".into())),
                    said => Ok(Response::builder().status(status).body(said.to_string().into()).unwrap()),
                }
            })
        }
    }

    async fn asked(
        interval: u64,
        lives: u64,
        script: Vec<Value>,
    ) -> (Result<String, Option<String>>, Vec<u64>) {
        let definition = SignIns::built_in().unwrap().get("huggingface").unwrap();
        let clock = Clock::system();
        let terms = SignIn {
            with: "huggingface".into(),
            client_id: Some("client".into()),
            issuer: None,
            tenant: None,
            scopes: Vec::new(),
            at: clock.now(),
        };
        let carrier = Arc::new(Script(Mutex::new(script.into())));
        let server = Server::find(carrier, definition, Arc::new(terms), None).await.unwrap();
        let device = DeviceCode::of_test(
            Url::parse("https://id.example.com/activate").unwrap(),
            Duration::from_secs(interval),
            Duration::from_secs(lives),
        );
        let waits = Mutex::new(Vec::new());
        let tokens = ask(&server, &device, &clock, |wait| {
            waits.lock().unwrap().push(wait.as_secs());
            std::future::ready(())
        })
        .await;
        let tokens = tokens.map(|tokens| tokens.access.expose().clone());
        (tokens.map_err(|failure| failure.code().map(str::to_owned)), waits.into_inner().unwrap())
    }

    fn error(code: &str) -> Value {
        json!({ "error": code })
    }

    fn tokens() -> Value {
        json!({ "access_token": "a", "token_type": "bearer" })
    }

    #[tokio::test]
    async fn a_provider_is_asked_as_often_as_it_wants_and_less_often_once_it_says_so() {
        let (pending, slow) = (error("authorization_pending"), error("slow_down"));
        let script =
            vec![pending.clone(), slow.clone(), pending.clone(), slow, Value::Null, pending, tokens()];
        let (brought, waits) = asked(5, 900, script).await;
        assert_eq!(brought, Ok("a".into()));
        assert_eq!(waits, [5, 10, 10, 15, 30, 30]);
    }

    #[tokio::test]
    async fn a_provider_that_wants_no_pause_is_given_one() {
        let (brought, waits) = asked(0, 900, vec![error("authorization_pending"), tokens()]).await;
        assert_eq!((brought, waits), (Ok("a".into()), vec![1]));
    }

    #[tokio::test]
    async fn a_code_that_nobody_enters_is_asked_for_no_longer_than_it_lives() {
        let (brought, waits) = asked(5, 12, vec![error("authorization_pending"); 3]).await;
        assert_eq!((brought, waits), (Err(Some("expired_token".into())), vec![5, 5]));
    }

    #[tokio::test]
    async fn a_person_who_says_no_ends_it_at_once() {
        let (brought, waits) = asked(5, 900, vec![error("access_denied")]).await;
        assert_eq!((brought, waits), (Err(Some("access_denied".into())), vec![]));
    }
}

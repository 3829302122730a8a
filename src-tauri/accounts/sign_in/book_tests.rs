//! What the book of sign-ins holds in whatever order people, browsers and the clock come.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use proptest::prelude::*;
use url::Url;

use super::{
    Carried, Carrier, NotCarried,
    answer::read_redirect,
    book::{Book, Entry, LIFE, Look, MOST_OPEN, Progress, Secrets, SignInId, Whom},
    server::Server,
};
use crate::{
    domain::{AccountId, SignIn},
    providers::{PlainHttp, SignIns, Way},
    secrets::Sensitive,
};

/// Nobody is asked in these tests.
#[derive(Debug)]
struct Nobody;

impl Carrier for Nobody {
    fn carry(&self, _: Request<Bytes>) -> Carried<'_> {
        Box::pin(async { Err(NotCarried::Nowhere) })
    }
}

#[derive(Debug, Clone)]
enum Act {
    Begin,
    Again(i64),
    Answer { of: usize, says_no: bool },
    Finish { of: usize },
    Guess,
    Paste { of: usize, state_of: usize },
    Keep { of: usize },
    Fail { of: usize },
    Cancel { of: usize },
    Pass(u64),
}

fn acts() -> impl Strategy<Value = Act> {
    let of = || 0..40_usize;
    prop_oneof![
        4 => Just(Act::Begin),
        1 => (0..3_i64).prop_map(Act::Again),
        4 => (of(), any::<bool>()).prop_map(|(of, says_no)| Act::Answer { of, says_no }),
        4 => of().prop_map(|of| Act::Finish { of }),
        1 => Just(Act::Guess),
        2 => (of(), of()).prop_map(|(of, state_of)| Act::Paste { of, state_of }),
        1 => of().prop_map(|of| Act::Keep { of }),
        1 => of().prop_map(|of| Act::Fail { of }),
        1 => of().prop_map(|of| Act::Cancel { of }),
        2 => (0..400_u64).prop_map(Act::Pass),
    ]
}

fn entry(server: &Server, number: usize, whom: Whom, now: Timestamp) -> Entry {
    let definition = SignIns::built_in().unwrap().get("google").unwrap();
    let url = Url::parse("http://127.0.0.1:9/oauth/callback").unwrap();
    Entry {
        look: Look {
            id: id(number),
            whom,
            definition,
            way: Way::Paste,
            progress: Progress::Waiting,
            open: Some(url.clone()),
            shown: None,
            is_answered: false,
            until: now + LIFE,
        },
        server: server.clone(),
        terms: terms(),
        secrets: Some(Secrets {
            state: Sensitive::new(state(number)),
            verifier: Sensitive::new(format!("verifier-{number}")),
            redirect: url,
        }),
        answer: None,
        is_kept: false,
        asked: None,
    }
}

fn terms() -> Arc<SignIn> {
    Arc::new(SignIn {
        with: "google".into(),
        client_id: Some("client".into()),
        issuer: None,
        tenant: None,
        scopes: Vec::new(),
        at: Timestamp::UNIX_EPOCH,
    })
}

fn id(number: usize) -> SignInId {
    SignInId(number.to_string().into())
}

fn state(number: usize) -> String {
    format!("state-{number:04}")
}

fn answer(state: &str, says_no: bool) -> super::answer::Answer {
    let outcome = if says_no { "error=access_denied" } else { "code=abc" };
    read_redirect(&format!("http://127.0.0.1/oauth/callback?{outcome}&state={state}")).unwrap()
}

fn server() -> Server {
    let definition = SignIns::built_in().unwrap().get("google").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Server::find(Arc::new(Nobody), definition, terms(), None)).unwrap()
}

proptest! {
    #[test]
    fn what_a_sign_in_was_begun_with_is_given_out_once_in_time_and_for_its_own_answer_alone(
        acts in prop::collection::vec(acts(), 1..120),
    ) {
        let server = server();
        let mut book = Book::default();
        let mut now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let (mut begun, mut given_out): (Vec<Timestamp>, HashSet<String>) = (Vec::new(), HashSet::new());
        let mut agreed = HashSet::new();
        for act in acts {
            book.sweep(now);
            let taken = match act {
                Act::Pass(seconds) => {
                    now += std::time::Duration::from_secs(seconds);
                    None
                }
                Act::Begin | Act::Again(_) => {
                    let number = begun.len();
                    let whom = match act {
                        Act::Again(account) => Whom::Again(AccountId(account)),
                        _ => Whom::New {
                            name: number.to_string(),
                            provider: "anthropic".into(),
                            base_url: None,
                            plain_http: PlainHttp::Here,
                            priority: 0,
                        },
                    };
                    let open = (0..number).filter(|number| book.is_open(&id(*number))).count();
                    let is_in = book.open(entry(&server, number, whom, now)).is_ok();
                    prop_assert!(is_in || open >= MOST_OPEN, "there was room");
                    begun.push(now);
                    None
                }
                Act::Answer { of, says_no } => {
                    if let Ok(laid) = book.lay_aside(answer(&state(of), says_no)) {
                        prop_assert_eq!(&laid, &id(of));
                        prop_assert!(agreed.insert(of), "another one was there");
                        prop_assert_eq!(&book.look(&laid).unwrap().progress, &Progress::Waiting, "nobody said yes yet");
                    }
                    None
                }
                Act::Finish { of } => {
                    let taken = book.finish(&id(of));
                    prop_assert!(taken.is_err() || agreed.contains(&of), "no answer was there");
                    Some((of, taken))
                }
                Act::Guess => {
                    prop_assert!(book.lay_aside(answer("state-of-nobody", false)).is_err());
                    None
                }
                Act::Paste { of, state_of } => {
                    let taken = book.take_for(&id(of), answer(&state(state_of), false));
                    prop_assert!(of == state_of || taken.is_err(), "an answer to another one");
                    Some((of, taken))
                }
                Act::Keep { of } => {
                    let _ = book.keep(&id(of));
                    None
                }
                Act::Fail { of } => {
                    book.end(&id(of), Progress::Failed(String::new()));
                    None
                }
                Act::Cancel { of } => {
                    let _ = book.cancel(&id(of));
                    None
                }
            };
            if let Some((of, Ok((taken, exchange)))) = taken {
                prop_assert_eq!(&taken, &id(of));
                prop_assert!(now < begun[of] + LIFE, "it was too late");
                prop_assert_eq!(exchange.is_none(), matches!(book.look(&taken).unwrap().progress, Progress::Failed(_)));
                if let Some(exchange) = exchange {
                    let verifier = exchange.secrets.verifier.expose().clone();
                    prop_assert_eq!(&verifier, &format!("verifier-{of}"));
                    prop_assert!(given_out.insert(verifier), "it was given out before");
                }
            }
            book.sweep(now);
            let open = (0..begun.len()).filter(|number| book.is_open(&id(*number))).count();
            let known = (0..begun.len()).filter_map(|number| book.look(&id(number)));
            prop_assert!(open <= MOST_OPEN && known.clone().count() <= MOST_OPEN + 64);
            for look in known.filter(|look| look.progress != Progress::Waiting) {
                prop_assert!(look.open.is_none(), "what was to be opened is told no longer");
                prop_assert!(!look.is_answered, "nothing waits for a yes any more");
            }
        }
    }
}

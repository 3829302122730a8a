//! An authorisation server that rotates, has whims, and takes note of every token that it should not have been shown.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;
use proptest::prelude::*;
use tokio::sync::watch;

use crate::{
    accounts::{
        Tokens,
        sign_in::{Carried, Carrier, NotCarried},
    },
    clock::Clock,
    secrets::Sensitive,
};

/// The authorisation server.
pub struct Issuer {
    books: Mutex<Books>,
    pub is_open: watch::Sender<bool>,
    pub under_way: watch::Sender<u32>,
}

#[derive(Default)]
pub struct Books {
    pub number: u32,
    pub good: BTreeSet<String>,
    /// Rotated away: nobody should show them again.
    gone: BTreeSet<String>,
    /// Refused: they are shown again only where a person wants it, until that is answered.
    refused: BTreeSet<String>,
    pub is_wanted: bool,
    /// Rotated away by an answer that never arrived. Whoever shows one can't know; it is over then.
    pub lost: BTreeSet<String>,
    pub whims: VecDeque<Whim>,
    pub faults: Vec<String>,
    pub has_refused_client: bool,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuer")
    }
}

struct Inside<'a>(&'a Issuer);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count -= 1);
    }
}

impl Issuer {
    pub fn new() -> Self {
        Self { books: Mutex::default(), is_open: watch::Sender::new(true), under_way: watch::Sender::new(0) }
    }

    pub fn books<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        act(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn signs_in(&self, clock: &Clock) -> Arc<Tokens> {
        let number = self.books(|books| books.next().1);
        let secret = |what: &str| Sensitive::new(format!("{what}-{number}"));
        Arc::new(Tokens {
            access: Arc::new(secret("access")),
            refresh: Some(secret("refresh")),
            expires_at: Some(clock.now() + SignedDuration::from_hours(1)),
            obtained_at: clock.now(),
            client_secret: None,
        })
    }
}

impl Books {
    fn next(&mut self) -> (String, u32) {
        self.number += 1;
        let refresh = format!("refresh-{}", self.number);
        self.good.insert(refresh.clone());
        (refresh, self.number)
    }

    fn answer(&mut self, shown: &str) -> Result<(u16, String), NotCarried> {
        if self.gone.contains(shown) || (self.refused.contains(shown) && !self.is_wanted) {
            self.faults.push(format!("{shown} was shown again"));
        }
        let whim = self.whims.pop_front();
        match whim {
            Some(Whim::Unreached) => return Err(NotCarried::Unreached("nobody was there".into())),
            Some(Whim::Trouble) => return Ok((503, r#"{"error":"invalid_grant"}"#.into())),
            Some(Whim::Page) => return Ok((200, "<h1>Welcome to the hotel</h1>".into())),
            Some(Whim::NoClient) => {
                (self.has_refused_client, self.is_wanted) = (true, false);
                return Ok((401, r#"{"error":"invalid_client"}"#.into()));
            }
            Some(Whim::LostAnswer) if self.good.remove(shown) => {
                self.next();
                self.lost.insert(shown.to_owned());
                return Err(NotCarried::Unreached("it broke off before the answer".into()));
            }
            Some(Whim::NoRotation | Whim::LostAnswer) | None => {}
        }
        if !self.good.contains(shown) {
            self.is_wanted = false;
            self.refused.insert(shown.to_owned());
            return Ok((400, r#"{"error":"invalid_grant"}"#.into()));
        }
        let mut told = serde_json::json!({ "token_type": "Bearer", "expires_in": 3600 });
        if matches!(whim, Some(Whim::NoRotation)) {
            self.number += 1;
        } else {
            let (refresh, _) = self.next();
            self.good.remove(shown);
            self.gone.insert(shown.to_owned());
            told["refresh_token"] = refresh.into();
        }
        told["access_token"] = format!("access-{}", self.number).into();
        Ok((200, told.to_string()))
    }
}

impl Carrier for Issuer {
    fn carry(&self, request: Request<Bytes>) -> Carried<'_> {
        Box::pin(async move {
            let mut count = 0;
            self.under_way.send_modify(|under_way| {
                *under_way += 1;
                count = *under_way;
            });
            let _inside = Inside(self);
            if count > 1 {
                self.books(|books| books.faults.push("two renewals at once".into()));
            }
            self.is_open.subscribe().wait_for(|is_open| *is_open).await.unwrap();
            let fields: Vec<_> = url::form_urlencoded::parse(request.body()).into_owned().collect();
            let shown = fields.iter().find(|(name, _)| name == "refresh_token").unwrap();
            let (status, text) = self.books(|books| books.answer(&shown.1))?;
            let answer = Response::builder().status(status).header("content-type", "application/json");
            Ok(answer.body(text.into()).unwrap())
        })
    }
}

/// What the server does next in place of a plain rotation.
#[derive(Debug, Clone, Copy)]
pub enum Whim {
    Unreached,
    Trouble,
    Page,
    NoRotation,
    NoClient,
    /// It rotates, and nobody hears of it.
    LostAnswer,
}

pub fn whim() -> impl Strategy<Value = Whim> {
    prop_oneof![
        Just(Whim::Unreached),
        Just(Whim::Trouble),
        Just(Whim::Page),
        Just(Whim::NoRotation),
        Just(Whim::NoClient),
        Just(Whim::LostAnswer)
    ]
}

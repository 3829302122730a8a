//! Who may come in by HTTP: holders of the core's own token (which lies in a file that only its owner can
//! read), pages that came with a one-time ticket, and holders of a client's key with the scope for it. The
//! tokens of the first two live in memory and die with us.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::{Api, Refused};
use crate::{
    domain::Scope,
    keys::{Denial, looks_like_a_key},
    secrets::Sensitive,
};

/// A ticket that nobody has used by then is void.
const TICKET_LIFE: Duration = Duration::from_mins(2);
/// They have a body, so they come by POST, and change nothing.
const DRY_RUNS: [&str; 2] = ["/api/v1/explain", "/api/v1/backtest"];
/// Beyond these, the oldest is forgotten.
const MAX_TICKETS: usize = 16;
const MAX_PAGES: usize = 64;

/// What somebody came in by, over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// The core's own token.
    Token,
    /// A page's.
    Page,
    /// A client's key, of this name.
    Key(Arc<str>),
}

/// The tokens that open the API.
#[derive(Debug)]
pub struct Keys {
    core: Sensitive<String>,
    tickets: Mutex<VecDeque<(Sensitive<String>, Timestamp)>>,
    pages: Mutex<VecDeque<Sensitive<String>>>,
}

impl Keys {
    /// Fresh keys.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { core: random()?, tickets: Mutex::default(), pages: Mutex::default() })
    }

    /// The token for the owner's own programs.
    pub fn core(&self) -> &Sensitive<String> {
        &self.core
    }

    /// A ticket for one page, good for two minutes.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn ticket(&self, now: Timestamp) -> Result<Sensitive<String>, getrandom::Error> {
        let ticket = random()?;
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= MAX_TICKETS {
            tickets.pop_front();
        }
        let until = now.checked_add(TICKET_LIFE).unwrap_or(Timestamp::MAX);
        tickets.push_back((Sensitive::new(ticket.expose().clone()), until));
        Ok(ticket)
    }

    /// Takes a ticket, once, and gives the page its token.
    pub fn redeem(&self, ticket: &str, now: Timestamp) -> Option<Sensitive<String>> {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|(_, until)| *until > now);
        let found = tickets.iter().position(|(known, _)| is_same(known, ticket))?;
        tickets.remove(found);
        drop(tickets);
        let token = random().ok()?;
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= MAX_PAGES {
            pages.pop_front();
        }
        pages.push_back(Sensitive::new(token.expose().clone()));
        Some(token)
    }

    /// The door that this token opens, if it opens the API.
    pub fn open_with(&self, token: &str) -> Option<Door> {
        if is_same(&self.core, token) {
            return Some(Door::Token);
        }
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.iter().any(|known| is_same(known, token)).then_some(Door::Page)
    }
}

fn is_same(known: &Sensitive<String>, given: &str) -> bool {
    known.expose().as_bytes().ct_eq(given.as_bytes()).into()
}

/// 256 random bits in hexadecimal.
fn random() -> Result<Sensitive<String>, getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        text.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits are a digit"));
        text.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits are a digit"));
    }
    Ok(Sensitive::new(text))
}

/// Lets through who brings a token, or a client's key that opens this.
pub async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let Some(token) = token.as_deref() else { return Refused::unauthorized().into_response() };
    if looks_like_a_key(token.as_bytes()) {
        let only_looks = matches!(*request.method(), Method::GET | Method::HEAD)
            || DRY_RUNS.contains(&request.uri().path());
        if let Err(denial) = opens(&api, token, only_looks) {
            let name = api.gateway.keys.name_of_secret(token.as_bytes());
            return Refused::denied(&denial, name.as_ref()).into_response();
        }
        let name = api.gateway.keys.name_of_secret(token.as_bytes());
        request
            .extensions_mut()
            .insert(Door::Key(name.map_or_else(Arc::default, |name| name.as_str().into())));
    } else {
        let Some(door) = api.keys.open_with(token) else { return Refused::unauthorized().into_response() };
        request.extensions_mut().insert(door);
    }
    next.run(request).await
}

/// `manage` opens everything, `read` opens looking.
fn opens(api: &Api, key: &str, only_looks: bool) -> Result<(), Denial> {
    let holder = api.gateway.keys.holder(key.as_bytes(), api.clock.now())?;
    let manages = holder.opens(Scope::Manage);
    if only_looks { manages.or_else(|_| holder.opens(Scope::Read)) } else { manages }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_ticket_is_good_once_and_for_two_minutes() {
        let keys = Keys::new().unwrap();
        let ticket = keys.ticket(now()).unwrap();
        let token = keys.redeem(ticket.expose(), now()).unwrap();
        assert_eq!(keys.open_with(token.expose()), Some(Door::Page));
        assert_eq!(keys.open_with(keys.core().expose()), Some(Door::Token));
        assert!(keys.redeem(ticket.expose(), now()).is_none(), "a second time");
        let late = keys.ticket(now()).unwrap();
        assert!(keys.redeem(late.expose(), now() + jiff::SignedDuration::from_mins(2)).is_none(), "too late");
    }

    #[test]
    fn neither_a_ticket_nor_a_guess_opens_the_api() {
        let keys = Keys::new().unwrap();
        let ticket = keys.ticket(now()).unwrap();
        assert!(keys.open_with(ticket.expose()).is_none());
        assert!(keys.open_with("").is_none() && keys.open_with("x").is_none());
        assert!(keys.redeem("", now()).is_none());
    }

    #[test]
    fn tickets_and_pages_are_bounded() {
        let keys = Keys::new().unwrap();
        let first = keys.ticket(now()).unwrap();
        for _ in 0..MAX_TICKETS {
            keys.ticket(now()).unwrap();
        }
        assert!(keys.redeem(first.expose(), now()).is_none(), "the oldest ticket made room");
        let mut tokens = Vec::new();
        for _ in 0..=MAX_PAGES {
            let ticket = keys.ticket(now()).unwrap();
            tokens.push(keys.redeem(ticket.expose(), now()).unwrap());
        }
        assert!(keys.open_with(tokens[0].expose()).is_none(), "the oldest page made room");
        assert!(keys.open_with(tokens[MAX_PAGES].expose()).is_some());
    }
}

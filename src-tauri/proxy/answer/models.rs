//! `GET /v1/models` and `/v1/models/{id}`, answered from memory in the shape of Anthropic's list. No
//! upstream is asked, no account spends anything, and no exchange is recorded: it is no model request.

use std::collections::HashMap;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use super::failure::plain;
use crate::{
    accounts::Offer,
    domain::{AccountName, Ask},
    formats::{ErrorKind, error_body},
    keys::Holder,
    proxy::{
        AnswerBody, Gateway,
        arrival::{keyholder::Denied, login::is_brought},
        door::meant::unescaped,
    },
};

/// Page size where the client names none, and the most it may name (Anthropic's API reference).
const PAGE: usize = 20;
const MOST: usize = 1000;
/// What Anthropic writes where it does not know the release date.
const UNKNOWN: &str = "1970-01-01T00:00:00Z";
/// More names than this make a description that nobody reads.
const NAMES: usize = 5;

#[derive(Serialize)]
struct Entry<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    description: String,
    created_at: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_input_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<Entry<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

/// The answer, if this is a question for models.
pub fn answer(
    gateway: &Gateway,
    request: &Request<Incoming>,
    holder: Option<&Holder>,
) -> Option<Response<AnswerBody>> {
    let uri = request.uri();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let rest = uri.path().strip_prefix("/v1/models")?.trim_end_matches('/');
    let now = gateway.clock.now();
    if let Some(holder) = holder
        && let Err(why) = holder.let_in(&Ask::default(), false, now)
    {
        return Some(Denied::to(holder, why).answer(None, now));
    }
    let offers = offers(gateway, request.headers(), holder);
    if rest.is_empty() {
        return Some(list(&offers, uri.query().unwrap_or_default()));
    }
    let id = unescaped(rest.strip_prefix('/')?);
    let found = offers.iter().find(|offer| *offer.model.id == *id);
    Some(found.map_or_else(|| no_such(&id), |offer| json(&entry(offer))))
}

/// All that a request with these headers could be served; for the holder of a key, what that key may ask for.
fn offers(gateway: &Gateway, headers: &HeaderMap, holder: Option<&Holder>) -> Vec<Offer> {
    let grant = holder.map(|holder| &holder.key.grant);
    let mut ask = Ask { login: is_brought(headers), ..Ask::default() };
    if let Some(grant) = grant {
        gateway.roster.narrow(&mut ask, grant);
    }
    let mut offers = gateway.roster.offers(&ask);
    if let Some(rules) = grant.and_then(|grant| grant.models.as_deref()) {
        offers.retain(|offer| rules.iter().any(|rule| rule.allows(&offer.model.id)));
    }
    offers
}

fn list(offers: &[Offer], query: &str) -> Response<AnswerBody> {
    let fields: HashMap<&str, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, unescaped(value)))
        .collect();
    let limit = match fields.get("limit").map(|text| text.parse::<usize>()) {
        None => PAGE,
        Some(Ok(limit)) if (1..=MOST).contains(&limit) => limit,
        Some(_) => return refuse("limit is a whole number from 1 to 1000"),
    };
    let place =
        |name: &str| fields.get(name).map(|id| offers.iter().position(|offer| *offer.model.id == **id));
    let (page, has_more) = match (place("after_id"), place("before_id")) {
        (Some(_), Some(_)) => return refuse("after_id and before_id can't stand together"),
        (Some(None), _) | (_, Some(None)) => {
            return refuse("after_id or before_id names no model of this list");
        }
        (None, Some(Some(end))) => (&offers[end.saturating_sub(limit)..end], end > limit),
        (after, None) => {
            let start = after.flatten().map_or(0, |at| at + 1);
            let end = offers.len().min(start + limit);
            (&offers[start..end], end < offers.len())
        }
    };
    json(&Page {
        data: page.iter().map(entry).collect(),
        has_more,
        first_id: page.first().map(|offer| &*offer.model.id),
        last_id: page.last().map(|offer| &*offer.model.id),
    })
}

fn entry(offer: &Offer) -> Entry<'_> {
    let model = &offer.model;
    Entry {
        r#type: "model",
        id: &model.id,
        display_name: model.title.as_deref().unwrap_or(&model.id),
        description: description(offer),
        created_at: UNKNOWN,
        max_input_tokens: model.context,
    }
}

/// `Anthropic API · work, private · 1 M tokens of context`
fn description(offer: &Offer) -> String {
    let mut parts: Vec<String> = offer
        .by
        .iter()
        .map(|(provider, names)| {
            let mut shown: Vec<&str> = names.iter().take(NAMES).map(AccountName::as_str).collect();
            let more = format!("{} more", names.len().saturating_sub(NAMES));
            if names.len() > NAMES {
                shown.push(&more);
            }
            format!("{provider} · {}", shown.join(", "))
        })
        .collect();
    if let Some(tokens) = offer.model.context {
        let size = if tokens % 1_000_000 == 0 {
            format!("{} M", tokens / 1_000_000)
        } else {
            format!("{} k", tokens / 1000)
        };
        parts.push(format!("{size} tokens of context"));
    }
    parts.join(" · ")
}

fn json(body: &impl Serialize) -> Response<AnswerBody> {
    let body = serde_json::to_string(body).expect("strings and numbers are JSON");
    plain(StatusCode::OK, "application/json", body)
}

fn no_such(id: &str) -> Response<AnswerBody> {
    let id: String = id.chars().filter(|c| !c.is_control()).take(128).collect();
    let body = error_body(ErrorKind::NotFoundError, &format!("no enabled account serves a model {id}"), None);
    plain(StatusCode::NOT_FOUND, "application/json", body)
}

fn refuse(message: &str) -> Response<AnswerBody> {
    plain(
        StatusCode::BAD_REQUEST,
        "application/json",
        error_body(ErrorKind::InvalidRequestError, message, None),
    )
}

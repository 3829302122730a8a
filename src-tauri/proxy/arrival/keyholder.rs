//! Who asks: the client's key, where it brings one, and the one decision whether it needs one. A credential
//! that does not look like ours is nobody's business here. No key goes upstream: `headers` leaves out the
//! two headers that it can come in, and whatever other one has one in it.

use std::{collections::BTreeSet, sync::Arc};

use http::{HeaderMap, HeaderName, Method, Request, Response, header};
use hyper::body::Incoming;
use jiff::Timestamp;

use super::request::{Arrival, COUNTS, MESSAGES, Patience, ignore};
use crate::{
    domain::{KeyName, ModelRule, Scope, Scopes, counted},
    formats::ErrorKind,
    keys::{Denial, Holder, looks_like_a_key},
    proxy::{AnswerBody, Gateway, answer::failure::Failure},
};

/// The other header, beside `authorization`, that Anthropic's clients put a credential in.
pub(super) static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// In a request's extensions: it came from another machine.
#[derive(Debug, Clone, Copy)]
pub struct BeyondLoopback;

/// A key that was not let through.
#[derive(Debug, Clone, PartialEq)]
pub struct Denied {
    /// Whose it is, where that is known.
    pub key: Option<KeyName>,
    /// What stood in the way.
    pub why: Denial,
}

impl Gateway {
    /// Whether a request without a key is refused.
    pub fn needs_key(&self, peer_is_beyond_loopback: bool) -> bool {
        self.require_key || peer_is_beyond_loopback
    }
}

/// The holder of the key that a request carries; `None` where it carries none and needs none.
///
/// # Errors
/// [`Failure::NeedsKey`] or [`Failure::Denied`].
pub fn holder(gateway: &Gateway, request: &Request<Incoming>) -> Result<Option<Arc<Holder>>, Failure> {
    let mut shown = keys_in(request.headers()).into_iter();
    let denied = |why| Failure::Denied(Denied { key: None, why });
    // Whoever shows the secret may know what it is called.
    let named = |key, why| Failure::Denied(Denied { key: gateway.keys.name_of_secret(key), why });
    match (shown.next(), shown.next()) {
        (None, _) => {
            let is_beyond = request.extensions().get::<BeyondLoopback>().is_some();
            if gateway.needs_key(is_beyond) { Err(Failure::NeedsKey) } else { Ok(None) }
        }
        (Some(key), None) => {
            gateway.keys.holder(key, gateway.clock.now()).map(Some).map_err(|why| named(key, why))
        }
        // Whoever shows two keys may get the rights of neither: which one is meant can't be known.
        (Some(_), Some(_)) => Err(denied(Denial::Unknown)),
    }
}

/// Whether the holder may ask for what has arrived.
///
/// # Errors
/// [`Failure::Denied`], with the key's name.
pub fn limit(holder: &Holder, arrival: &Arrival, now: Timestamp) -> Result<(), Failure> {
    let denied = |why| Denied::to(holder, why);
    // The upstream may take the one that we did not look at.
    if holder.key.grant.models.is_some() && arrival.is_model_ambiguous {
        return Err(denied(Denial::NoModel));
    }
    // A batch can name one model for show, and others in its requests.
    let is_one_message = matches!(arrival.target.path(), MESSAGES | COUNTS);
    if holder.is_limited() && arrival.method == Method::POST && !is_one_message {
        return Err(denied(Denial::NoModel));
    }
    holder.let_in(&arrival.ask, arrival.method == Method::POST, now).map_err(denied)
}

/// Refuses without a record: a stranger fills no database. The body is read first, and not kept.
pub async fn turn_away(
    gateway: &Gateway,
    request: Request<Incoming>,
    failure: &Failure,
) -> Response<AnswerBody> {
    let is_stranger = matches!(failure, Failure::NeedsKey | Failure::Denied(_))
        && request.extensions().get::<BeyondLoopback>().is_some();
    let limits = &gateway.limits;
    let patience = if is_stranger { Patience::with_a_stranger(limits) } else { Patience::usual() };
    ignore(request.into_body(), patience).await;
    failure.answer(None, gateway.clock.now())
}

/// Every different key of ours in the headers that credentials come in.
fn keys_in(headers: &HeaderMap) -> BTreeSet<&[u8]> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| bearer(value.as_bytes()));
    let plain = headers.get_all(&API_KEY).iter().map(http::HeaderValue::as_bytes);
    bearers.chain(plain).map(<[u8]>::trim_ascii).filter(|credential| looks_like_a_key(credential)).collect()
}

/// Whether a header's value is a key of ours, in whatever header it stands.
pub fn is_key(value: &[u8]) -> bool {
    looks_like_a_key(bearer(value).unwrap_or(value).trim_ascii())
}

/// What stands behind `Bearer ` in an authorization.
pub(super) fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, credential) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(credential)
}

impl Denied {
    /// This holder is not let through.
    pub fn to(holder: &Holder, why: Denial) -> Failure {
        Failure::Denied(Self { key: Some(holder.key.name.clone()), why })
    }

    /// Status and error type.
    pub fn kind(&self) -> (u16, ErrorKind) {
        match self.why {
            Denial::Unknown | Denial::Revoked | Denial::Disabled | Denial::Expired(_) => {
                (401, ErrorKind::AuthenticationError)
            }
            Denial::Scope { .. } | Denial::Model { .. } | Denial::NoModel => {
                (403, ErrorKind::PermissionError)
            }
            Denial::Rate { .. } => (429, ErrorKind::RateLimitError),
            // Claude Code shows a 402 as it is and does not ask again.
            Denial::Budget(_) => (402, ErrorKind::BillingError),
        }
    }

    /// The sentence for the user. It never holds the secret.
    pub fn message(&self, now: Timestamp) -> String {
        let key = match &self.key {
            Some(name) => format!("the key \"{name}\""),
            None => "this key".into(),
        };
        let name = self.key.as_ref().map_or_else(|| "NAME".into(), |name| shell_word(name.as_str()));
        match &self.why {
            Denial::Unknown => "Headgate does not know this key, or was shown two. Make one with `headgate keys add NAME`, or give an old one a new secret with `headgate keys rotate`.".into(),
            Denial::Revoked => format!("This key was revoked. Make another with `headgate keys add {name}`."),
            Denial::Disabled => format!("This key is switched off. Switch it on with `headgate keys set {name} --enable`."),
            Denial::Expired(end) => format!("This key expired on {}. Extend it with `headgate keys set {name} --expires 30d`, or a day that lies ahead.", moment(*end)),
            Denial::Scope { lacks, has } => {
                let flags = with_scope(*has, *lacks);
                format!("Headgate does not open this for {key}: it lacks the scope `{}`. Add it with `headgate keys set {name} {flags}`.", lacks.word())
            }
            Denial::Model { asked, allowed } => {
                let model: String = asked.chars().filter(|c| !c.is_control()).take(80).collect();
                let flags = with_model(allowed, &model);
                format!("The model {model} is not among those that {key} may ask for. Allow it beside them with `headgate keys set {name} {flags}`.")
            }
            Denial::NoModel => format!("Headgate refuses this for {key}: the key is limited to models or by a budget, and this request does not name one model, once, as `model` of one message."),
            Denial::Rate { limit, wait } => {
                let requests = counted(*limit, "request");
                format!("The limit of {key} is {requests} a minute; the next one may come in {} s.", wait.as_secs())
            }
            Denial::Budget(limit) => {
                format!(
                    "The {} budget of {key} ({}) is used up. It starts anew on {}, in {}. Raise it with `headgate keys set {name} --{}`.",
                    limit.name,
                    limit.amount,
                    moment(limit.until),
                    left(limit.until, now),
                    // `daily money` is `--daily-usd`, in which it is said.
                    limit.name.replace(" token", "-tokens AMOUNT").replace(" money", "-usd AMOUNT"),
                )
            }
        }
    }
}

/// The flags that leave a key the scopes that it has and give it another: what is named replaces what there was.
pub fn with_scope(has: Scopes, more: Scope) -> String {
    let flags = has.iter().filter(|scope| *scope != more).chain([more]);
    flags.map(|scope| format!("--scope {}", scope.word())).collect::<Vec<_>>().join(" ")
}

/// Of a list that is longer, a person looks it up.
const MOST_TOLD: usize = 8;

/// The same for models.
fn with_model(allowed: &[ModelRule], more: &str) -> String {
    let mut flags: Vec<String> = Vec::new();
    if allowed.len() > MOST_TOLD {
        flags.push("… (every --model that `headgate keys` lists for it)".into());
    } else {
        flags.extend(allowed.iter().map(|rule| format!("--model {}", shell_word(rule.as_str()))));
    }
    flags.push(format!("--model {}", shell_word(more)));
    flags.join(" ")
}

/// As a shell takes it for one word.
pub fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `3 days 17 h`, `2 h 5 min`.
pub(in crate::proxy) fn left(until: Timestamp, now: Timestamp) -> String {
    let minutes = until.duration_since(now).as_secs().max(0) / 60;
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match days {
        0 => format!("{hours} h {} min", minutes % 60),
        1 => format!("1 day {hours} h"),
        days => format!("{days} days {hours} h"),
    }
}

pub(in crate::proxy) fn moment(at: Timestamp) -> jiff::fmt::strtime::Display<'static> {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        keys_in(&headers).into_iter().map(|key| String::from_utf8(key.to_vec()).unwrap()).collect()
    }

    #[test]
    fn advice_that_is_followed_takes_no_right_away() {
        let told =
            |why| Denied { key: Some(KeyName::new("my laptop").unwrap()), why }.message(Timestamp::MIN);
        let has = [Scope::Proxy, Scope::Read].into_iter().collect();
        let scope = told(Denial::Scope { lacks: Scope::Manage, has });
        let flags = "keys set 'my laptop' --scope proxy --scope read --scope manage`";
        assert!(scope.contains(flags), "{scope}");
        let allowed = [ModelRule::new("claude-haiku-*").unwrap()].into_iter().collect();
        let model = told(Denial::Model { asked: "claude-opus-5".into(), allowed });
        assert!(model.contains("--model 'claude-haiku-*' --model claude-opus-5`"), "{model}");
    }

    #[test]
    fn a_key_is_found_in_either_header_and_nothing_else_is_one() {
        assert_eq!(found(&[("authorization", "Bearer hg_a")]), ["hg_a"]);
        assert_eq!(found(&[("authorization", "bEARER  hg_a ")]), ["hg_a"]);
        assert_eq!(found(&[("x-api-key", "hg_a"), ("authorization", "Bearer sk-ant-oat")]), ["hg_a"]);
        assert_eq!(found(&[("x-api-key", "sk-ant"), ("x-api-key", "hg_a")]), ["hg_a"], "behind another one");
        assert_eq!(found(&[("x-api-key", "hg_a"), ("authorization", "Bearer hg_a")]), ["hg_a"]);
        assert_eq!(found(&[("x-api-key", "hg_a"), ("authorization", "Bearer hg_b")]), ["hg_a", "hg_b"]);
        assert!(
            found(&[("authorization", "Basic hg_a"), ("authorization", "headgate"), ("cookie", "hg_a")])
                .is_empty()
        );
    }
}

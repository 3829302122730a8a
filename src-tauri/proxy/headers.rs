//! Which headers go up and which come back. Everything the client sent goes on but what belongs to one
//! connection (RFC 9110, section 7.6.1), to us, or to its credential for us.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::door::meant::quotes_a_key;
use crate::secrets::Sensitive;

/// Never forwarded, in either direction: they speak of one connection.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Not forwarded upstream: the client's credential for us, what we set ourselves, our own control headers,
/// and the routing hints that Claude Code sends to gateways only (its gateway guide, "Routing hints").
/// A match on the text, because comparing with each name in turn is a good part of a request's cost.
fn is_ours(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "x-api-key"
            | "cookie"
            | "host"
            | "content-length"
            | "expect"
            | "accept-encoding"
            | "x-claude-code-request-class"
            | "x-claude-code-agent-type"
            | "x-claude-code-compaction"
            | "x-claude-code-context-compacted"
            | "x-claude-code-prev-tool-durations"
            | "x-claude-code-prompt-id"
    ) || name.starts_with("x-headgate-")
}

/// The headers of an upstream request. Most are the client's, and are read where they stand: a map of their own would
/// have each name hashed again. HTTP/2, whose library wants one, gets it in `UpstreamRequest::without_host`.
#[derive(Debug)]
pub struct UpstreamHeaders<'a> {
    kept: Vec<(&'a HeaderName, &'a HeaderValue)>,
    own: Vec<(HeaderName, HeaderValue)>,
}

impl<'a> UpstreamHeaders<'a> {
    /// What stays of the client's, and the credential: `places` are the headers that carry it, each with what stands
    /// before it. `None` if the key can't stand in a header.
    pub fn of(
        client: &'a HeaderMap,
        places: &[(HeaderName, String)],
        key: &Sensitive<String>,
    ) -> Option<Self> {
        let named = named_by_connection(client);
        let stays = |(name, value): &(&HeaderName, &HeaderValue)| {
            let text = name.as_str();
            // Some clients send their key in a header of another provider's as well, or in one of their own making.
            let has_key = || quotes_a_key(value.as_bytes()) || quotes_a_key(text.as_bytes());
            !(is_ours(text) || is_hop_by_hop(text) || named.contains(name) || has_key())
        };
        let mut kept = Vec::with_capacity(client.len());
        kept.extend(client.iter().filter(stays));
        // Besides the key: the encoding, the host, and what a sign-in says.
        let mut headers = Self { kept, own: Vec::with_capacity(places.len() + 3) };
        // A compressed stream would be held back until a block is full.
        headers.set(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, before) in places {
            let mut value = HeaderValue::try_from([before.as_str(), key.expose()].concat()).ok()?;
            value.set_sensitive(true);
            headers.set(name.clone(), value);
        }
        Some(headers)
    }

    /// All of a request of our own, in which the credential stands already.
    pub fn of_our_own(ours: &'a HeaderMap) -> Self {
        let mut headers = Self { kept: ours.iter().collect(), own: Vec::new() };
        headers.set(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(credential) = ours.get(header::AUTHORIZATION) {
            let mut credential = credential.clone();
            credential.set_sensitive(true);
            headers.set(header::AUTHORIZATION, credential);
        }
        headers
    }

    /// Says this in place of whatever was said under the same name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.kept.retain(|(kept, _)| *kept != name);
        self.own.retain(|(own, _)| *own != name);
        self.own.push((name, value));
    }

    /// What an account's requests say besides: one more item where the client has said something itself.
    pub fn say(&mut self, says: &[(HeaderName, HeaderValue)]) {
        for (name, value) in says {
            let before: Vec<&[u8]> =
                self.iter().filter(|(said, _)| *said == name).map(|(_, value)| value.as_bytes()).collect();
            let mut items = before.iter().flat_map(|value| value.split(|byte| *byte == b','));
            if items.any(|item| item.trim_ascii() == value.as_bytes()) {
                continue;
            }
            let all = [before.as_slice(), &[value.as_bytes()]].concat().join(&b","[..]);
            let all = HeaderValue::try_from(all).unwrap_or_else(|_| value.clone());
            self.set(name.clone(), all);
        }
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> + Clone {
        self.kept.iter().copied().chain(self.own.iter().map(|(name, value)| (name, value)))
    }
}

/// Whether the answer is a web page: of a network that wants a sign-in, or of a proxy that is in trouble.
pub fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}

/// The headers of an answer as the client gets them.
pub fn downstream(mut headers: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&headers);
    let of_the_connection = |name: &&HeaderName| is_hop_by_hop(name.as_str()) || named.contains(name);
    let gone: Vec<HeaderName> = headers.keys().filter(of_the_connection).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
    headers
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Nobody may talk us out of the headers that make a request or an answer what it is.
        .filter(|name: &HeaderName| {
            !matches!(*name, header::CONTENT_TYPE | header::CONTENT_ENCODING)
                && !name.as_str().starts_with("anthropic-")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Credential, providers::Catalog};

    #[test]
    fn s11_the_clients_own_credential_never_reaches_an_upstream() {
        let client: HeaderMap = [
            ("authorization", "Bearer client-secret"),
            ("x-api-key", "client-secret"),
            ("cookie", "client-secret"),
            ("proxy-authorization", "client-secret"),
            ("x-headgate-account", "client-secret"),
            ("x-goog-api-key", "hg_client-secret"),
            ("x-forgotten", "bearer hg_client-secret"),
            ("x-foo", "Basic hg_client-secret"),
            ("anthropic-custom", "a=b; key=hg_client-secret"),
            ("x-run-on", "token_hg_client0secret0client0secret0client0secret0client"),
            ("x-quoted", "{\"key\":\"hg_client-secret\"}"),
            ("connection", "close, x-private"),
            ("x-private", "client-secret"),
            ("anthropic-beta", "a,b"),
            ("x-unknown", "kept"),
            ("x-hg", "xhg_kept, hg"),
            ("hg_client0secret0client0secret0client0secret0client", "client-secret"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        for provider in Catalog::built_in().iter() {
            let Credential::Key(places) = &provider.credential else { continue };
            for key in ["sk-own", ""] {
                let sent = UpstreamHeaders::of(&client, places, &Sensitive::new(key.to_owned())).unwrap();
                assert!(!format!("{sent:?}").contains("client-secret"), "{}: {sent:?}", provider.id);
                assert_eq!(said(&sent, "anthropic-beta"), ["a,b"]);
                assert_eq!(said(&sent, "x-unknown"), ["kept"]);
                assert_eq!(said(&sent, "x-hg"), ["xhg_kept, hg"], "which is no key");
            }
        }
    }

    /// All that is said under this name.
    fn said(headers: &UpstreamHeaders<'_>, name: &str) -> Vec<String> {
        let said = headers.iter().filter(|(said, _)| *said == name);
        said.map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_a_sign_in_needs_is_said_besides_what_the_client_said() {
        let says = [(HeaderName::from_static("anthropic-beta"), HeaderValue::from_static("oauth-1"))];
        let told = |before: &[&'static str]| {
            let before = before.iter().map(|value| ("anthropic-beta", *value));
            let client: HeaderMap = before
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            let mut headers = UpstreamHeaders::of_our_own(&client);
            headers.say(&says);
            said(&headers, "anthropic-beta")
        };
        assert_eq!(told(&[]), ["oauth-1"]);
        assert_eq!(told(&["a,b"]), ["a,b,oauth-1"]);
        assert_eq!(told(&["a", "b"]), ["a,b,oauth-1"], "the second line is not lost");
        assert_eq!(told(&["a, oauth-1"]), ["a, oauth-1"], "and not twice");
        assert_eq!(told(&["a", "oauth-1"]), ["a", "oauth-1"]);
    }

    #[test]
    fn the_credential_of_a_request_of_our_own_was_no_longer_marked_as_one() {
        let ours = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Basic CANARY"))]);
        let sent = UpstreamHeaders::of_our_own(&ours);
        assert_eq!(said(&sent, "authorization"), ["Basic CANARY"]);
        assert!(sent.iter().all(|(name, value)| value.is_sensitive() == (*name == header::AUTHORIZATION)));
    }

    #[test]
    fn what_is_set_stands_alone() {
        let client: HeaderMap = [("x-key", "theirs"), ("x-other", "kept")]
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let places = [(HeaderName::from_static("x-key"), "Key ".to_owned())];
        let mut sent = UpstreamHeaders::of(&client, &places, &Sensitive::new("own".to_owned())).unwrap();
        assert_eq!(
            (said(&sent, "x-key"), said(&sent, "x-other")),
            (vec!["Key own".into()], vec!["kept".into()])
        );
        sent.set(HeaderName::from_static("x-key"), HeaderValue::from_static("again"));
        assert_eq!(said(&sent, "x-key"), ["again"]);
    }

    #[test]
    fn a_key_with_a_line_break_is_no_header() {
        let places = [(HeaderName::from_static("x-api-key"), String::new())];
        assert!(
            UpstreamHeaders::of(&HeaderMap::new(), &places, &Sensitive::new("a\nb".to_owned())).is_none()
        );
    }
}

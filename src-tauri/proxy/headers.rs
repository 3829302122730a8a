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

/// The headers of an upstream request, credential included: `places` are the headers that carry it, each with
/// what stands before it. `None` if the key can't stand in a header.
pub fn upstream(
    client: &HeaderMap,
    places: &[(HeaderName, String)],
    key: &Sensitive<String>,
) -> Option<HeaderMap> {
    let named = named_by_connection(client);
    // One more than it takes for the host, which is written where the address is known.
    let mut headers = HeaderMap::with_capacity(client.len() + places.len() + 2);
    for (name, value) in client {
        let text = name.as_str();
        let stays = is_ours(text) || is_hop_by_hop(text) || named.contains(name);
        // Some clients send their key in a header of another provider's as well, or in one of their own making.
        if !stays && !quotes_a_key(value.as_bytes()) {
            headers.append(name, value.clone());
        }
    }
    // A compressed stream would be held back until a block is full.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, prefix) in places {
        let mut value = HeaderValue::try_from([prefix.as_str(), key.expose()].concat()).ok()?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Some(headers)
}

/// What an account's requests say besides: one more item where the client has said something itself.
pub fn say(headers: &mut HeaderMap, says: &[(HeaderName, HeaderValue)]) {
    for (name, value) in says {
        let Some(before) = headers.get(name) else {
            headers.insert(name, value.clone());
            continue;
        };
        let is_there =
            before.as_bytes().split(|byte| *byte == b',').any(|item| item.trim_ascii() == value.as_bytes());
        if !is_there {
            let both = [before.as_bytes(), b",", value.as_bytes()].concat();
            headers.insert(name, HeaderValue::try_from(both).unwrap_or_else(|_| value.clone()));
        }
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
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        for provider in Catalog::built_in().iter() {
            let Credential::Key(places) = &provider.credential else { continue };
            for key in ["sk-own", ""] {
                let sent = upstream(&client, places, &Sensitive::new(key.to_owned())).unwrap();
                assert!(!format!("{sent:?}").contains("client-secret"), "{}: {sent:?}", provider.id);
                assert_eq!(sent["anthropic-beta"], "a,b");
                assert_eq!(sent["x-unknown"], "kept");
                assert_eq!(sent["x-hg"], "xhg_kept, hg", "which is no key");
            }
        }
    }

    #[test]
    fn what_a_sign_in_needs_is_said_besides_what_the_client_said() {
        let says = [(HeaderName::from_static("anthropic-beta"), HeaderValue::from_static("oauth-1"))];
        let said = |before: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(before) = before {
                headers.insert("anthropic-beta", HeaderValue::from_static(before));
            }
            say(&mut headers, &says);
            headers["anthropic-beta"].to_str().unwrap().to_owned()
        };
        assert_eq!(said(None), "oauth-1");
        assert_eq!(said(Some("a,b")), "a,b,oauth-1");
        assert_eq!(said(Some("a, oauth-1")), "a, oauth-1", "and not twice");
    }

    #[test]
    fn a_key_with_a_line_break_is_no_header() {
        let places = [(HeaderName::from_static("x-api-key"), String::new())];
        assert!(upstream(&HeaderMap::new(), &places, &Sensitive::new("a\nb".to_owned())).is_none());
    }
}

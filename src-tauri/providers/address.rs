//! Where a request goes: a base address joined with the client's path and query, which stay as they were
//! sent. Credentials have no place in an address and are refused there.

use http::uri::PathAndQuery;
use url::Url;

/// Why an address is refused; each is a sentence for whoever typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("\"{0}\" is not an address; it should look like https://gateway.example.com")]
    NotAnAddress(String),
    #[error("an address starts with https://, or with http:// for a server on this machine")]
    Scheme,
    #[error(
        "plain http:// would send the key unprotected over the network; only this machine (127.0.0.1, localhost) may be reached that way"
    )]
    PlainText,
    #[error("leave user name and password out of the address; the key is asked for apart")]
    Credentials,
    #[error("leave everything from ? or # on out of the address")]
    Query,
}

/// Checks a base address that a person typed.
///
/// # Errors
/// [`BadAddress`], which tells what to change.
pub fn base_url(text: &str) -> Result<Url, BadAddress> {
    let url = Url::parse(text.trim()).map_err(|_| BadAddress::NotAnAddress(shown(text)))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BadAddress::Query);
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(url),
        "http" if is_this_machine(&url) => Ok(url),
        "http" => Err(BadAddress::PlainText),
        _ => Err(BadAddress::Scheme),
    }
}

/// What was typed, without a password that may stand in it.
fn shown(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// Whether an address is on the loopback.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The path at an upstream for a client's path and query. A version segment that ends the base and begins
/// the path (`…/v1` and `/v1/messages`) is written once.
pub fn upstream_path(base: &Url, asked: &PathAndQuery) -> Option<PathAndQuery> {
    let base_path = base.path().trim_end_matches('/');
    if base_path.is_empty() {
        return Some(asked.clone());
    }
    let path_and_query = asked.as_str();
    let overlap = base_path.rsplit_once('/').map_or("", |(_, last)| last);
    let rest = path_and_query
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(overlap))
        .filter(|rest| !overlap.is_empty() && rest.starts_with('/'))
        .unwrap_or(path_and_query);
    PathAndQuery::try_from(format!("{base_path}{rest}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> String {
        upstream_path(&Url::parse(base).unwrap(), &path.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_clients_path_and_query_stay_as_they_were_sent() {
        let path = "/v1/messages?beta=true&x=%2F";
        assert_eq!(joined("https://api.anthropic.com", path), path);
        assert_eq!(joined("https://api.example.com/anthropic/", path), format!("/anthropic{path}"));
    }

    #[test]
    fn a_version_that_stands_in_base_and_path_is_written_once() {
        assert_eq!(joined("https://gw.example.com/v1", "/v1/messages"), "/v1/messages");
        assert_eq!(joined("https://gw.example.com/v1/", "/v1/models?limit=1"), "/v1/models?limit=1");
        assert_eq!(joined("https://gw.example.com/v", "/v1/messages"), "/v/v1/messages");
    }

    #[test]
    fn an_address_that_would_betray_a_key_is_refused() {
        assert_eq!(base_url("http://gateway.example.com"), Err(BadAddress::PlainText));
        assert_eq!(base_url("https://user:pw@gateway.example.com"), Err(BadAddress::Credentials));
        assert_eq!(base_url("https://gateway.example.com/?key=1"), Err(BadAddress::Query));
        assert_eq!(base_url("ftp://gateway.example.com"), Err(BadAddress::Scheme));
        assert!(base_url("http://127.0.0.1:9000").is_ok());
        assert!(base_url(" https://gateway.example.com/anthropic ").is_ok(), "blanks around it are forgiven");
        let error = base_url("user:hunter2@host").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "a password is not repeated: {error}");
    }
}

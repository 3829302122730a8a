//! Where a request goes: a base address joined with the client's path and query, which stay as they were
//! sent. Credentials have no place in an address and are refused there.

use std::net::IpAddr;

use http::uri::PathAndQuery;
use url::Url;

/// How far plain http:// may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// To this machine.
    #[default]
    Here,
    /// To private networks too, since a person has said so: the key is readable there.
    PrivateNetworks,
}

impl PlainHttp {
    /// As a person has said.
    pub fn allowed(allowed: bool) -> Self {
        if allowed { Self::PrivateNetworks } else { Self::Here }
    }
}

/// Why an address is refused; each is a sentence for whoever typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("\"{0}\" is not an address; it should look like https://gateway.example.com")]
    NotAnAddress(String),
    #[error("an address starts with https://, or with http:// for a server on this machine")]
    Scheme,
    #[error(
        "plain http:// would send the key unprotected over the network; only this machine (127.0.0.1, localhost) is reached that way, and a server on a private network where you say that you allow it (--allow-plaintext)"
    )]
    PlainText,
    #[error(
        "plain http:// would send the key unprotected over the internet: {0} is on no private network; use https://"
    )]
    PublicPlainText(String),
    #[error(
        "plain http:// would send codes and tokens unprotected over the network; an issuer is reached that way on this \
         machine alone (127.0.0.1, localhost), so use https://"
    )]
    PlainIssuer,
    #[error("leave user name and password out of the address; the key is asked for apart")]
    Credentials,
    #[error("leave everything from ? or # on out of the address")]
    Query,
    #[error("leave /v1/messages out of the address: what a client asks for is put behind it")]
    Path,
}

/// Checks a base address that a person typed. A name that is to be reached by plain http:// on a private network is taken
/// at its word here; where it leads is looked at once a connection is made.
///
/// # Errors
/// [`BadAddress`], which tells what to change.
pub fn base_url(text: &str, plain: PlainHttp) -> Result<Url, BadAddress> {
    let url = Url::parse(text.trim()).map_err(|_| BadAddress::NotAnAddress(shown(text)))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BadAddress::Query);
    }
    if url.path().trim_end_matches('/').ends_with("/v1/messages") {
        return Err(BadAddress::Path);
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(url),
        "http" if is_this_machine(&url) => Ok(url),
        "http" if plain == PlainHttp::Here => Err(BadAddress::PlainText),
        "http" => match url.host() {
            Some(url::Host::Ipv4(ip)) if !is_private(ip.into()) => {
                Err(BadAddress::PublicPlainText(ip.to_string()))
            }
            Some(url::Host::Ipv6(ip)) if !is_private(ip.into()) => {
                Err(BadAddress::PublicPlainText(ip.to_string()))
            }
            _ => Ok(url),
        },
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

/// Whether plain http:// may be spoken with whoever has this address: the loopback, and the networks that RFC 1918 and
/// RFC 4193 set aside. Link-local addresses are none of them, where clouds tell their machines' secrets; nor are those
/// that providers share among customers (RFC 6598).
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
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
        let base_url = |text| base_url(text, PlainHttp::Here);
        assert_eq!(base_url("http://gateway.example.com"), Err(BadAddress::PlainText));
        assert_eq!(base_url("https://user:pw@gateway.example.com"), Err(BadAddress::Credentials));
        assert_eq!(base_url("https://gateway.example.com/?key=1"), Err(BadAddress::Query));
        // It was asked as /v1/messages/v1/messages.
        assert_eq!(base_url("https://gateway.example.com/x/v1/messages/"), Err(BadAddress::Path));
        assert_eq!(base_url("ftp://gateway.example.com"), Err(BadAddress::Scheme));
        assert!(base_url("http://127.0.0.1:9000").is_ok());
        assert!(base_url(" https://gateway.example.com/anthropic ").is_ok(), "blanks around it are forgiven");
        let error = base_url("user:hunter2@host").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "a password is not repeated: {error}");
    }

    #[test]
    fn plain_text_goes_to_private_networks_once_a_person_says_so_and_no_further() {
        for private in
            ["http://10.1.2.3:4000", "http://192.168.0.7/v1", "http://172.16.0.1", "http://[fd00::7]"]
        {
            assert_eq!(base_url(private, PlainHttp::Here), Err(BadAddress::PlainText), "{private}");
            assert!(base_url(private, PlainHttp::PrivateNetworks).is_ok(), "{private}");
        }
        for public in [
            "http://93.184.216.34",
            "http://172.32.0.1",
            "http://[2606:2800:220:1::1]",
            "http://169.254.169.254",
            "http://[fe80::1]",
            "http://100.64.0.1",
            "http://0.0.0.0",
            "http://[::ffff:8.8.8.8]",
        ] {
            let refused = base_url(public, PlainHttp::PrivateNetworks);
            assert!(matches!(refused, Err(BadAddress::PublicPlainText(_))), "{public}: {refused:?}");
        }
        assert!(
            base_url("http://gateway.lan", PlainHttp::PrivateNetworks).is_ok(),
            "its address is looked at later"
        );
        let refused = base_url("http://u:p@10.0.0.1", PlainHttp::PrivateNetworks);
        assert_eq!(refused, Err(BadAddress::Credentials), "everything else holds all the same");
    }
}

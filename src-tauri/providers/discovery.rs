//! Reads what an issuer says of itself (OpenID Connect Discovery 1.0; RFC 8414). Asks nobody, and refuses a document
//! that speaks of another issuer or leads to places that a secret must not go to.

use serde::Deserialize;
use url::Url;

use super::{
    address::{BadAddress, PlainHttp, base_url},
    sign_in::{Places, SecretIn},
};

/// Why a discovery document is of no use. Each is a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDiscovery {
    #[error("what it says of itself is no discovery document")]
    NoDocument,
    #[error("its discovery document speaks of another issuer; name the issuer exactly as the document does")]
    OtherIssuer,
    #[error("its discovery document names no {0}")]
    Missing(&'static str),
    #[error("its discovery document leads to an address that is not https")]
    Unsafe,
    #[error("it does not offer PKCE with S256, without which a sign-in would not be safe")]
    NoPkce,
}

/// Checks an issuer that a person typed.
///
/// # Errors
/// [`BadAddress`], which tells what to change.
pub fn issuer(text: &str) -> Result<Url, BadAddress> {
    base_url(text, PlainHttp::Here).map_err(|bad| match bad {
        BadAddress::PlainText | BadAddress::PublicPlainText(_) => BadAddress::PlainIssuer,
        bad => bad,
    })
}

/// Where an issuer's document may lie, the likelier place first.
pub fn documents(issuer: &Url) -> [Url; 2] {
    let own = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("{own}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{own}")),
    ]
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The places that an issuer's document names.
///
/// # Errors
/// [`BadDiscovery`].
pub fn read(issuer: &Url, document: &[u8]) -> Result<Places, BadDiscovery> {
    let told: Document = serde_json::from_slice(document).map_err(|_| BadDiscovery::NoDocument)?;
    // RFC 8414, section 3.3: otherwise one issuer could stand in for another. A slash at its end is forgiven.
    if told.issuer.trim_end_matches('/') != issuer.as_str().trim_end_matches('/') {
        return Err(BadDiscovery::OtherIssuer);
    }
    // A document that lists methods and not this one would let the challenge be ignored; one that lists none may
    // know it all the same, as Entra's does.
    if told.code_challenge_methods_supported.is_some_and(|methods| !methods.iter().any(|one| one == "S256")) {
        return Err(BadDiscovery::NoPkce);
    }
    let place = |address: Option<String>| address.map(|address| safe(issuer, &address)).transpose();
    let methods = told.token_endpoint_auth_methods_supported.unwrap_or_default();
    let has = |method: &str| methods.iter().any(|one| one == method);
    let secret = if has("client_secret_post") && !has("client_secret_basic") {
        SecretIn::Body
    } else {
        SecretIn::Basic
    };
    Ok(Places {
        authorise: place(told.authorization_endpoint)?,
        token: place(told.token_endpoint)?.ok_or(BadDiscovery::Missing("token endpoint"))?,
        device: place(told.device_authorization_endpoint)?,
        revoke: place(told.revocation_endpoint)?,
        secret,
        names_itself: told.authorization_response_iss_parameter_supported,
    })
}

/// An address that secrets may go to: https, or this machine if the issuer is on this machine too.
fn safe(issuer: &Url, address: &str) -> Result<Url, BadDiscovery> {
    let url = Url::parse(address).map_err(|_| BadDiscovery::Unsafe)?;
    let mut bare = url.clone();
    bare.set_query(None);
    let is_good = base_url(bare.as_str(), PlainHttp::Here).is_ok() && url.fragment().is_none();
    let leads_down = url.scheme() == "http" && issuer.scheme() != "http";
    if is_good && !leads_down { Ok(url) } else { Err(BadDiscovery::Unsafe) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_named_a_plain_issuer_was_told_to_say_what_was_said() {
        for text in ["http://192.168.1.5", "http://id.example.com", "http://1.1.1.1"] {
            assert_eq!(issuer(text), Err(BadAddress::PlainIssuer), "no flag allows that: {text}");
        }
        assert!(issuer("http://127.0.0.1:9").is_ok());
    }

    fn told(change: serde_json::Value) -> Result<Places, BadDiscovery> {
        let mut document = json!({
            "issuer": "https://id.example.com/realm/",
            "authorization_endpoint": "https://id.example.com/authorize",
            "token_endpoint": "https://id.example.com/token",
        });
        for (name, value) in change.as_object().unwrap() {
            document[name] = value.clone();
        }
        read(&issuer("https://id.example.com/realm").unwrap(), document.to_string().as_bytes())
    }

    #[test]
    fn a_document_lies_where_one_of_the_two_rules_says() {
        let urls = documents(&issuer("https://id.example.com/realm/").unwrap()).map(String::from);
        assert_eq!(urls[0], "https://id.example.com/realm/.well-known/openid-configuration");
        assert_eq!(urls[1], "https://id.example.com/.well-known/oauth-authorization-server/realm");
    }

    #[test]
    fn a_document_of_another_issuer_is_refused() {
        assert_eq!(told(json!({ "issuer": "https://evil.example.com" })), Err(BadDiscovery::OtherIssuer));
    }

    #[test]
    fn a_document_that_leads_to_plain_text_is_refused() {
        for evil in
            ["http://id.example.com/token", "http://127.0.0.1/token", "file:///token", "https://u:p@h/t"]
        {
            assert_eq!(told(json!({ "token_endpoint": evil })), Err(BadDiscovery::Unsafe), "{evil}");
        }
        assert!(told(json!({ "token_endpoint": "https://id.example.com/token?p=1" })).is_ok());
    }

    #[test]
    fn an_issuer_without_s256_is_refused() {
        assert_eq!(told(json!({ "code_challenge_methods_supported": ["plain"] })), Err(BadDiscovery::NoPkce));
        assert!(told(json!({})).is_ok(), "who says nothing may know it");
    }

    #[test]
    fn whoever_says_so_names_itself_in_each_answer() {
        let names = |change| told(change).unwrap().names_itself;
        assert!(names(json!({ "authorization_response_iss_parameter_supported": true })));
        assert!(!names(json!({ "authorization_response_iss_parameter_supported": false })));
        assert!(!names(json!({})), "as RFC 9207, section 3, has it");
    }

    #[test]
    fn a_secret_is_shown_as_the_issuer_wants_it() {
        let secret =
            |methods| told(json!({ "token_endpoint_auth_methods_supported": methods })).unwrap().secret;
        assert_eq!(secret(json!(["client_secret_post"])), SecretIn::Body);
        assert_eq!(secret(json!(["client_secret_post", "client_secret_basic"])), SecretIn::Basic);
    }
}

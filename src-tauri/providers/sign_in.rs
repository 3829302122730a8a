//! What signing in is like at each place that offers it: read from `sign_ins.toml`, which is part of the program.
//! Asks nobody, and knows no client id but those that the packager built in.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use url::Url;

use crate::domain::{Credential, Paid, Provider, ProviderId};

const TEXT: &str = include_str!("sign_ins.toml");

/// How the answer to a sign-in comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The browser asks a port of this machine (RFC 8252, section 7.3).
    Loopback,
    /// The browser opens an address of the scheme `headgate`.
    DeepLink,
    /// A person copies a code, or the address that the browser was sent to.
    Paste,
    /// A person types a code at the provider, and we ask until they have (RFC 8628).
    Device,
}

impl Way {
    /// The word for it in the file, in the API and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::DeepLink => "deep_link",
            Self::Paste => "paste",
            Self::Device => "device",
        }
    }
}

/// What a sign-in brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Yields {
    /// Tokens that are renewed.
    #[default]
    Grant,
    /// A plain key.
    Key,
}

/// How token requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Writing {
    #[default]
    Form,
    Json,
}

/// How a client's secret is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretIn {
    #[default]
    Basic,
    Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Quirk {
    CallbackUrl,
    StateWithCode,
}

/// One way to sign in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its key in the file.
    #[serde(skip)]
    pub id: Arc<str>,
    /// What people call it.
    pub title: String,
    /// One sentence for the dialog in which it is chosen.
    pub about: String,
    /// Whose accounts are signed in so; empty is any that has a key.
    #[serde(default)]
    pub providers: Vec<ProviderId>,
    authorise_url: Option<String>,
    token_url: Option<String>,
    device_url: Option<String>,
    revoke_url: Option<String>,
    /// The directory where none is named; `None` where there are no directories.
    pub tenant: Option<String>,
    /// How accounts pay that were signed in so, if not as those of their provider.
    paid: Option<Paid>,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Vec<Arc<str>>,
    /// How the answer may come back, the best first.
    pub ways: Vec<Way>,
    /// How redirects name this machine.
    #[serde(default = "this_machine")]
    pub loopback_host: String,
    /// The provider's own page that shows a code.
    pub paste_url: Option<Url>,
    /// How token requests are written.
    #[serde(default)]
    pub request: Writing,
    /// What it brings.
    #[serde(default)]
    pub yields: Yields,
    /// What the address that a person is sent to says besides.
    #[serde(default)]
    pub asks: BTreeMap<String, String>,
    /// What requests under the token say besides.
    #[serde(default)]
    says: BTreeMap<String, String>,
    #[serde(default)]
    quirks: Vec<Quirk>,
    /// Where to get a client's id; `None` where there is no client.
    pub client: Option<String>,
    /// How a client's secret is shown.
    #[serde(default)]
    pub secret: SecretIn,
}

fn this_machine() -> String {
    "127.0.0.1".into()
}

/// Where a sign-in asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Where a person is sent; `None` where nobody is.
    pub authorise: Option<Url>,
    /// Where a code becomes a token.
    pub token: Url,
    /// Where a device code is asked for.
    pub device: Option<Url>,
    /// Where a token is given back.
    pub revoke: Option<Url>,
    /// How a client's secret is shown there.
    pub secret: SecretIn,
    /// Whether each of its answers says whose it is (RFC 9207), so that one that does not is none of its own.
    pub names_itself: bool,
}

/// A client that whoever built the package has registered for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackagedClient {
    /// Its id.
    pub id: &'static str,
    /// Its secret, where desktop clients have one (which is none then, as everybody can read it).
    pub secret: Option<&'static str>,
}

/// What a package was built with.
struct Package {
    google: (Option<&'static str>, Option<&'static str>),
    entra: Option<&'static str>,
    huggingface: Option<&'static str>,
    anthropic: Option<&'static str>,
}

impl Package {
    const BUILT: Self = Self {
        google: (option_env!("HEADGATE_CLIENT_ID_GOOGLE"), option_env!("HEADGATE_CLIENT_SECRET_GOOGLE")),
        entra: option_env!("HEADGATE_CLIENT_ID_ENTRA"),
        huggingface: option_env!("HEADGATE_CLIENT_ID_HUGGINGFACE"),
        anthropic: option_env!("HEADGATE_CLIENT_ID_ANTHROPIC"),
    };
}

/// Every way to sign in, by its id.
#[derive(Debug, Clone)]
pub struct SignIns(Arc<BTreeMap<Arc<str>, Arc<Definition>>>);

/// The name is no directory of Entra: it would lead elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a directory is named by its id or its domain: letters, digits, dots and dashes")]
pub struct BadTenant;

impl SignIns {
    /// Those that this program was built with.
    ///
    /// # Errors
    /// Never but for a mistake in the file, which a test would have found.
    pub fn built_in() -> Result<Self, String> {
        Self::parse(TEXT)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let read: BTreeMap<Arc<str>, Definition> = toml::from_str(text).map_err(|error| error.to_string())?;
        let named = read.into_iter().map(|(id, definition)| {
            let definition = Definition { id: Arc::clone(&id), ..definition };
            definition.check().map_err(|why| format!("{id}: {why}"))?;
            Ok((id, Arc::new(definition)))
        });
        named.collect::<Result<_, String>>().map(|all| Self(Arc::new(all)))
    }

    /// The same, with every address led to another origin: a stand-in for all of them.
    pub fn led_to(&self, origin: &Url) -> Self {
        let lead = |address: &Option<String>| {
            let url = address.as_ref().and_then(|address| Url::parse(address).ok())?;
            // Written as a template: the braces of {tenant} are escaped by the parser.
            let path = url.path().replace("%7Btenant%7D", "{tenant}");
            Some(format!("{}{path}", origin.as_str().trim_end_matches('/')))
        };
        let led = self.0.iter().map(|(id, known)| {
            let definition = Definition {
                authorise_url: lead(&known.authorise_url),
                token_url: lead(&known.token_url),
                device_url: lead(&known.device_url),
                revoke_url: lead(&known.revoke_url),
                ..Definition::clone(known)
            };
            (Arc::clone(id), Arc::new(definition))
        });
        Self(Arc::new(led.collect()))
    }

    /// The definition with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Definition>> {
        self.0.get(id).cloned()
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.0.values()
    }

    /// Their ids in one line.
    pub fn ids(&self) -> String {
        self.0.keys().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
    }
}

impl Definition {
    fn check(&self) -> Result<(), String> {
        self.headers().ok_or("what it says is no header")?;
        if self.ways.is_empty() {
            return Err("nothing leads back".into());
        }
        if let Some(name) = self.asks.keys().find(|name| name.starts_with("client_")) {
            return Err(format!("{name} is whoever signs in's, or the packager's"));
        }
        if self.token_url.is_none() != self.authorise_url.is_none() {
            return Err("it names one of its places and not the other".into());
        }
        if self.token_url.is_some() {
            self.places(None).map_err(|error| error.to_string())?.ok_or("its places are no addresses")?;
        }
        Ok(())
    }

    /// Where it asks in this directory; `None` where the issuer's discovery document has to tell.
    ///
    /// # Errors
    /// [`BadTenant`] for a name that could lead elsewhere.
    pub fn places(&self, tenant: Option<&str>) -> Result<Option<Places>, BadTenant> {
        let tenant = tenant.or(self.tenant.as_deref()).unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if tenant.len() > 100 || tenant.starts_with('.') || !tenant.chars().all(is_plain) {
            return Err(BadTenant);
        }
        let read = |address: &Option<String>| Url::parse(&address.as_ref()?.replace("{tenant}", tenant)).ok();
        let Some(token) = read(&self.token_url) else { return Ok(None) };
        Ok(Some(Places {
            authorise: read(&self.authorise_url),
            token,
            device: read(&self.device_url),
            revoke: read(&self.revoke_url),
            secret: self.secret,
            names_itself: false,
        }))
    }

    /// Whether an issuer has to be named.
    pub fn wants_issuer(&self) -> bool {
        self.token_url.is_none()
    }

    /// Whether it brings a plain key.
    pub fn yields_key(&self) -> bool {
        self.yields == Yields::Key
    }

    /// Whether there is no client, and the address back is all that is said.
    pub fn names_only_the_way_back(&self) -> bool {
        self.quirks.contains(&Quirk::CallbackUrl)
    }

    /// Whether the page shows `code#state`, and the token request repeats the state.
    pub fn repeats_state(&self) -> bool {
        self.quirks.contains(&Quirk::StateWithCode)
    }

    /// Whether accounts of this provider can be signed in so.
    pub fn fits(&self, provider: &Provider) -> bool {
        !provider.passes_logins() && (self.providers.is_empty() || self.providers.contains(&provider.id))
    }

    /// Whether a provider's own address may be sent what this brings. Where anybody's accounts are signed in so, only
    /// an address that a person has named may: nobody else's token is a provider's business.
    pub fn serves_by_itself(&self, provider: &Provider) -> bool {
        self.providers.contains(&provider.id) || provider.base_url.is_none()
    }

    /// The client that the packager built in.
    pub fn packaged_client(&self) -> Option<PackagedClient> {
        self.client_of(&Package::BUILT)
    }

    fn client_of(&self, package: &Package) -> Option<PackagedClient> {
        let (id, secret) = match &*self.id {
            "google" => package.google,
            "entra" => (package.entra, None),
            "huggingface" => (package.huggingface, None),
            "anthropic" | "anthropic-console" => (package.anthropic, None),
            _ => (None, None),
        };
        // A variable that is set to nothing is none.
        let is_said = |text: &&str| !text.is_empty();
        Some(PackagedClient { id: id.filter(is_said)?, secret: secret.filter(is_said) })
    }

    /// The provider as an account sees it that was signed in so: its token goes where tokens go, and not where keys
    /// of this provider do.
    pub fn serves(&self, provider: &Arc<Provider>) -> Arc<Provider> {
        if self.yields == Yields::Key {
            return Arc::clone(provider);
        }
        let credential = Credential::Key(vec![(header::AUTHORIZATION, "Bearer ".into())]);
        let says = self.headers().unwrap_or_default().into();
        let paid = self.paid.or(provider.paid);
        Arc::new(Provider { credential, paid, says, ..Provider::clone(provider) })
    }

    fn headers(&self) -> Option<Vec<(HeaderName, HeaderValue)>> {
        self.says.iter().map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Catalog;

    #[test]
    fn the_built_in_sign_ins_are_sound() {
        let (all, catalog) = (SignIns::built_in().unwrap(), Catalog::built_in());
        for definition in all.iter() {
            let id = &definition.id;
            for provider in &definition.providers {
                let provider = catalog.get(&provider.0).unwrap_or_else(|| panic!("{id} names {provider}"));
                assert!(definition.fits(&provider), "{id}");
            }
            let wants_client = definition.client.is_some();
            assert_eq!(wants_client, !definition.names_only_the_way_back(), "{id}: a client or none");
            let Some(places) = definition.places(None).unwrap() else { continue };
            let named = [&places.authorise, &Some(places.token), &places.device, &places.revoke];
            for url in named.into_iter().flatten() {
                assert_eq!(url.scheme(), "https", "{id}: {url}");
                assert!(!url.as_str().contains("tenant"), "{id}: {url}");
            }
            assert_eq!(definition.ways.contains(&Way::Device), places.device.is_some(), "{id}");
        }
    }

    #[test]
    fn no_client_id_is_borrowed_or_invented() {
        // Wherever it stands: under a key of its own, under `asks`, or in an address.
        fn names_a_client(value: &toml::Value) -> bool {
            let is_name = |text: &str| text.contains("client_id") || text.contains("client_secret");
            match value {
                toml::Value::Table(table) => {
                    table.iter().any(|(name, value)| is_name(name) || names_a_client(value))
                }
                toml::Value::Array(all) => all.iter().any(names_a_client),
                toml::Value::String(text) => is_name(text),
                _ => false,
            }
        }
        let read = |text: &str| toml::Value::Table(toml::from_str(text).unwrap());
        assert!(!names_a_client(&read(TEXT)));
        for borrowed in [
            "[one]\nclient_id = 'borrowed'",
            "[one]\nasks = { code = 'true', client_id = 'borrowed' }",
            "[one]\nauthorise_url = 'https://id.example.com/?client_id=borrowed'",
        ] {
            assert!(names_a_client(&read(borrowed)), "{borrowed}");
        }
        let asks = "title = 'One'\nabout = ''\nways = ['paste']\nasks = { client_id = 'borrowed' }";
        assert!(SignIns::parse(&format!("[one]\n{asks}")).unwrap_err().contains("client_id"));
    }

    #[test]
    fn a_packagers_client_is_that_of_its_own_way_to_sign_in() {
        let package = Package {
            google: (Some("for-google"), Some("secret")),
            entra: Some("for-entra"),
            huggingface: Some(""),
            anthropic: Some("for-anthropic"),
        };
        let all = SignIns::built_in().unwrap();
        let client = |id: &str| all.get(id).unwrap().client_of(&package);
        let named = |id, secret| Some(PackagedClient { id, secret });
        assert_eq!(client("google"), named("for-google", Some("secret")));
        assert_eq!(client("entra"), named("for-entra", None));
        assert_eq!(client("huggingface"), None, "said nothing");
        assert_eq!(client("anthropic"), named("for-anthropic", None));
        assert_eq!(client("anthropic-console"), client("anthropic"));
        assert_eq!((client("oidc"), client("openrouter")), (None, None), "nobody packages these");
        let google = |id, secret| {
            let package = Package { google: (id, secret), ..package };
            all.get("google").unwrap().client_of(&package)
        };
        assert_eq!(google(Some("id"), Some("")), named("id", None));
        assert_eq!(google(None, Some("secret")), None, "a secret is nobody's without its id");
    }

    #[test]
    fn a_directory_that_would_lead_elsewhere_is_refused() {
        let entra = SignIns::built_in().unwrap().get("entra").unwrap();
        let token = |tenant| entra.places(tenant).map(|places| places.unwrap().token.to_string());
        assert_eq!(
            token(Some("contoso.example")).unwrap(),
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
        );
        assert!(token(None).unwrap().contains("/organizations/"));
        for evil in ["../evil", "a/b", "a?b", "..", "a#b", "a%2fb", "a b", &"a".repeat(101)] {
            assert_eq!(token(Some(evil)), Err(BadTenant), "{evil}");
        }
    }

    #[test]
    fn a_token_goes_where_tokens_go_and_a_key_where_keys_do() {
        let (all, catalog) = (SignIns::built_in().unwrap(), Catalog::built_in());
        let anthropic = catalog.get("anthropic").unwrap();
        let signed_in = all.get("anthropic").unwrap().serves(&anthropic);
        assert_eq!(signed_in.credential, Credential::Key(vec![(header::AUTHORIZATION, "Bearer ".into())]));
        assert_eq!(signed_in.says[0].0, "anthropic-beta");
        assert_eq!(signed_in.id, anthropic.id, "its windows and its refusals are read as before");
        let openrouter = catalog.get("openrouter").unwrap();
        assert_eq!(all.get("openrouter").unwrap().serves(&openrouter), openrouter);
        assert!(
            !all.get("oidc").unwrap().fits(&catalog.get("claude-login").unwrap()),
            "it has no credential"
        );
    }
}

//! Reads `catalog.toml` and `models.toml`, which are part of the program. A mistake in them is found by the test below, not by
//! a user.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use url::Url;

use jiff::Timestamp;

use http::HeaderMap;

use super::{
    sign_in::SignIns,
    usage::{self, UsageEndpoint},
    verdict::{Dialects, Reply},
    windows::WindowReader,
    windows_table::{Told, dialects, patterns},
};
use crate::domain::{Credential, Lacks, Model, Need, Paid, Provider, ProviderId, Verdict, Window};

const TEXT: &str = include_str!("catalog.toml");
const MODELS: &str = include_str!("models.toml");

/// Every provider, by its id.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Parts>, SignIns);

#[derive(Debug)]
struct Parts {
    providers: BTreeMap<ProviderId, Arc<Provider>>,
    dialects: Dialects,
    windows: BTreeMap<ProviderId, WindowReader>,
    usage: BTreeMap<ProviderId, UsageEndpoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    title: String,
    about: String,
    base_url: Option<Url>,
    verdicts: OneOrMore<String>,
    windows: OneOrMore<Told>,
    credential: PaysWith,
    models: Option<String>,
    #[serde(default)]
    count_tokens: Counts,
    #[serde(default)]
    lacks: Lacking,
    paid: Option<Paid>,
    usage: Option<usage::Entry>,
}

/// What its upstream does not take.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lacking {
    images: bool,
    tools: bool,
    betas: Vec<Arc<str>>,
}

impl Lacking {
    fn read(self, id: &ProviderId) -> Result<Lacks, String> {
        let Self { images, tools, betas } = self;
        if betas.iter().any(|beta| beta.is_empty()) {
            return Err(format!("{id}: a beta feature without a name is every one"));
        }
        Ok(Lacks { images, tools, betas: betas.into() })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    fn all(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

/// `"client"`, or the headers that carry the account's key.
#[derive(Deserialize)]
#[serde(untagged)]
enum PaysWith {
    Login(Login),
    Key(BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Login {
    Client,
}

impl PaysWith {
    fn read(self, id: &ProviderId) -> Result<Credential, String> {
        let headers = match self {
            Self::Login(Login::Client) => return Ok(Credential::Client),
            Self::Key(headers) => headers,
        };
        let read = |(header, template): (String, String)| {
            let prefix =
                template.strip_suffix("{key}").ok_or(format!("{id}: {header} has no {{key}} at its end"))?;
            let name = header.parse().map_err(|_| format!("{id}: {header} is no header name"))?;
            Ok((name, prefix.to_owned()))
        };
        headers.into_iter().map(read).collect::<Result<_, String>>().map(Credential::Key)
    }
}

/// Who counts tokens.
#[derive(Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Counts {
    Forward,
    #[default]
    Estimate,
}

/// One entry of `models.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    id: String,
    title: String,
    context: Option<u64>,
}

fn known_models() -> Result<BTreeMap<String, Arc<[Model]>>, String> {
    let lists: BTreeMap<String, Vec<Known>> = toml::from_str(MODELS).map_err(|error| error.to_string())?;
    let read = |known: Known| {
        Model::told(&known.id, Some(&known.title), known.context)
            .ok_or(format!("{} can't be a model's id", known.id))
    };
    lists
        .into_iter()
        .map(|(name, list)| Ok((name, list.into_iter().map(read).collect::<Result<_, _>>()?)))
        .collect()
}

impl Catalog {
    /// The catalog that this program was built with.
    pub fn built_in() -> Self {
        Self::parse(TEXT).expect("the built-in catalog is read by a test")
    }

    fn parse(text: &str) -> Result<Self, String> {
        let entries: BTreeMap<String, Entry> = toml::from_str(text).map_err(|error| error.to_string())?;
        let lists = known_models()?;
        let mut verdicts = Dialects::built_in()?;
        let spoken = dialects()?;
        let (mut providers, mut windows, mut usage) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (key, entry) in entries {
            let id = ProviderId(key.into());
            let models = match &entry.models {
                Some(name) => {
                    lists.get(name).ok_or(format!("{id}: there is no list of models {name}"))?.clone()
                }
                None => [].into(),
            };
            let provider = Provider {
                id: id.clone(),
                title: entry.title,
                about: entry.about,
                base_url: entry.base_url,
                credential: entry.credential.read(&id)?,
                paid: entry.paid,
                says: [].into(),
                counts_tokens: entry.count_tokens == Counts::Forward,
                models,
                lacks: entry.lacks.read(&id)?,
                verdicts: verdicts.join(&entry.verdicts.all()).map_err(|why| format!("{id}: {why}"))?,
            };
            let read = patterns(entry.windows.all(), &spoken).map_err(|why| format!("{id}: {why}"))?;
            windows.insert(id.clone(), WindowReader::new(read));
            if let Some(entry) = entry.usage {
                if provider.passes_logins() {
                    return Err(format!("{id}: nobody's sign-in is used for a question that nobody asked"));
                }
                usage.insert(id.clone(), UsageEndpoint::of(entry).map_err(|why| format!("{id}: {why}"))?);
            }
            providers.insert(id, Arc::new(provider));
        }
        let sign_ins = SignIns::built_in()?;
        Ok(Self(Arc::new(Parts { providers, dialects: verdicts, windows, usage }), sign_ins))
    }

    /// The same, with every sign-in led to a stand-in at this origin.
    pub fn signing_in_at(&self, origin: &Url) -> Self {
        Self(Arc::clone(&self.0), self.1.led_to(origin))
    }

    /// The ways to sign in.
    pub fn sign_ins(&self) -> &SignIns {
        &self.1
    }

    /// The provider with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Provider>> {
        self.0.providers.get(&ProviderId(id.into())).cloned()
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.0.providers.values()
    }

    /// What a reply of this provider says of the account that asked.
    pub fn verdict(&self, provider: &Provider, reply: &Reply<'_>, now: Timestamp) -> Verdict {
        self.0.dialects.verdict(&provider.verdicts, reply, now)
    }

    /// The windows that the headers of this provider's reply name, where it answers such a request.
    pub fn windows(
        &self,
        provider: &Provider,
        headers: &HeaderMap,
        need: Need,
        now: Timestamp,
    ) -> Vec<Window> {
        self.0.windows.get(&provider.id).map_or_else(Vec::new, |reader| reader.read(headers, need, now))
    }

    /// Where this provider tells what an account has used, if it does.
    pub fn usage(&self, provider: &Provider) -> Option<&UsageEndpoint> {
        self.0.usage.get(&provider.id)
    }

    /// Their ids in one line, for an error that says what could have been typed.
    pub fn ids(&self) -> String {
        self.0.providers.keys().map(|id| id.0.as_ref()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalog_is_sound() {
        let catalog = Catalog::parse(TEXT).unwrap();
        for provider in catalog.iter() {
            match &provider.credential {
                Credential::Key(headers) => {
                    assert!(!headers.is_empty(), "{} says where its key goes", provider.id);
                }
                Credential::Client => {
                    assert!(provider.base_url.is_some(), "{} says who gets a sign-in", provider.id);
                }
            }
            assert!(provider.base_url.as_ref().is_none_or(|url| url.scheme() == "https"), "{}", provider.id);
        }
        assert!(!catalog.get("anthropic").unwrap().models.is_empty());
    }

    #[test]
    fn usage_is_asked_for_where_a_provider_documents_it_and_never_with_a_sign_in() {
        let catalog = Catalog::built_in();
        let asked: Vec<_> = catalog
            .iter()
            .filter_map(|one| Some(format!("{} {}", one.id, catalog.usage(one)?.path())))
            .collect();
        assert_eq!(asked, ["openrouter /v1/key"]);
        let entry = |credential: &str| {
            Catalog::parse(&format!(
                "[own]\ntitle = 'Own'\nabout = 'One.'\nbase_url = 'https://own.example'\nverdicts = 'anthropic'\n\
                 windows = 'anthropic'\ncredential = {credential}\n\
                 usage = {{ path = '/v1/usage', windows = [{{ name = '5h', share = 'used' }}] }}\n"
            ))
        };
        let own = entry("{ x-api-key = '{key}' }").unwrap();
        assert_eq!(own.usage(&own.get("own").unwrap()).unwrap().path(), "/v1/usage");
        assert!(entry("'client'").is_err());
    }

    #[test]
    fn what_an_upstream_does_not_take_is_said_in_its_entry_and_otherwise_it_may() {
        let entry = |lacks: &str| {
            let text = format!(
                "[own]\ntitle = 'Own'\nabout = 'One.'\nverdicts = 'anthropic'\nwindows = 'anthropic'\n\
                 credential = {{ x-api-key = '{{key}}' }}\n{lacks}"
            );
            Catalog::parse(&text).map(|catalog| catalog.get("own").unwrap().lacks.clone())
        };
        assert_eq!(entry("").unwrap(), Lacks::default());
        let lacks = entry("lacks = { images = true, betas = ['context-1m-'] }").unwrap();
        assert_eq!(lacks, Lacks { images: true, tools: false, betas: ["context-1m-".into()].into() });
        assert!(entry("lacks = { betas = [''] }").is_err(), "it would fit whatever a client uses");
        assert!(entry("lacks = { sounds = true }").is_err());
    }
}

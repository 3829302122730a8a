//! What a sign-in is begun with: the choices of a person, completed from what the account, the definition and the
//! packager know, and refused with a sentence where something is missing.

use std::sync::Arc;

use jiff::Timestamp;

use super::Whom;
use crate::{
    accounts::{EditError, Roster},
    domain::{Provider, SignIn},
    providers::{Definition, PackagedClient, SignIns, Way, issuer},
    secrets::Sensitive,
};

/// What a person asks for. Whatever is absent is as it was, or as the definition has it.
#[derive(Debug)]
pub struct Order {
    pub whom: Whom,
    /// A key of `sign_ins.toml`.
    pub with: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<Sensitive<String>>,
    pub issuer: Option<String>,
    pub tenant: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub way: Option<Way>,
    /// Whoever begins it goes on asking how it stands; once nobody does, it is called off.
    pub is_attended: bool,
}

/// Why a sign-in was not begun. Each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Failure(#[from] super::Failure),
    #[error("there is no way to sign in called \"{given}\"; choose one of: {known}")]
    NoSuchDefinition { given: String, known: String },
    #[error("say how to sign in: one of {0}")]
    Which(String),
    #[error("accounts of {provider} are not signed in to with {title}")]
    DoesNotFit { provider: String, title: String },
    #[error("{title} wants a registered client: {get}")]
    NeedsClient { title: String, get: String },
    #[error("{0} has no client; leave its id and its secret out")]
    NoClientWanted(String),
    #[error("that is no client id: it is empty, too long, or holds blanks or control characters")]
    BadClient,
    #[error("name the issuer that signs you in, like https://id.example.com")]
    NeedsIssuer,
    #[error("{0} is its own issuer; leave the issuer out")]
    NoIssuerWanted(String),
    #[error("{0} has no directories; leave the tenant out")]
    NoTenantWanted(String),
    #[error("scopes are at most 32 words of letters, digits and signs")]
    BadScopes,
    #[error("{title} can't be signed in to that way; choose one of: {ways}")]
    NoSuchWay { title: String, ways: String },
    #[error(
        "{most} sign-ins are open; finish one or call one off, or wait: the first of them ends within {minutes} min"
    )]
    TooMany { most: usize, minutes: i64 },
    #[error("no port of this machine could be listened on: {0}")]
    NoPort(std::io::Error),
    #[error("this system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl NotBegun {
    /// Nothing is called that among these.
    pub fn no_such(given: &str, all: &SignIns) -> Self {
        let given = given.chars().filter(|c| !c.is_control()).take(40).collect();
        Self::NoSuchDefinition { given, known: all.ids() }
    }
}

/// An order, completed.
#[derive(Debug)]
pub struct Agreed {
    pub whom: Whom,
    pub definition: Arc<Definition>,
    pub terms: SignIn,
    pub client_secret: Option<Sensitive<String>>,
    pub way: Way,
}

/// Completes an order.
///
/// # Errors
/// [`NotBegun`].
pub fn agree(roster: &Roster, order: Order, now: Timestamp) -> Result<Agreed, NotBegun> {
    let (provider, before, has_address) = match &order.whom {
        Whom::New { name, provider, base_url, plain_http, priority } => {
            let (account, provider) =
                roster.vet(name, provider, base_url.as_deref(), *plain_http, *priority)?;
            (provider, None, account.base_url.is_some())
        }
        Whom::Again(id) => {
            let known = roster.snapshot().get(*id).cloned().ok_or(EditError::NotFound)?;
            let account = &known.account;
            (Arc::clone(&known.provider), account.sign_in.clone(), account.base_url.is_some())
        }
    };
    let definition = definition(roster, order.with.as_deref(), &provider, before.as_deref())?;
    if !has_address && !definition.serves_by_itself(&provider) {
        let (provider, title) = (provider.title.clone(), definition.title.clone());
        return Err(EditError::ForeignToken { provider, title }.into());
    }
    // Terms of another definition say nothing of this one.
    let before = before.filter(|before| before.with == definition.id);
    let title = || definition.title.clone();
    let given =
        |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());

    let last = match (&order.whom, before.as_ref().and_then(|before| before.client_id.clone())) {
        (Whom::Again(account), Some(id)) => {
            let secret = roster.tokens(*account).and_then(|tokens| tokens.client_secret.clone());
            Client { id: Some(id), secret }
        }
        _ => Client::default(),
    };
    let said = (order.client_id.as_deref(), order.client_secret.as_ref());
    let Client { id: client_id, secret: client_secret } =
        client(&definition, said, last, definition.packaged_client())?;
    let issuer = match given(order.issuer) {
        Some(_) if !definition.wants_issuer() => return Err(NotBegun::NoIssuerWanted(title())),
        Some(text) => Some(issuer(&text).map_err(EditError::from)?),
        None => before.as_ref().and_then(|before| before.issuer.clone()),
    };
    if definition.wants_issuer() && issuer.is_none() {
        return Err(NotBegun::NeedsIssuer);
    }
    let tenant = match given(order.tenant) {
        Some(_) if definition.tenant.is_none() => return Err(NotBegun::NoTenantWanted(title())),
        Some(tenant) => Some(tenant.into()),
        None => before.as_ref().and_then(|before| before.tenant.clone()),
    };
    let scopes = match (order.scopes, &before) {
        (Some(scopes), _) => checked_scopes(scopes)?,
        (None, Some(before)) => before.scopes.clone(),
        (None, None) => definition.scopes.clone(),
    };
    let way = order.way.unwrap_or(definition.ways[0]);
    if !definition.ways.contains(&way) {
        let ways = definition.ways.iter().map(|way| way.word()).collect::<Vec<_>>().join(", ");
        return Err(NotBegun::NoSuchWay { title: title(), ways });
    }
    let terms = SignIn { with: Arc::clone(&definition.id), client_id, issuer, tenant, scopes, at: now };
    Ok(Agreed { whom: order.whom, definition, terms, client_secret, way })
}

fn definition(
    roster: &Roster,
    with: Option<&str>,
    provider: &Provider,
    before: Option<&SignIn>,
) -> Result<Arc<Definition>, NotBegun> {
    let all = roster.catalog().sign_ins();
    let fitting = || all.iter().filter(|known| known.fits(provider));
    let Some(given) = with.or(before.map(|before| &*before.with)) else {
        let named = fitting().find(|known| known.providers.first() == Some(&provider.id));
        return named.cloned().ok_or_else(|| {
            NotBegun::Which(fitting().map(|known| &*known.id).collect::<Vec<_>>().join(", "))
        });
    };
    let found = all.get(given).ok_or_else(|| NotBegun::no_such(given, all))?;
    if found.fits(provider) {
        return Ok(found);
    }
    Err(NotBegun::DoesNotFit { provider: provider.title.clone(), title: found.title.clone() })
}

/// Who asks; nobody where there is no client.
#[derive(Debug, Default)]
struct Client {
    id: Option<Arc<str>>,
    secret: Option<Sensitive<String>>,
}

/// The client: a person's, or that of the last time, or the packager's. A secret goes with the id that it was given
/// with, and with no other.
fn client(
    definition: &Definition,
    (id, secret): (Option<&str>, Option<&Sensitive<String>>),
    last: Client,
    packaged: Option<PackagedClient>,
) -> Result<Client, NotBegun> {
    let Some(get) = &definition.client else {
        return if id.is_some() || secret.is_some() {
            Err(NotBegun::NoClientWanted(definition.title.clone()))
        } else {
            Ok(Client::default())
        };
    };
    let given = id.map(str::trim).filter(|id| !id.is_empty()).map(Arc::from);
    let id: Arc<str> = given
        .or_else(|| last.id.clone())
        .or_else(|| packaged.map(|packaged| packaged.id.into()))
        .ok_or_else(|| NotBegun::NeedsClient { title: definition.title.clone(), get: get.clone() })?;
    let is_sound = |text: &str| text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_graphic());
    let secret = secret.map(|secret| secret.expose().trim().to_owned()).filter(|secret| !secret.is_empty());
    if !is_sound(&id) || secret.as_deref().is_some_and(|secret| !is_sound(secret)) {
        return Err(NotBegun::BadClient);
    }
    let of_last_time = last.secret.filter(|_| last.id.as_ref() == Some(&id));
    let of_the_packager = || {
        let secret = packaged.filter(|packaged| packaged.id == &*id)?.secret?;
        Some(Sensitive::new(secret.to_owned()))
    };
    let secret = secret.map(Sensitive::new).or(of_last_time).or_else(of_the_packager);
    Ok(Client { id: Some(id), secret })
}

/// RFC 6749, section 3.3.
fn checked_scopes(scopes: Vec<String>) -> Result<Vec<Arc<str>>, NotBegun> {
    let is_sound = |scope: &String| {
        let is_sign = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        !scope.is_empty() && scope.len() <= 256 && scope.bytes().all(is_sign)
    };
    if scopes.len() > 32 || !scopes.iter().all(is_sound) {
        return Err(NotBegun::BadScopes);
    }
    Ok(scopes.into_iter().map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose id and whose secret it is, for what a person says, what was last, and what the packager built in.
    fn chosen(
        said: (Option<&str>, Option<&str>),
        last: (Option<&str>, Option<&str>),
        packaged: Option<(&'static str, Option<&'static str>)>,
    ) -> Result<(String, Option<String>), NotBegun> {
        let google = SignIns::built_in().unwrap().get("google").unwrap();
        let hidden = |secret: Option<&str>| secret.map(|secret| Sensitive::new(secret.to_owned()));
        let secret = hidden(said.1);
        let last = Client { id: last.0.map(Into::into), secret: hidden(last.1) };
        let packaged = packaged.map(|(id, secret)| PackagedClient { id, secret });
        let client = client(&google, (said.0, secret.as_ref()), last, packaged)?;
        let secret = client.secret.map(|secret| secret.expose().clone());
        Ok((client.id.unwrap().to_string(), secret))
    }

    #[test]
    fn the_client_is_a_persons_or_the_last_ones_or_the_packagers_and_a_secret_stays_with_its_id() {
        let (own, last) = ((Some("own"), Some("own's")), (Some("last"), Some("last's")));
        let packaged = Some(("packager", Some("packager's")));
        let nothing = (None, None);
        for (said, before, packaged, id, secret, why) in [
            (own, last, packaged, "own", Some("own's"), "what a person says comes first"),
            (nothing, last, packaged, "last", Some("last's"), "then what it was signed in with"),
            (nothing, nothing, packaged, "packager", Some("packager's"), "then the packager's"),
            ((Some("own"), None), last, packaged, "own", None, "nobody else's secret is shown with it"),
            ((Some("last"), None), last, packaged, "last", Some("last's"), "it is the last one, said again"),
            (
                (Some("packager"), None),
                last,
                packaged,
                "packager",
                Some("packager's"),
                "it is the packager's",
            ),
            (nothing, (Some("last"), None), packaged, "last", None, "it had none"),
            (
                nothing,
                (Some("packager"), None),
                packaged,
                "packager",
                Some("packager's"),
                "it has one by now",
            ),
            (nothing, (Some("packager"), Some("old")), packaged, "packager", Some("old"), "kept as it was"),
            ((None, Some("new")), last, packaged, "last", Some("new"), "of the client that there is"),
            ((Some(" "), Some(" ")), last, packaged, "last", Some("last's"), "blanks say nothing"),
            (nothing, nothing, Some(("packager", None)), "packager", None, "a public client"),
        ] {
            let chosen = chosen(said, before, packaged).unwrap();
            assert_eq!(chosen, (id.to_owned(), secret.map(str::to_owned)), "{why}");
        }
        let none = chosen((None, Some("secret")), nothing, None).unwrap_err();
        assert!(none.to_string().contains("console.cloud.google.com"), "{none}");
        assert!(matches!(chosen((Some("two words"), None), nothing, packaged), Err(NotBegun::BadClient)));
    }

    #[test]
    fn where_there_is_no_client_none_is_packaged_or_said() {
        let router = SignIns::built_in().unwrap().get("openrouter").unwrap();
        let packaged = Some(PackagedClient { id: "packager", secret: None });
        let none = client(&router, (None, None), Client::default(), packaged).unwrap();
        assert!(none.id.is_none() && none.secret.is_none());
        let refused = client(&router, (Some("own"), None), Client::default(), None).unwrap_err();
        assert!(matches!(refused, NotBegun::NoClientWanted(_)));
    }
}

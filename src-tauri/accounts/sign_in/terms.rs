//! What a sign-in is begun with: the choices of a person, completed from what the account, the definition and the
//! packager know, and refused with a sentence where something is missing.

use std::sync::Arc;

use jiff::Timestamp;

use super::Whom;
use crate::{
    accounts::{EditError, Roster},
    domain::{Provider, SignIn},
    providers::{Definition, SignIns, Way, issuer},
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

    let Client { id: client_id, secret: client_secret } =
        client(roster, &definition, &order, before.as_deref())?;
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
#[derive(Default)]
struct Client {
    id: Option<Arc<str>>,
    secret: Option<Sensitive<String>>,
}

/// The client: a person's, or that of the last time, or the packager's. A secret goes with the id that it was given
/// with, and with no other.
fn client(
    roster: &Roster,
    definition: &Definition,
    order: &Order,
    before: Option<&SignIn>,
) -> Result<Client, NotBegun> {
    let Some(get) = &definition.client else {
        let is_given = order.client_id.is_some() || order.client_secret.is_some();
        return if is_given {
            Err(NotBegun::NoClientWanted(definition.title.clone()))
        } else {
            Ok(Client::default())
        };
    };
    let given = order.client_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let known = before.and_then(|before| before.client_id.clone());
    let packaged = definition.packaged_client();
    let id: Arc<str> = given
        .map(Into::into)
        .or_else(|| known.clone())
        .or_else(|| packaged.map(|(id, _)| id.into()))
        .ok_or_else(|| NotBegun::NeedsClient { title: definition.title.clone(), get: get.clone() })?;
    let is_sound = |text: &str| text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_graphic());
    let mut secret = order.client_secret.as_ref().map(|secret| secret.expose().trim().to_owned());
    secret = secret.filter(|secret| !secret.is_empty());
    if !is_sound(&id) || secret.as_deref().is_some_and(|secret| !is_sound(secret)) {
        return Err(NotBegun::BadClient);
    }
    let of_last_time = || match (&order.whom, known == Some(Arc::clone(&id))) {
        (Whom::Again(account), true) => roster.tokens(*account)?.client_secret.clone(),
        _ => None,
    };
    let of_the_packager = || {
        let (packaged, secret) = packaged?;
        secret.filter(|_| packaged == &*id).map(|secret| Sensitive::new(secret.to_owned()))
    };
    let secret = secret.map(Sensitive::new).or_else(of_last_time).or_else(of_the_packager);
    Ok(Client { id: Some(Arc::clone(&id)), secret })
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

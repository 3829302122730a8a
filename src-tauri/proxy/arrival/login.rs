//! The sign-in that a client brings of its own: what counts as one, and that it goes on for this one request,
//! under the header that it came in. It is kept nowhere; `accounts` knows it by a salted digest alone.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};

use super::{
    keyholder::{API_KEY, bearer, is_key},
    request::Arrival,
};
use crate::{
    accounts::{LoginId, key_of},
    domain::{Credential, ProfileId, Verdict},
    proxy::Gateway,
    routing::{Contender, Lesson},
    secrets::Sensitive,
};

/// What `headgate env` puts into `ANTHROPIC_AUTH_TOKEN`, so that Claude Code asks for no sign-in. It is none.
pub const PLACEHOLDER: &str = "headgate";
/// Ours: the profile of Claude Code that asks, by its id. It stays on this machine.
pub const PROFILE: &str = "x-headgate-profile";
/// Longer ones are nobody's, and would not fit into a head.
const LONGEST: usize = 16 * 1024;
/// How Anthropic's tokens for Claude Code's sign-in begin.
const SIGNED_IN: &str = "sk-ant-oat";

/// A client's own sign-in. Dropped with the request.
#[derive(Debug, Clone)]
pub struct Brought {
    /// What it is known by here.
    pub id: LoginId,
    credential: Arc<Sensitive<String>>,
    /// The header that it came in, and what stood before it there.
    place: [(HeaderName, String); 1],
    /// The profile of Claude Code that it belongs to, where the request says so.
    profile: Option<ProfileId>,
}

/// What a request goes upstream under.
pub struct Bearer<'a> {
    /// The account's key, or the client's sign-in.
    pub credential: Arc<Sensitive<String>>,
    /// The headers that carry it, each with what stands before it.
    pub places: &'a [(HeaderName, String)],
}

/// Finds the sign-in of a request, if there is an account to pass it through.
pub fn bring(gateway: &Gateway, arrival: &mut Arrival) {
    let Some(Found { name, before, credential }) = find(&arrival.headers) else { return };
    if !gateway.roster.passes_logins() {
        if credential.starts_with(SIGNED_IN) && gateway.roster.ignores_login() {
            tracing::warn!(
                "a request came with Claude Code's own sign-in, which is not used: the accounts that you added pay for it; \
                 to use it, add an account with `headgate accounts add NAME --provider claude-login`"
            );
        }
        return;
    }
    arrival.ask.login = true;
    arrival.login = Some(Brought {
        id: gateway.roster.login_id(credential.as_bytes()),
        credential: Arc::new(Sensitive::new(credential.to_owned())),
        place: [(name.clone(), before.to_owned())],
        profile: profile(&arrival.headers),
    });
}

/// What `headgate run` has Claude Code say. Anybody on this machine may say it, and is believed: it changes what is
/// shown, and nothing else.
fn profile(headers: &HeaderMap) -> Option<ProfileId> {
    headers.get(PROFILE)?.to_str().ok()?.parse().ok().map(ProfileId)
}

/// Whether a request brings a sign-in.
pub fn is_brought(headers: &HeaderMap) -> bool {
    find(headers).is_some()
}

/// A credential where it stands.
struct Found<'a> {
    name: &'static HeaderName,
    before: &'a str,
    credential: &'a str,
}

/// The one credential that is neither a key of ours nor the placeholder: the bearer, or else `x-api-key`.
/// None where a header brings several, for which one is meant can't be known.
fn find(headers: &HeaderMap) -> Option<Found<'_>> {
    let only = |name: &'static HeaderName| {
        let mut values = headers.get_all(name).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let text = value.to_str().ok()?;
        let credential = if *name == header::AUTHORIZATION {
            str::from_utf8(bearer(text.as_bytes())?).ok()?
        } else {
            text
        };
        let credential = credential.trim();
        let is_one = !credential.is_empty()
            && credential.len() <= LONGEST
            && credential != PLACEHOLDER
            && !is_key(text.as_bytes())
            && credential.bytes().all(|byte| byte.is_ascii_graphic());
        let before = text.trim_end().strip_suffix(credential)?;
        is_one.then_some(Found { name, before, credential })
    };
    only(&header::AUTHORIZATION).or_else(|| only(&API_KEY))
}

impl<'a> Bearer<'a> {
    /// What this account is asked under for this request; `None` if there is nothing.
    pub fn of(arrival: &'a Arrival, account: &'a Contender) -> Option<Self> {
        match &account.provider.credential {
            Credential::Key(places) => Some(Self { credential: Arc::clone(key_of(account)?), places }),
            Credential::Client => {
                let login = arrival.login.as_ref()?;
                Some(Self { credential: Arc::clone(&login.credential), places: &login.place })
            }
        }
    }
}

/// Takes in what an attempt taught: of the account, or of the client's sign-in that was passed on.
pub fn learn(gateway: &Gateway, arrival: &Arrival, account: &Contender, lesson: &Lesson<'_>) {
    let id = account.account.id;
    match &arrival.login {
        Some(login) if account.provider.passes_logins() => {
            gateway.roster.learn_of_login(id, login.id, lesson);
            if let Some(profile) = login.profile
                && let Some((windows, bench)) = gateway.roster.of_login(id, login.id)
            {
                gateway.profiles.learn(profile, windows, bench);
            }
        }
        _ => gateway.roster.learn(id, lesson),
    }
}

/// Whether an answer is about the sign-in that the client brought, which the client alone can renew.
pub fn is_the_clients_to_mend(account: &Contender, verdict: &Verdict) -> bool {
    let is_about_it = matches!(
        verdict,
        Verdict::CredentialRefused | Verdict::Forbidden | Verdict::OrganisationDisabled { .. }
    );
    account.provider.passes_logins() && is_about_it
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&'static str, &'static str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        find(&headers).map(|Found { name, before, credential }| format!("{name}: {before}|{credential}"))
    }

    #[test]
    fn a_sign_in_is_what_is_neither_a_key_of_ours_nor_the_placeholder() {
        let bearer = |value| found(&[("authorization", value)]);
        assert_eq!(bearer("Bearer sk-ant-oat-1").unwrap(), "authorization: Bearer |sk-ant-oat-1");
        assert_eq!(bearer("bEARER  sk-1 ").unwrap(), "authorization: bEARER  |sk-1", "as it was written");
        for none in ["Bearer hg_a", "Bearer headgate", "Bearer ", "Basic dXNlcg==", "headgate", "Bearer a b"]
        {
            assert_eq!(bearer(none), None, "{none}");
        }
        assert_eq!(found(&[("x-api-key", "sk-1")]).unwrap(), "x-api-key: |sk-1");
        assert_eq!(found(&[("x-api-key", "hg_a")]), None);
        assert_eq!(
            found(&[("x-api-key", "hg_a"), ("authorization", "Bearer sk-1")]).unwrap(),
            "authorization: Bearer |sk-1",
            "the key in one header, the sign-in in the other"
        );
        assert_eq!(
            found(&[("x-api-key", "sk-1"), ("authorization", "Bearer headgate")]).unwrap(),
            "x-api-key: |sk-1"
        );
        assert_eq!(found(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]), None);
    }
}

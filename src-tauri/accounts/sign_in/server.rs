//! Asking an authorisation server, one request at a time, through the `oauth2` crate and a carrier. Keeps nothing,
//! waits for nothing, and puts no secret into an error.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use jiff::Timestamp;
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    DeviceAuthorizationUrl, EmptyExtraDeviceAuthorizationFields, ErrorResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope,
    StandardDeviceAuthorizationResponse, StandardRevocableToken, TokenResponse, TokenUrl,
    basic::{BasicClient, BasicTokenResponse, BasicTokenType},
};
use serde::Deserialize;
use url::Url;

use super::{
    super::tokens::Tokens,
    carrier::{Carrier, NotCarried},
    failure::{Failure, code},
    http::{Http, Trouble, dressed},
};
use crate::{
    domain::SignIn,
    providers::{Definition, Places, SecretIn, Yields, documents, read_discovery},
    secrets::Sensitive,
};

/// A code lives for a quarter of an hour at most, whatever the server says.
const LONGEST_CODE: Duration = Duration::from_mins(15);

/// One authorisation server under the terms of one sign-in.
#[derive(Debug, Clone)]
pub struct Server {
    carrier: Arc<dyn Carrier>,
    definition: Arc<Definition>,
    terms: Arc<SignIn>,
    places: Places,
    client_secret: Option<Sensitive<String>>,
}

/// What a code is exchanged with.
pub struct Proof<'a> {
    /// What came back.
    pub code: &'a Sensitive<String>,
    /// What we alone know.
    pub verifier: &'a Sensitive<String>,
    /// Where it came back to.
    pub redirect: &'a Url,
    /// What it came back with.
    pub state: &'a Sensitive<String>,
}

/// A code that a person types at the provider.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    /// What we ask with.
    pub(super) code: Sensitive<String>,
    /// What the person types.
    pub user_code: String,
    /// Where.
    pub at: Url,
    /// Where, with the code filled in.
    pub at_once: Option<Url>,
    /// For how long.
    pub lives: Duration,
    /// How long to wait before each question.
    pub interval: Duration,
}

/// What asking for a person's answer brought.
#[derive(Debug)]
pub enum Polled {
    Tokens(Tokens),
    /// Not yet.
    Pending,
    /// Not yet, and we ask too often.
    SlowDown,
}

#[cfg(test)]
impl DeviceCode {
    pub(super) fn of_test(at: Url, interval: Duration, lives: Duration) -> Self {
        let code = Sensitive::new("device-code".to_owned());
        Self { code, user_code: "ABCD".into(), at, at_once: None, lives, interval }
    }
}

impl Server {
    /// Finds the places of a sign-in, for which an issuer may have to be asked.
    ///
    /// # Errors
    /// If the terms lack something, or the issuer has no document that can be used.
    pub async fn find(
        carrier: Arc<dyn Carrier>,
        definition: Arc<Definition>,
        terms: Arc<SignIn>,
        client_secret: Option<Sensitive<String>>,
    ) -> Result<Self, Failure> {
        let places = match definition.places(terms.tenant.as_deref())? {
            Some(places) => places,
            None => discover(&*carrier, terms.issuer.as_ref()).await?,
        };
        Ok(Self { carrier, definition, terms, places, client_secret })
    }

    /// What signing in there brings.
    pub fn yields(&self) -> Yields {
        self.definition.yields
    }

    /// Where it asks.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Where a person is sent, to come back to `redirect`.
    ///
    /// # Errors
    /// If the provider has no such place, or the terms lack something.
    pub fn authorise(
        &self,
        redirect: &Url,
        state: &Sensitive<String>,
        verifier: &Sensitive<String>,
    ) -> Result<Url, Failure> {
        let Some(place) = &self.places.authorise else {
            return Err(Failure::Terms(format!("{} has no sign-in by a browser", self.definition.title)));
        };
        let challenge = PkceCodeVerifier::new(verifier.expose().clone());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&challenge);
        if self.definition.names_only_the_way_back() {
            let mut back = redirect.clone();
            back.query_pairs_mut().append_pair("state", state.expose());
            let mut url = place.clone();
            url.query_pairs_mut()
                .append_pair("callback_url", back.as_str())
                .append_pair("code_challenge", challenge.as_str())
                .append_pair("code_challenge_method", "S256");
            return Ok(url);
        }
        let client = self.client()?.set_auth_uri(AuthUrl::from_url(place.clone()));
        let state = CsrfToken::new(state.expose().clone());
        let mut request = client
            .authorize_url(|| state)
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect.clone())))
            .add_scopes(self.terms.scopes.iter().map(|scope| Scope::new(scope.to_string())))
            .set_pkce_challenge(challenge);
        for (name, value) in &self.definition.asks {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        Ok(request.url().0)
    }

    /// Exchanges a code for tokens.
    ///
    /// # Errors
    /// [`Failure`]; the code is used up in any case.
    pub async fn exchange(&self, proof: Proof<'_>, now: Timestamp) -> Result<Tokens, Failure> {
        let client = self.client()?.set_token_uri(TokenUrl::from_url(self.places.token.clone()));
        let mut request = client
            .exchange_code(AuthorizationCode::new(proof.code.expose().clone()))
            .set_pkce_verifier(PkceCodeVerifier::new(proof.verifier.expose().clone()))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(proof.redirect.clone())));
        if self.definition.repeats_state() {
            request = request.add_extra_param("state", proof.state.expose().clone());
        }
        let told = request.request_async(&self.http(&self.places.token)).await;
        self.tokens(&told.map_err(|error| self.failure(error))?, None, now)
    }

    /// Exchanges a code for a plain key, at a provider that gives keys.
    ///
    /// # Errors
    /// As [`Server::exchange`].
    pub async fn exchange_for_key(&self, proof: Proof<'_>) -> Result<Sensitive<String>, Failure> {
        #[derive(Deserialize)]
        struct Told {
            key: Sensitive<String>,
        }
        let asked = serde_json::json!({
            "code": proof.code.expose(),
            "code_verifier": proof.verifier.expose(),
            "code_challenge_method": "S256",
        });
        let request = Request::post(self.places.token.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(asked.to_string()))
            .map_err(|_| self.odd())?;
        let answer = self.carrier.carry(dressed(request)).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(&answer));
        }
        let told: Told = serde_json::from_slice(answer.body()).map_err(|_| self.odd())?;
        Ok(told.key)
    }

    /// Exchanges a refresh token for the next tokens, once. Where no new refresh token comes, the old one stays.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::is_final`] tells whether the refresh token is of no use any more.
    pub async fn refresh(&self, tokens: &Tokens, now: Timestamp) -> Result<Tokens, Failure> {
        let Some(refresh) = &tokens.refresh else {
            return Err(Failure::Terms("there is nothing to renew this sign-in with; sign in again".into()));
        };
        let token = RefreshToken::new(refresh.expose().clone());
        let client = self.client()?.set_token_uri(TokenUrl::from_url(self.places.token.clone()));
        let told = client.exchange_refresh_token(&token).request_async(&self.http(&self.places.token)).await;
        self.tokens(&told.map_err(|error| self.failure(error))?, Some(refresh), now)
    }

    /// Gives tokens back, the one that brings others first. True if the provider takes tokens back.
    ///
    /// # Errors
    /// [`Failure`]; the tokens may still be good then.
    pub async fn revoke(&self, tokens: &Tokens) -> Result<bool, Failure> {
        let Some(revoke) = &self.places.revoke else { return Ok(false) };
        let token = match &tokens.refresh {
            Some(refresh) => {
                StandardRevocableToken::RefreshToken(RefreshToken::new(refresh.expose().clone()))
            }
            None => StandardRevocableToken::AccessToken(AccessToken::new(tokens.access.expose().clone())),
        };
        // The crate wants https here alone, and only by its name: the request goes to `revoke`, as it was checked.
        let mut named = revoke.clone();
        let _ = named.set_scheme("https");
        let client = self.client()?.set_revocation_url(RevocationUrl::from_url(named));
        let asked = client.revoke_token(token).map_err(|_| self.odd())?;
        asked.request_async(&self.http(revoke)).await.map_err(|error| self.failure(error))?;
        Ok(true)
    }

    /// Asks for a code that a person types.
    ///
    /// # Errors
    /// [`Failure`], also where the provider has no such flow.
    pub async fn device(&self) -> Result<DeviceCode, Failure> {
        let Some(device) = &self.places.device else {
            return Err(Failure::Terms(format!("{} has no sign-in by a code", self.definition.title)));
        };
        let client =
            self.client()?.set_device_authorization_url(DeviceAuthorizationUrl::from_url(device.clone()));
        let scopes = self.terms.scopes.iter().map(|scope| Scope::new(scope.to_string()));
        let told: StandardDeviceAuthorizationResponse = client
            .exchange_device_code()
            .add_scopes(scopes)
            .request_async::<_, EmptyExtraDeviceAuthorizationFields>(&self.http(device))
            .await
            .map_err(|error| self.failure(error))?;
        let shown = told.user_code().secret();
        let at = Url::parse(told.verification_uri()).map_err(|_| self.odd())?;
        let is_shown = |text: &str| text.len() <= 64 && text.chars().all(|c| !c.is_control());
        if shown.is_empty() || !is_shown(shown) || !is_page(&at) {
            return Err(self.odd());
        }
        let at_once = told.verification_uri_complete().and_then(|url| Url::parse(url.secret()).ok());
        Ok(DeviceCode {
            code: Sensitive::new(told.device_code().secret().clone()),
            user_code: shown.clone(),
            at,
            at_once: at_once.filter(is_page),
            lives: told.expires_in().min(LONGEST_CODE),
            interval: told.interval().min(LONGEST_CODE),
        })
    }

    /// Asks once whether the person has answered.
    ///
    /// # Errors
    /// [`Failure`] with `access_denied` or `expired_token` where it is over, or [`Failure::Unreached`] where it is
    /// worth asking again.
    pub async fn poll(&self, device: &DeviceCode, now: Timestamp) -> Result<Polled, Failure> {
        let client = self.client()?.set_token_uri(TokenUrl::from_url(self.places.token.clone()));
        // The crate asks with a device's code only in a loop of its own, which asks the system for the time.
        let http = Http { device: Some(device), ..self.http(&self.places.token) };
        let asked = client.exchange_client_credentials().request_async(&http).await;
        match asked.map_err(|error| self.failure(error)) {
            Ok(told) => self.tokens(&told, None, now).map(Polled::Tokens),
            Err(failure) => match failure.code() {
                Some("authorization_pending") => Ok(Polled::Pending),
                Some("slow_down") => Ok(Polled::SlowDown),
                _ => Err(failure),
            },
        }
    }

    fn client(&self) -> Result<BasicClient, Failure> {
        let id = self.terms.client_id.as_deref().ok_or_else(|| {
            Failure::Terms(self.definition.client.clone().unwrap_or_else(|| "there is no client".into()))
        })?;
        let mut client =
            BasicClient::new(ClientId::new(id.to_owned())).set_auth_type(match self.places.secret {
                SecretIn::Basic if self.client_secret.is_some() => AuthType::BasicAuth,
                _ => AuthType::RequestBody,
            });
        if let Some(secret) = &self.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().clone()));
        }
        Ok(client)
    }

    fn http<'a>(&'a self, place: &'a Url) -> Http<'a> {
        Http { carrier: &*self.carrier, writing: self.definition.request, place, device: None }
    }

    fn tokens(
        &self,
        told: &BasicTokenResponse,
        before: Option<&Sensitive<String>>,
        now: Timestamp,
    ) -> Result<Tokens, Failure> {
        if matches!(told.token_type(), BasicTokenType::Mac) {
            return Err(self.odd());
        }
        let refresh = told.refresh_token().map(|token| Sensitive::new(token.secret().clone()));
        let tokens = Tokens {
            access: Arc::new(Sensitive::new(told.access_token().secret().clone())),
            refresh: refresh.or_else(|| before.cloned()),
            // Longer than a timestamp can say is as good as never.
            expires_at: told.expires_in().and_then(|lives| now.checked_add(lives).ok()),
            obtained_at: now,
            client_secret: self.client_secret.clone(),
        };
        if tokens.are_sound() { Ok(tokens) } else { Err(self.odd()) }
    }

    pub(super) fn host(&self) -> String {
        self.places.token.host_str().unwrap_or_default().to_owned()
    }

    fn odd(&self) -> Failure {
        Failure::Odd { host: self.host() }
    }

    /// An answer that is no success, of a provider that has no errors of OAuth's shape.
    fn refusal(&self, answer: &Response<Bytes>) -> Failure {
        let host = self.host();
        match answer.status() {
            // openrouter.ai/docs, "OAuth PKCE", error codes: the code or its verifier is not good.
            StatusCode::FORBIDDEN => Failure::Refused { host, code: "invalid_grant".into() },
            StatusCode::BAD_REQUEST => Failure::Refused { host, code: "invalid_request".into() },
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Failure::Unreached(format!("{host} is in trouble (status {})", status.as_u16()))
            }
            _ => Failure::Odd { host },
        }
    }

    fn failure<T: ErrorResponse + Coded>(&self, error: RequestTokenError<Trouble, T>) -> Failure {
        let host = self.host();
        match error {
            RequestTokenError::ServerResponse(told) => Failure::Refused { host, code: code(&told.code()) },
            RequestTokenError::Request(Trouble::NotCarried(why)) => why.into(),
            RequestTokenError::Request(Trouble::Status(status)) => {
                Failure::Unreached(format!("{host} is in trouble (status {status})"))
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Failure::Odd { host },
        }
    }
}

/// The code of an error, as it was written.
trait Coded {
    fn code(&self) -> String;
}

impl<T: oauth2::ErrorResponseType + AsRef<str>> Coded for oauth2::StandardErrorResponse<T> {
    fn code(&self) -> String {
        self.error().as_ref().to_owned()
    }
}

/// A page that a person is sent to: https, or this machine.
pub(super) fn is_page(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && crate::providers::is_this_machine(url))
}

async fn discover(carrier: &dyn Carrier, issuer: Option<&Url>) -> Result<Places, Failure> {
    let issuer = issuer.ok_or_else(|| Failure::Terms("name the issuer that signs you in".into()))?;
    let host = issuer.host_str().unwrap_or_default().to_owned();
    let mut last = Failure::Odd { host: host.clone() };
    for url in documents(issuer) {
        let request = Request::get(url.as_str()).body(Bytes::new());
        let answer = carrier.carry(dressed(request.map_err(|_| NotCarried::Nowhere)?)).await?;
        if answer.status() == StatusCode::OK {
            return read_discovery(issuer, answer.body())
                .map_err(|why| Failure::Discovery { host: host.clone(), why });
        }
        if answer.status().is_server_error() {
            last = Failure::Unreached(format!("{host} is in trouble (status {})", answer.status().as_u16()));
        }
    }
    Err(last)
}

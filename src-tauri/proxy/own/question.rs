//! A question of our own to an account's upstream: in the background, under the account's key and our own name,
//! within bounds of time and bytes. Whatever is answered changes nothing of how the account stands.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Limited};

use crate::{
    domain::Credential,
    providers::retry_after,
    proxy::{Gateway, attempts::attempt::write, headers::UpstreamHeaders, upstream::Upstreams},
    routing::Contender,
    secrets::Sensitive,
    tasks::Tasks,
};

const MOST_BYTES: usize = 1 << 20;
/// What Headgate calls itself.
pub const OURS: &str = concat!("headgate/", env!("CARGO_PKG_VERSION"));
/// The version of Anthropic's API whose shapes we write and read (its reference, "Versioning").
pub const VERSION: &str = "2023-06-01";

/// Why there is no answer that is worth reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// A sentence without a secret.
    pub why: Arc<str>,
    /// How long the upstream wants to be left alone, if it said so.
    pub retry_after: Option<Duration>,
    /// What it answered with, where that was no success.
    pub status: Option<StatusCode>,
}

impl NoAnswer {
    pub fn of(why: impl Into<Arc<str>>) -> Self {
        Self { why: why.into(), retry_after: None, status: None }
    }
}

impl Gateway {
    /// Connections for what Headgate asks itself, which end with that.
    pub(super) fn upstreams_aside(&self, tasks: &Tasks) -> Upstreams {
        Upstreams::new(self.outward.clone(), &self.limits, self.clock.clone(), tasks.clone())
    }
}

/// Asks for what is at this path, and reads it whole.
///
/// # Errors
/// [`NoAnswer`] where it could not be asked, nobody answered, or the answer is none of success.
pub async fn ask(
    gateway: &Gateway,
    upstreams: &Upstreams,
    contender: &Contender,
    key: &Sensitive<String>,
    target: &PathAndQuery,
    says: &[(HeaderName, HeaderValue)],
) -> Result<Bytes, NoAnswer> {
    let unasked = || NoAnswer::of("its address or its key can't be put into a request");
    let Credential::Key(places) = &contender.provider.credential else { return Err(unasked()) };
    let nothing = HeaderMap::new();
    let mut headers = UpstreamHeaders::of(&nothing, places, key).ok_or_else(unasked)?;
    headers.set(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.set(header::USER_AGENT, HeaderValue::from_static(OURS));
    for (name, value) in says {
        headers.set(name.clone(), value.clone());
    }
    let written = write(upstreams, contender, &Method::GET, target, headers, Bytes::new());
    let (request, target) = written.ok_or_else(unasked)?;
    let answer = upstreams.send(&target, &request).await.map_err(|why| NoAnswer::of(why.to_string()))?;
    let status = answer.status();
    if !status.is_success() {
        let retry_after = retry_after(answer.headers(), gateway.clock.now());
        let why = format!("it answered {}", status.as_u16()).into();
        return Err(NoAnswer { why, retry_after, status: Some(status) });
    }
    let whole = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
    Ok(whole.map_err(|_| NoAnswer::of("its answer broke off or is too long"))?.to_bytes())
}

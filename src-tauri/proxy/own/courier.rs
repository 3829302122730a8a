//! Carries requests for tokens over the way that requests go to upstreams: the same trust, the same proxy of a company,
//! the same refusal to come back to ourselves. Follows no redirect, for it would take a secret along.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use url::Url;

use crate::{
    accounts::sign_in::{Carried, Carrier, MOST_ANSWER, NotCarried},
    clock::Clock,
    proxy::{
        headers::UpstreamHeaders,
        upstream::{Outward, Target, UpstreamRequest, Upstreams},
    },
    settings::Limits,
    tasks::Tasks,
};

/// An answer has to be here by then, whole.
const PATIENCE: Duration = Duration::from_secs(20);

/// The carrier with a pool of its own. Clones share it.
#[derive(Debug, Clone)]
pub struct Courier(Upstreams);

impl Courier {
    /// One that has carried nothing yet.
    pub fn new(outward: Outward, limits: &Limits, clock: Clock, tasks: Tasks) -> Self {
        Self(Upstreams::new(outward, limits, clock, tasks))
    }
}

impl Carrier for Courier {
    fn carry(&self, request: Request<Bytes>) -> Carried<'_> {
        Box::pin(async move {
            let host = request.uri().host().unwrap_or_default().to_owned();
            let late = NotCarried::Late { host };
            tokio::time::timeout(PATIENCE, carry(&self.0, request)).await.map_err(|_| late)?
        })
    }
}

async fn carry(upstreams: &Upstreams, request: Request<Bytes>) -> Result<Response<Bytes>, NotCarried> {
    let (target, path) = where_to(upstreams, request.uri()).ok_or(NotCarried::Nowhere)?;
    let host = || target.origin.host.to_string();
    let mut headers = UpstreamHeaders::of_our_own(request.headers());
    headers.set(header::HOST, target.host.clone());
    let (method, body) = (request.method(), request.body().clone());
    let answer = upstreams.send(&target, &UpstreamRequest { method, path, headers, body }).await;
    let answer = answer.map_err(|unreached| NotCarried::Unreached(unreached.to_string()))?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MOST_ANSWER).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            NotCarried::TooLong { host: host() }
        } else {
            NotCarried::Broken { host: host() }
        }
    })?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// Where a request to this address goes, and the path there.
fn where_to(upstreams: &Upstreams, address: &Uri) -> Option<(Arc<Target>, PathAndQuery)> {
    let mut base = Url::parse(&address.to_string()).ok()?;
    base.set_path("/");
    base.set_query(None);
    base.set_fragment(None);
    Some((upstreams.target(&base)?, address.path_and_query()?.clone()))
}

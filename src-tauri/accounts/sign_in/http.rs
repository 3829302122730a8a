//! The `oauth2` crate's way to the carrier: its requests as each authorisation server wants them, under our own name.

use std::{collections::BTreeMap, pin::Pin};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::Url;

use super::{
    carrier::{Carrier, NotCarried},
    server::DeviceCode,
};
use crate::providers::Writing;

/// RFC 8628, section 3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Says who asks, and what for.
pub fn dressed(mut request: Request<Bytes>) -> Request<Bytes> {
    let headers = request.headers_mut();
    let own = concat!("headgate/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(own));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// The crate's way to the carrier.
pub struct Http<'a> {
    pub carrier: &'a dyn Carrier,
    pub writing: Writing,
    /// Where it goes, whatever the crate wrote.
    pub place: &'a Url,
    /// In place of the grant that the crate wrote.
    pub device: Option<&'a DeviceCode>,
}

/// Why the crate got no answer to read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    NotCarried(#[from] NotCarried),
    /// A server in trouble: what stands in its body is not the authorisation server's word.
    #[error("status {0}")]
    Status(u16),
}

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Trouble>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = dressed(self.written(request).ok_or(NotCarried::Nowhere)?);
            let answer = self.carrier.carry(request).await?;
            let status = answer.status();
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return Err(Trouble::Status(status.as_u16()));
            }
            Ok(answer.map(|body| body.to_vec()))
        })
    }
}

impl Http<'_> {
    /// The crate's request, as this server wants it.
    fn written(&self, request: HttpRequest) -> Option<Request<Bytes>> {
        let (mut head, body) = request.into_parts();
        head.uri = self.place.as_str().parse().ok()?;
        let fields = url::form_urlencoded::parse(&body);
        let mut fields: Vec<(String, String)> =
            fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        if let Some(device) = self.device {
            fields.retain(|(name, _)| name != "grant_type");
            fields.push(("grant_type".into(), DEVICE_GRANT.into()));
            fields.push(("device_code".into(), device.code.expose().clone()));
        }
        let body = match self.writing {
            Writing::Form => {
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
            }
            Writing::Json => {
                head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                serde_json::to_string(&fields.into_iter().collect::<BTreeMap<_, _>>()).ok()?
            }
        };
        Some(Request::from_parts(head, body.into()))
    }
}

//! A request as it is sent, the body whole. What was the client's is borrowed from its request: it may be sent again.

use bytes::Bytes;
use http::{HeaderMap, Method, header, uri::PathAndQuery};

use crate::proxy::headers::UpstreamHeaders;

/// One request to an upstream.
#[derive(Debug)]
pub struct UpstreamRequest<'a> {
    pub method: &'a Method,
    /// Path and query there.
    pub path: PathAndQuery,
    pub headers: UpstreamHeaders<'a>,
    pub body: Bytes,
}

impl UpstreamRequest<'_> {
    /// Its headers as HTTP/2 wants them, which says the host in the address.
    pub(super) fn without_host(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.headers.iter().count());
        for (name, value) in self.headers.iter().filter(|(name, _)| *name != header::HOST) {
            headers.append(name, value.clone());
        }
        headers
    }
}

//! Another process's core, over HTTP on the loopback with the token that it left for its owner. One
//! connection a call: the window asks seldom, and a core that has gone is noticed at once.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::body::Body;
use http::{HeaderValue, Method, Response, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tauri::async_runtime;
use tokio::net::TcpStream;

use super::core::request;
use crate::{app::CoreFile, secrets::Sensitive};

/// A core on this machine that does not take a connection by then has gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to a core in another process.
#[derive(Debug, Clone)]
pub struct Reach {
    address: SocketAddr,
    token: Arc<Sensitive<String>>,
}

impl From<CoreFile> for Reach {
    fn from(file: CoreFile) -> Self {
        Self { address: file.address, token: Arc::new(file.token) }
    }
}

impl Reach {
    /// Asks, and gives the head as soon as it is there; the body streams.
    ///
    /// # Errors
    /// If nobody answers at the address.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Response<Body>> {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(self.address)).await??;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer's body.
        async_runtime::spawn(connection);
        let mut request = request(method, path, body);
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::try_from(self.address.to_string())?);
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token.expose())).context("the token is damaged")?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
        Ok(sender.send_request(request).await?.map(Body::new))
    }
}

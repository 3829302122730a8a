//! Another process's core, over HTTP on the loopback with the token that it left for its owner. One
//! connection a call: the window asks seldom, and a core that has gone is noticed at once.

use std::{net::SocketAddr, sync::Arc, time::Duration};

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

/// Nobody answers there any more, or not as a core does.
#[derive(Debug, thiserror::Error)]
#[error("the other Headgate at {address} does not answer: {why}")]
pub struct Silent {
    address: SocketAddr,
    why: String,
}

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
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Response<Body>, Silent> {
        let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(self.address));
        let stream =
            connecting.await.map_err(|late| self.silent(late))?.map_err(|error| self.silent(error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.silent(error))?;
        // It ends with the answer's body.
        async_runtime::spawn(connection);
        let mut request = request(method, path, body);
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.header(&self.address.to_string())?);
        headers.insert(header::AUTHORIZATION, self.header(&format!("Bearer {}", self.token.expose()))?);
        Ok(sender.send_request(request).await.map_err(|error| self.silent(error))?.map(Body::new))
    }

    fn header(&self, value: &str) -> Result<HeaderValue, Silent> {
        let mut value = HeaderValue::from_str(value).map_err(|error| self.silent(error))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// What stands in the place of an answer.
    pub fn silent(&self, why: impl ToString) -> Silent {
        Silent { address: self.address, why: why.to_string() }
    }
}

//! TLS towards upstreams: rustls with the platform's own trust store, made on first use because reading
//! that store takes longer than everything else at start.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Clones share one configuration and its session cache.
#[derive(Debug, Clone, Default)]
pub struct TlsConnector(Arc<OnceLock<Result<Arc<ClientConfig>, String>>>);

impl TlsConnector {
    /// Shakes hands as a client that expects `host`.
    ///
    /// # Errors
    /// A sentence: the trust store can't be read, the name is no host name, or the handshake failed.
    pub async fn connect(&self, host: &str, socket: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let config = self.0.get_or_init(configure).clone()?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| format!("{host} is no name that a certificate can carry"))?;
        tokio_rustls::TlsConnector::from(config)
            .connect(name, socket)
            .await
            .map_err(|error| format!("the TLS handshake with {host} failed: {error}"))
    }
}

fn configure() -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| format!("this system's trusted certificates can't be used: {error}"))?;
    Ok(Arc::new(config.with_no_client_auth()))
}

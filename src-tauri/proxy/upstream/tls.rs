//! TLS towards upstreams: rustls with the platform's own trust store and whatever authorities the user added,
//! made on first use because reading that store takes longer than everything else at start.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, ClientConfig,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;

/// Clones share one configuration and its session cache.
#[derive(Debug, Clone, Default)]
pub struct TlsConnector(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    extra_ca: Option<PathBuf>,
    http2: bool,
    config: OnceLock<Result<Configs, String>>,
}

#[derive(Debug, Clone)]
struct Configs {
    /// Towards upstreams.
    upstream: Arc<ClientConfig>,
    /// Towards proxies, with whom nothing but HTTP/1.1 is spoken.
    proxy: Arc<ClientConfig>,
}

impl TlsConnector {
    /// One that also trusts the authorities in a PEM file, and offers HTTP/2 where that is wanted.
    pub fn new(extra_ca: Option<PathBuf>, http2: bool) -> Self {
        Self(Arc::new(Inner { extra_ca, http2, config: OnceLock::new() }))
    }

    /// Whether HTTP/2 is offered.
    pub fn offers_http2(&self) -> bool {
        self.0.http2
    }

    /// Shakes hands with an upstream as a client that expects `host`.
    ///
    /// # Errors
    /// A sentence: the trust store can't be read, the name is no host name, or the handshake failed.
    pub async fn connect<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        io: T,
    ) -> Result<TlsStream<T>, String> {
        shake_hands(self.configs()?.upstream, host, io).await
    }

    /// The same with a proxy.
    ///
    /// # Errors
    /// As [`TlsConnector::connect`].
    pub async fn connect_proxy<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        io: T,
    ) -> Result<TlsStream<T>, String> {
        shake_hands(self.configs()?.proxy, host, io).await
    }

    fn configs(&self) -> Result<Configs, String> {
        self.0.config.get_or_init(|| configure(&self.0)).clone()
    }
}

async fn shake_hands<T: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ClientConfig>,
    host: &str,
    io: T,
) -> Result<TlsStream<T>, String> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| format!("{host} is no name that a certificate can carry"))?;
    tokio_rustls::TlsConnector::from(config).connect(name, io).await.map_err(|error| sentence(host, &error))
}

/// A failed handshake in words that tell what to do.
fn sentence(host: &str, error: &io::Error) -> String {
    let why = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(why)) = why else {
        return format!("the TLS handshake with {host} failed: {error}");
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {host} has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {host} is not valid yet; is this machine's clock right?")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate that was shown for {host} belongs to another name")
        }
        CertificateError::UnknownIssuer => format!(
            "the certificate of {host} was issued by an authority that this system does not trust; if it is \
             your own or your company's, name its file in tls.extra_ca or HEADGATE_EXTRA_CA"
        ),
        other => format!("the certificate of {host} is not accepted: {other:?}"),
    }
}

fn configure(inner: &Inner) -> Result<Configs, String> {
    let extra = inner.extra_ca.as_deref().map(authorities).transpose()?.unwrap_or_default();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error| format!("this system's trusted certificates can't be used: {error}");
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(unusable)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let proxy = Arc::new(config.clone());
    if inner.http2 {
        config.alpn_protocols.insert(0, b"h2".to_vec());
    }
    Ok(Configs { upstream: Arc::new(config), proxy })
}

/// The certificates in a PEM file; one that holds none is a mistake that would show much later.
fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable =
        |why: &dyn std::fmt::Display| format!("the authorities in {} can't be used: {why}", path.display());
    let all = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(&error))?;
    if all.is_empty() {
        return Err(unusable(&"there is no certificate in it"));
    }
    Ok(all)
}

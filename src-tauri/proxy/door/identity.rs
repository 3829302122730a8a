//! What a listener shows of itself: a certificate and its key, from the user's files or made here. Both are
//! looked at again while the core runs, so that a renewed file is taken up and our own never expires.

use std::{
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};

use super::self_signed;
use crate::clock::Clock;

/// How often it is looked at again.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// A certificate with its key. Clones are the same.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    source: Source,
    shown: ArcSwap<Shown>,
    /// When it was looked at the last time, in seconds.
    looked: AtomicI64,
    clock: Clock,
    provider: Arc<CryptoProvider>,
}

/// Where it comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Made here and kept in this folder.
    SelfSigned {
        /// The data folder.
        folder: PathBuf,
        /// The names that it must carry.
        names: Vec<String>,
        /// Addresses that it carries if it is made now; they come and go with the network.
        passing: Vec<IpAddr>,
    },
    /// PEM files.
    Files {
        /// The chain, our own certificate first.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

struct Shown {
    key: Arc<CertifiedKey>,
    fingerprint: Arc<str>,
}

impl Identity {
    /// Reads or makes it. Blocks.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn open(source: Source, clock: Clock) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let now = clock.now();
        let shown = ArcSwap::from_pointee(read(&source, &provider, now)?);
        let looked = AtomicI64::new(now.as_second());
        Ok(Self(Arc::new(Inner { source, shown, looked, clock, provider })))
    }

    /// How TLS is spoken with it: HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// A sentence, if the cryptography can't be used.
    pub fn acceptor(&self) -> Result<tokio_rustls::TlsAcceptor, String> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS can't be offered: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }

    /// The SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` writes it.
    pub fn fingerprint(&self) -> Arc<str> {
        Arc::clone(&self.0.shown.load().fingerprint)
    }

    /// Whether it is time to look at it again. Says so once.
    pub fn is_due(&self) -> bool {
        let (now, looked) = (self.0.clock.now().as_second(), self.0.looked.load(Ordering::Relaxed));
        now.saturating_sub(looked) >= LOOK_EVERY.as_secs().cast_signed()
            && self.0.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Looks at it again. Blocks. What can't be read leaves the old one in place.
    pub fn look_again(&self) {
        match read(&self.0.source, &self.0.provider, self.0.clock.now()) {
            Ok(shown) if shown.fingerprint != self.0.shown.load().fingerprint => {
                tracing::info!(fingerprint = %shown.fingerprint, "a new certificate is shown from now on");
                self.0.shown.store(Arc::new(shown));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("the certificate could not be looked at again: {error}"),
        }
    }
}

impl ResolvesServerCert for Inner {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.load().key))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

fn read(source: &Source, provider: &Arc<CryptoProvider>, now: Timestamp) -> Result<Shown, String> {
    let (chain, key) = match source {
        Source::SelfSigned { folder, names, passing } => {
            let made = self_signed::take(folder, names, passing, provider, now)?;
            (vec![made.certificate], made.key)
        }
        Source::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
    };
    let first = chain.first().ok_or("there is no certificate to show")?;
    let fingerprint = fingerprint(first);
    let key = CertifiedKey::from_der(chain, key, provider)
        .map_err(|error| format!("certificate and key don't belong together: {error}"))?;
    Ok(Shown { key: Arc::new(key), fingerprint })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match chain {
        Ok(chain) if chain.is_empty() => Err(format!("there is no certificate in {}", path.display())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("the certificate in {} can't be read: {error}", path.display())),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| format!("the key in {} can't be read: {error}", path.display()))
}

fn fingerprint(certificate: &CertificateDer<'_>) -> Arc<str> {
    let digest = Sha256::digest(certificate.as_ref());
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":").into()
}

/// The name of this machine, if it has one that a certificate can carry.
pub fn host_name() -> Option<String> {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    name.map(|name| name.to_ascii_lowercase()).filter(|name| is_dns_name(name))
}

fn is_dns_name(name: &str) -> bool {
    rustls::pki_types::DnsName::try_from(name.to_owned()).is_ok()
}

/// The addresses by which other machines know this one, as far as that can be told without asking anybody:
/// choosing a route sends nothing.
pub fn outer_addresses() -> Vec<IpAddr> {
    let routed = |from: &str, to: &str| -> io::Result<IpAddr> {
        let socket = std::net::UdpSocket::bind(from)?;
        socket.connect(to)?;
        Ok(socket.local_addr()?.ip())
    };
    // Addresses that are reserved for documentation: nobody has them.
    [routed("0.0.0.0:0", "198.51.100.1:9"), routed("[::]:0", "[2001:db8::1]:9")]
        .into_iter()
        .flatten()
        .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
        .collect()
}

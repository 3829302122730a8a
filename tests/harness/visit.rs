//! A client that comes by a further listener, over TLS.

use std::{path::Path, sync::Arc, time::Duration};

use headgate::clock::Clock;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use tokio::net::TcpStream;

use super::House;

/// A connection after its handshake.
pub type Secured = tokio_rustls::client::TlsStream<TcpStream>;

/// A client lives in the house's time.
#[derive(Debug)]
struct Time(Clock);

impl rustls::time_provider::TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).unwrap();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// The port of the first further listener.
pub fn port_of(house: &House) -> u16 {
    let status = house.app.api().status();
    status.listeners[0].address.rsplit(':').next().unwrap().parse().unwrap()
}

/// Shakes hands under this name, trusting nothing but what is in this file. Returns the certificate that was
/// shown too.
pub async fn visit(
    house: &House,
    trusted: &Path,
    name: &str,
    alpn: &str,
) -> std::io::Result<(Secured, CertificateDer<'static>)> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config =
        rustls::ClientConfig::builder_with_details(provider, Arc::new(Time(house.clock.clone())))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let socket = TcpStream::connect(("127.0.0.1", port_of(house))).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let io = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    let shown = io.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    Ok((io, shown))
}

//! An address that is listened on: how it is protected, under which names it answers, and whether those who
//! come by it need a key.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use tokio_rustls::TlsAcceptor;

use super::{
    identity::{self, Identity, Source},
    port,
};
use crate::{
    clock::Clock,
    settings::{ListenTls, Network},
};

/// Where a core listens, as the user chose.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// On the loopback, in plain text.
    pub port: u16,
    /// Further addresses and names.
    pub network: &'a Network,
    /// The data folder, where a certificate of our own is kept.
    pub folder: &'a Path,
}

/// One address. Clones are the same.
#[derive(Debug, Clone)]
pub struct Listener(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    tls: Option<(Identity, TlsAcceptor)>,
    names: Arc<[String]>,
}

/// Why it does not listen.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else has the port.
    #[error("port {port} is taken{}; choose another with --port or `port` in settings.toml", by_whom(.by.as_deref()))]
    PortTaken { port: u16, by: Option<String> },
    /// Anything else about an address.
    #[error("{address} can't be listened on: {source}")]
    Io { address: SocketAddr, source: io::Error },
    /// There is no certificate to show at an address.
    #[error("{address} can't be protected: {why}")]
    NoIdentity { address: SocketAddr, why: String },
}

fn by_whom(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" by {name}"))
}

/// Whether whoever comes by this listener needs a key of ours. Beyond the loopback everybody does, whatever
/// the settings say.
pub fn needs_key(listener: &Listener) -> bool {
    !listener.is_on_the_loopback()
}

impl Listener {
    /// Where; the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Whether no other machine can reach it.
    pub fn is_on_the_loopback(&self) -> bool {
        self.0.address.ip().is_loopback()
    }

    /// As a client would write it.
    pub fn url(&self) -> String {
        let scheme = if self.0.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.0.address)
    }

    /// The fingerprint of the certificate that it shows now, if it shows one.
    pub fn fingerprint(&self) -> Option<Arc<str>> {
        self.0.tls.as_ref().map(|(identity, _)| identity.fingerprint())
    }

    /// How it is protected, if it is.
    pub fn tls(&self) -> Option<&(Identity, TlsAcceptor)> {
        self.0.tls.as_ref()
    }

    /// Whether this is a name of ours; `local` is the address by which the client came.
    pub fn is_named(&self, host: &str, local: IpAddr) -> bool {
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
        if let Ok(ip) = literal {
            let is_first_of_loopback =
                ip == IpAddr::V4(Ipv4Addr::LOCALHOST) || (ip.is_ipv6() && ip.is_loopback());
            return is_first_of_loopback || (!self.is_on_the_loopback() && ip == local.to_canonical());
        }
        host.eq_ignore_ascii_case("localhost")
            || self.0.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Binds every address and gets its certificate. Blocks on disk.
///
/// # Errors
/// [`StartError`] for the first one that fails; none is listened on then.
pub fn bind(places: Places<'_>, clock: &Clock) -> Result<Vec<(Listener, TcpListener)>, StartError> {
    let names: Arc<[String]> = places.network.hosts.clone().into();
    let own = Inner {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, places.port)),
        tls: None,
        names: Arc::clone(&names),
    };
    let mut bound = vec![own.bind()?];
    let machine = identity::host_name();
    let self_signed = self_signed_source(places, machine.as_deref());
    let beyond: Arc<[String]> = names.iter().cloned().chain(machine).collect();
    let mut made = None;
    for listen in &places.network.listen {
        let address = listen.address;
        let failed = |why| StartError::NoIdentity { address, why };
        let identity = match &listen.tls {
            ListenTls::Off => None,
            ListenTls::Files { cert, key } => {
                let source = Source::Files { cert: cert.clone(), key: key.clone() };
                Some(Identity::open(source, clock.clone()).map_err(failed)?)
            }
            // One certificate serves all addresses that want one of ours.
            ListenTls::SelfSigned if made.is_some() => made.clone(),
            ListenTls::SelfSigned => {
                made = Some(Identity::open(self_signed.clone(), clock.clone()).map_err(failed)?);
                made.clone()
            }
        };
        let tls =
            identity.map(|identity| Ok((identity.acceptor()?, identity))).transpose().map_err(failed)?;
        let tls = tls.map(|(acceptor, identity)| (identity, acceptor));
        bound.push(Inner { address, tls, names: Arc::clone(&beyond) }.bind()?);
    }
    Ok(bound)
}

impl Inner {
    fn bind(mut self) -> Result<(Listener, TcpListener), StartError> {
        let address = self.address;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse if address.ip().is_loopback() => {
                StartError::PortTaken { port: address.port(), by: port::holder(address.port()) }
            }
            _ => StartError::Io { address, source },
        };
        let socket = TcpListener::bind(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        self.address = socket.local_addr().map_err(failed)?;
        Ok((Listener(Arc::new(self)), socket))
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("address", &self.address).finish_non_exhaustive()
    }
}

fn self_signed_source(places: Places<'_>, machine: Option<&str>) -> Source {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(machine.map(str::to_owned));
    names.extend(places.network.hosts.iter().map(|host| host.trim_matches(['[', ']']).to_owned()));
    let addresses = places.network.listen.iter().map(|listen| listen.address.ip());
    names.extend(addresses.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()));
    let mut unique = Vec::with_capacity(names.len());
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    Source::SelfSigned {
        folder: places.folder.to_owned(),
        names: unique,
        passing: identity::outer_addresses(),
    }
}

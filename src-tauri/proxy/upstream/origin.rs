//! Where a connection leads.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use url::Url;

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether TLS is spoken there.
    pub tls: bool,
    /// A name or an address, brackets included.
    pub host: Arc<str>,
    /// Where at that host.
    pub port: u16,
}

impl Origin {
    /// Where an address leads; `None` where that is nowhere.
    pub fn of(address: &Url) -> Option<Self> {
        let tls = match address.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { tls, host: address.host_str()?.into(), port: address.port_or_known_default()? })
    }

    /// Whether a connection to it would arrive at this address of the loopback, or of every network.
    pub fn is_at(&self, own: SocketAddr) -> bool {
        self.is_on_this_machine() && self.port == own.port()
    }

    /// Whether it is on the loopback by its name.
    pub fn is_on_this_machine(&self) -> bool {
        match self.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
            Err(_) => *self.host == *"localhost" || self.host.ends_with(".localhost"),
        }
    }
}

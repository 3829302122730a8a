//! Where a connection leads.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::Uri;

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
    /// Where an absolute `Uri` leads; `None` where that is nowhere.
    pub fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self { tls, host: uri.host()?.into(), port })
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

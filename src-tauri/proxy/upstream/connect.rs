//! The way to an upstream: a socket, a tunnel through the company's proxy where one is asked for, and TLS.
//! Refuses to lead back to Headgate itself, whatever name was used.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use http::{HeaderValue, Method, Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::{client::proxy::matcher::Intercept, rt::TokioIo};
use rustls::ProtocolVersion;
use tokio::net::{TcpStream, lookup_host};

use super::{
    line::Io,
    origin::Origin,
    tls::TlsConnector,
    unreached::{Stage, Unreached},
};
use crate::{
    providers::{PlainHttp, base_url, is_private},
    proxy::door::identity::{host_name, outer_addresses},
    settings::{Network, Proxies},
};

/// How upstreams are reached. Clones share it.
#[derive(Debug, Clone)]
pub struct Outward {
    pub(super) tls: TlsConnector,
    proxies: Proxies,
    /// Where we listen ourselves: a request that went there would come round and round.
    own: Arc<OnceLock<Vec<SocketAddr>>>,
    /// Where we are to listen, and under which names.
    planned: Arc<[SocketAddr]>,
    names: Arc<[String]>,
}

/// A way that is open, and what is spoken on it.
pub struct Open {
    /// The socket, or TLS on it.
    pub io: Box<dyn Io>,
    /// Whether the other side chose HTTP/2.
    pub is_http2: bool,
    /// The version of TLS, where that is spoken.
    pub tls: Option<ProtocolVersion>,
}

impl Outward {
    /// As the user chose; `port` is ours on the loopback.
    pub fn new(network: &Network, port: u16) -> Self {
        let further = network.listen.iter().map(|listen| listen.address);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            tls: TlsConnector::new(network.extra_ca.clone(), network.upstream_http2),
            proxies: network.proxies.clone(),
            own: Arc::default(),
            planned: further.chain([loopback]).collect(),
            names: network.hosts.iter().cloned().chain(host_name()).collect(),
        }
    }

    /// Says where we listen; only the first word counts.
    pub fn avoid(&self, own: Vec<SocketAddr>) {
        // A core listens once; a second start finds the addresses of the first.
        let _ = self.own.set(own);
    }

    fn own(&self) -> &[SocketAddr] {
        self.own.get().map_or(&[], Vec::as_slice)
    }

    /// Whether an origin leads back to us by its name alone.
    pub fn is_ourselves(&self, origin: &Origin) -> bool {
        self.own().iter().any(|own| origin.is_at(*own))
    }

    /// Whether an address that a person typed is one where we listen, or are to listen, as far as its name
    /// tells. What it does not tell shows when the connection is made.
    pub fn leads_back(&self, typed: &str) -> bool {
        let url = base_url(typed, PlainHttp::PrivateNetworks).ok();
        let uri = url.and_then(|url| url.as_str().parse().ok());
        let Some(origin) = uri.and_then(|uri| Origin::of(&uri)) else { return false };
        let known = self.own.get().map_or(&*self.planned, Vec::as_slice);
        known
            .iter()
            .any(|own| origin.is_at(*own) || (origin.port == own.port() && self.is_ours(&origin, *own)))
    }

    fn is_ours(&self, origin: &Origin, own: SocketAddr) -> bool {
        match origin.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) if own.ip().is_unspecified() => outer_addresses().contains(&ip),
            Ok(ip) => ip == own.ip(),
            Err(_) => self.names.iter().any(|name| name.eq_ignore_ascii_case(&origin.host)),
        }
    }

    /// Opens a way to an origin.
    ///
    /// # Errors
    /// [`Unreached::Connect`] with a sentence and how far it came, or [`Unreached::Itself`].
    pub async fn open(&self, origin: &Origin) -> Result<Open, Unreached> {
        let at = |at| move |why| Unreached::Connect { at, why };
        let io = match self.proxy(origin).map_err(at(Stage::Proxy))? {
            Some(proxy) => self.tunnel(&proxy, origin).await.map_err(at(Stage::Proxy))?,
            None => Box::new(self.socket(origin).await?),
        };
        if !origin.tls {
            return Ok(Open { io, is_http2: false, tls: None });
        }
        let io = self.tls.connect(&origin.host, io).await.map_err(at(Stage::Tls))?;
        let spoken = io.get_ref().1;
        let (is_http2, tls) = (spoken.alpn_protocol() == Some(b"h2"), spoken.protocol_version());
        Ok(Open { io: Box::new(io), is_http2, tls })
    }

    /// The proxy that leads there. Nothing on this machine is asked of another one, and no plain text: only
    /// the loopback is reached that way.
    fn proxy(&self, origin: &Origin) -> Result<Option<Intercept>, String> {
        if !origin.tls || origin.is_on_this_machine() {
            return Ok(None);
        }
        let uri = format!("https://{}:{}", origin.host, origin.port);
        let uri = uri.parse().map_err(|_| format!("{} is no host", origin.host))?;
        self.proxies.towards(&uri)
    }

    async fn socket(&self, origin: &Origin) -> Result<TcpStream, Unreached> {
        let failed = |(at, why)| Unreached::Connect { at, why };
        let socket = dial(&origin.host, origin.port).await.map_err(failed)?;
        let ends = socket.peer_addr().and_then(|peer| Ok((peer, socket.local_addr()?)));
        let leads_back = ends
            .as_ref()
            .is_ok_and(|(peer, local)| self.own().iter().any(|own| is_same(*peer, *local, *own)));
        if leads_back {
            return Err(Unreached::Itself);
        }
        // A name may lead elsewhere by now than it did for the person who allowed plain text.
        if may_be_spoken(origin, ends.ok().map(|(peer, _)| peer.ip())) {
            Ok(socket)
        } else {
            Err(in_public(&origin.host))
        }
    }

    /// Asks a proxy for a tunnel.
    async fn tunnel(&self, proxy: &Intercept, origin: &Origin) -> Result<Box<dyn Io>, String> {
        let uri = proxy.uri();
        let host = uri.host().unwrap_or_default();
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let named = |why: String| format!("the proxy {host}:{port} gives no way: {why}");
        let socket = dial(host, port).await.map_err(|(_, why)| named(why))?;
        let io: Box<dyn Io> = if is_tls {
            Box::new(self.tls.connect_proxy(host, socket).await.map_err(named)?)
        } else {
            Box::new(socket)
        };
        connect(io, proxy.basic_auth(), origin).await.map_err(named)
    }
}

async fn dial(host: &str, port: u16) -> Result<TcpStream, (Stage, String)> {
    let failed = |at, error: &io::Error| (at, format!("{host}:{port} can't be reached: {error}"));
    let found = lookup_host((host.trim_matches(['[', ']']), port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(|error| failed(Stage::Name, &error))?.collect();
    let socket = TcpStream::connect(addresses.as_slice()).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => failed(Stage::Refused, &error),
        _ => failed(Stage::Socket, &error),
    })?;
    // A refused option costs latency, not correctness.
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

/// Whether a request may go to whoever has answered for an origin: under TLS whoever proves to be it, in plain text
/// nobody beyond private networks.
fn may_be_spoken(origin: &Origin, peer: Option<IpAddr>) -> bool {
    origin.tls || peer.is_some_and(is_private)
}

fn in_public(host: &str) -> Unreached {
    let why = format!(
        "{host} is on no private network, and plain http:// would send the key unprotected over the internet"
    );
    Unreached::Connect { at: Stage::Socket, why }
}

/// Whether a connection with these ends has arrived at one of our own listeners. A listener on every
/// address of the machine is met on the loopback, and wherever both ends are the same address.
fn is_same(peer: SocketAddr, local: SocketAddr, own: SocketAddr) -> bool {
    let (to, from, at) = (peer.ip().to_canonical(), local.ip().to_canonical(), own.ip().to_canonical());
    let is_here = to == at || (own.ip().is_unspecified() && (to.is_loopback() || to == from));
    peer.port() == own.port() && is_here
}

/// The CONNECT request and its answer. What the proxy says beside its status is not repeated: it may hold
/// whatever it was asked with.
async fn connect(
    io: Box<dyn Io>,
    credential: Option<&HeaderValue>,
    origin: &Origin,
) -> Result<Box<dyn Io>, String> {
    let target = format!("{}:{}", origin.host, origin.port);
    let mut request = Request::new(Empty::<bytes::Bytes>::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = target.parse().map_err(|_| format!("{target} is no place to ask for"))?;
    let host = HeaderValue::from_str(&target).map_err(|_| format!("{target} is no place to ask for"))?;
    request.headers_mut().insert(header::HOST, host);
    if let Some(credential) = credential {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, credential.clone());
    }
    let broken = |error: hyper::Error| format!("it does not answer as a proxy does: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(broken)?;
    let driving = connection.with_upgrades();
    let asking = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        match answer.status().as_u16() {
            200..=299 => hyper::upgrade::on(answer).await.map_err(broken),
            407 => Err("it wants another user name or password than the proxy's address has".to_owned()),
            status => Err(format!("it refused the connection to {target} with status {status}")),
        }
    };
    tokio::pin!(driving, asking);
    let upgraded = tokio::select! {
        upgraded = &mut asking => upgraded,
        // The connection may end with the answer, whose other half is then waiting to be read.
        _ = &mut driving => asking.await,
    }?;
    let parts = upgraded
        .downcast::<TokioIo<Box<dyn Io>>>()
        .map_err(|_| "it changed the protocol in an unknown way".to_owned())?;
    if !parts.read_buf.is_empty() {
        return Err("it sent bytes into the tunnel before they were asked for".into());
    }
    Ok(parts.io.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Listen, ListenTls, ProxyVariables};

    #[test]
    fn a_connection_to_our_own_listener_is_recognised_by_its_ends() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let same = |peer, local, own| is_same(at(peer), at(local), at(own));
        assert!(same("127.0.0.1:8417", "127.0.0.1:5000", "127.0.0.1:8417"));
        assert!(
            same("192.0.2.7:8443", "192.0.2.7:5000", "0.0.0.0:8443"),
            "through the machine's own address"
        );
        assert!(same("127.0.0.9:8443", "127.0.0.1:5000", "0.0.0.0:8443"));
        assert!(same("[::ffff:192.0.2.7]:8443", "192.0.2.7:5000", "[::]:8443"));
        assert!(!same("192.0.2.8:8443", "192.0.2.7:5000", "0.0.0.0:8443"), "another machine's same port");
        assert!(!same("127.0.0.1:8418", "127.0.0.1:5000", "127.0.0.1:8417"));
        assert!(!same("127.0.0.2:8417", "127.0.0.1:5000", "127.0.0.1:8417"));
    }

    #[test]
    fn a_name_that_was_allowed_plain_text_is_asked_nothing_once_it_leads_to_the_internet() {
        let may = |tls, peer: &str| {
            let origin = Origin { tls, host: "gateway.lan".into(), port: 80 };
            may_be_spoken(&origin, peer.parse().ok())
        };
        for private in ["127.0.0.1", "10.0.0.7", "192.168.1.2", "::1", "fd00::7", "::ffff:10.0.0.7"] {
            assert!(may(false, private), "{private}");
        }
        for public in ["93.184.216.34", "169.254.169.254", "2606:2800:220:1::1", "::ffff:8.8.8.8", "unknown"]
        {
            assert!(!may(false, public), "{public}");
            assert!(may(true, public), "TLS shows who it is: {public}");
        }
    }

    #[test]
    fn an_address_of_ours_is_known_before_anybody_connects_to_it() {
        let listen = Listen { address: "10.0.0.5:8443".parse().unwrap(), tls: ListenTls::SelfSigned };
        let hosts = vec!["headgate.lan".to_owned()];
        let outward = Outward::new(&Network { listen: vec![listen], hosts, ..Network::default() }, 8417);
        for own in [
            "http://127.0.0.1:8417",
            " http://localhost:8417/v1 ",
            "http://[::1]:8417",
            "https://127.0.0.9:8417",
            "https://10.0.0.5:8443/",
            "https://Headgate.LAN:8443",
        ] {
            assert!(outward.leads_back(own), "{own}");
        }
        for other in [
            "http://127.0.0.1:8418",
            "https://api.anthropic.com:8417",
            "https://10.0.0.6:8443",
            "https://headgate.lan",
            "https://headgate.lan.example.com:8443",
            "http://gateway.lan:8417",
            "nonsense",
        ] {
            assert!(!outward.leads_back(other), "{other}");
        }
        outward.avoid(vec!["127.0.0.1:5000".parse().unwrap()]);
        assert!(outward.leads_back("http://localhost:5000"), "what is listened on counts");
        assert!(!outward.leads_back("http://localhost:8417"), "and not what was planned");
    }

    #[test]
    fn e103_nothing_of_this_machine_is_asked_of_a_proxy() {
        let proxies = Proxies::new(Some("http://proxy.example:3128"), &ProxyVariables::default()).unwrap();
        let outward = Outward::new(&Network { proxies, ..Network::default() }, 8417);
        let proxied = |host: &str| {
            let origin = Origin { tls: true, host: host.into(), port: 443 };
            outward.proxy(&origin).unwrap().is_some()
        };
        for here in ["127.0.0.1", "127.9.8.7", "[::1]", "localhost", "gateway.localhost", "0.0.0.0"] {
            assert!(!proxied(here), "{here}");
        }
        for there in ["api.anthropic.com", "128.0.0.1", "localhost.example.com"] {
            assert!(proxied(there), "{there}");
        }
    }
}

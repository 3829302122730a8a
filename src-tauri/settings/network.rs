//! Where else Headgate listens, under which names it answers there, and by which way it goes out.

use std::{
    env, fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use serde::Deserialize;

/// Everything about the network beyond the port on the loopback.
#[derive(Debug, Clone)]
pub struct Network {
    /// Further addresses to listen on.
    pub listen: Vec<Listen>,
    /// Names under which this machine is called, beside its own ones.
    pub hosts: Vec<String>,
    /// Certificates of authorities that are trusted for upstreams, beside the system's.
    pub extra_ca: Option<PathBuf>,
    /// Whether HTTP/2 is spoken to upstreams that offer it.
    pub upstream_http2: bool,
    /// Which proxy leads to which upstream.
    pub proxies: Proxies,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            hosts: Vec::new(),
            extra_ca: None,
            upstream_http2: true,
            proxies: Proxies::none(),
        }
    }
}

/// One further address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// How it is protected.
    pub tls: ListenTls,
}

/// How an address is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenTls {
    /// By a certificate that Headgate makes itself and keeps in the data folder.
    SelfSigned,
    /// By the certificate chain and the key in these PEM files.
    Files { cert: PathBuf, key: PathBuf },
    /// Not at all.
    Off,
}

/// The company's proxies. Holds their passwords, and shows none of them.
#[derive(Clone)]
pub struct Proxies {
    matcher: Arc<Matcher>,
    /// Why the variables can't be followed. To go directly then would surprise whoever set them.
    problem: Option<Arc<str>>,
}

/// What the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY said, in either case.
#[derive(Clone, Default)]
pub struct ProxyVariables {
    /// For `https://` upstreams.
    pub https: String,
    /// For `http://` upstreams.
    pub http: String,
    /// For whatever has none of its own.
    pub all: String,
    /// Hosts that are reached directly, separated by commas.
    pub no: String,
}

/// What can stand in `settings.toml` for one address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenEntry {
    address: SocketAddr,
    #[serde(default)]
    tls: TlsEntry,
    #[serde(default)]
    allow_plaintext: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "tls is \"self-signed\", \"off\" or { cert = \"…\", key = \"…\" }")]
enum TlsEntry {
    Word(TlsWord),
    Files(TlsFiles),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TlsWord {
    SelfSigned,
    Off,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFiles {
    cert: PathBuf,
    key: PathBuf,
}

/// `[tls]` in `settings.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UpstreamTls {
    pub(super) extra_ca: Option<PathBuf>,
}

impl Default for TlsEntry {
    fn default() -> Self {
        Self::Word(TlsWord::SelfSigned)
    }
}

/// More addresses than this are a mistake.
const MAX_LISTEN: usize = 16;

impl ListenEntry {
    /// The address with its protection; paths are relative to the data folder.
    pub(super) fn read(self, folder: &Path) -> Result<Listen, String> {
        let tls = match self.tls {
            TlsEntry::Word(TlsWord::SelfSigned) => ListenTls::SelfSigned,
            TlsEntry::Files(files) => {
                ListenTls::Files { cert: folder.join(files.cert), key: folder.join(files.key) }
            }
            TlsEntry::Word(TlsWord::Off) => ListenTls::Off,
        };
        if tls == ListenTls::Off && !self.allow_plaintext && !self.address.ip().is_loopback() {
            return Err(format!(
                "listen on {} without TLS would send keys and prompts unprotected over the network; if that \
                 is meant, say allow_plaintext = true beside it",
                self.address
            ));
        }
        Ok(Listen { address: self.address, tls })
    }
}

/// The addresses of the file, and those of the flags, which are protected unless the file says how.
pub(super) fn listen(
    file: Vec<ListenEntry>,
    flags: &[SocketAddr],
    folder: &Path,
) -> Result<Vec<Listen>, String> {
    let mut listen = file.into_iter().map(|entry| entry.read(folder)).collect::<Result<Vec<_>, _>>()?;
    for address in flags {
        if listen.iter().all(|known| known.address != *address) {
            listen.push(Listen { address: *address, tls: ListenTls::SelfSigned });
        }
    }
    if listen.len() > MAX_LISTEN {
        return Err(format!("at most {MAX_LISTEN} further addresses can be listened on"));
    }
    Ok(listen)
}

/// Names that may stand in `hosts`: without scheme, port and blanks.
pub(super) fn check_hosts(hosts: &[String]) -> Result<(), String> {
    let is_name = |host: &String| {
        host.parse::<http::uri::Authority>()
            .is_ok_and(|authority| authority.host() == host && authority.port().is_none())
    };
    match hosts.iter().find(|host| !is_name(host)) {
        Some(host) => Err(format!("hosts: \"{}\" is no host name", host.escape_default())),
        None => Ok(()),
    }
}

impl Proxies {
    /// No proxy for anything.
    pub fn none() -> Self {
        Self { matcher: Arc::new(Matcher::builder().build()), problem: None }
    }

    /// What `proxy` in `settings.toml` says, else what the variables say.
    ///
    /// # Errors
    /// A sentence about the setting, without the address, which may hold a password. A variable that can't
    /// be used is no error here: it may concern nobody.
    pub fn new(setting: Option<&str>, variables: &ProxyVariables) -> Result<Self, String> {
        let Some(address) = setting.map(str::trim) else { return Ok(Self::of_variables(variables)) };
        if matches!(address, "off" | "") {
            return Ok(Self::none());
        }
        check("proxy in settings.toml", address)?;
        let matcher = Matcher::builder().all(address.to_owned()).no(variables.no.clone()).build();
        Ok(Self { matcher: Arc::new(matcher), problem: None })
    }

    fn of_variables(variables: &ProxyVariables) -> Self {
        let ProxyVariables { https, http, all, no } = variables;
        let named = [("HTTPS_PROXY", https), ("HTTP_PROXY", http), ("ALL_PROXY", all)];
        let problem = named
            .into_iter()
            .filter(|(_, address)| !address.is_empty())
            .find_map(|(name, address)| check(name, address).err());
        let matcher = Matcher::builder()
            .https(https.clone())
            .http(http.clone())
            .all(all.clone())
            .no(no.clone())
            .build();
        Self { matcher: Arc::new(matcher), problem: problem.map(Into::into) }
    }

    /// Which proxy leads to an upstream, if any does.
    ///
    /// # Errors
    /// A sentence, if a proxy was asked for that can't be used.
    pub fn towards(&self, upstream: &http::Uri) -> Result<Option<Intercept>, String> {
        match &self.problem {
            Some(problem) => Err(problem.to_string()),
            None => Ok(self.matcher.intercept(upstream)),
        }
    }
}

fn check(name: &str, address: &str) -> Result<(), String> {
    let built = Matcher::builder().all(address.to_owned()).build();
    let anywhere = http::Uri::from_static("https://upstream.invalid");
    match built.intercept(&anywhere) {
        Some(proxy) if matches!(proxy.uri().scheme_str(), Some("http" | "https")) => Ok(()),
        Some(_) => Err(format!("{name} names a SOCKS proxy; Headgate can use http:// and https:// ones")),
        None => Err(format!(
            "{name} is no address of a proxy; it should look like http://proxy.example.com:3128, or be \"off\""
        )),
    }
}

impl ProxyVariables {
    /// Reads them, the upper case ones first.
    pub fn of_environment() -> Self {
        let first = |names: [&str; 2]| {
            names.iter().filter_map(|name| env::var(name).ok()).find(|value| !value.is_empty())
        };
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]).unwrap_or_default(),
            http: first(["HTTP_PROXY", "http_proxy"]).unwrap_or_default(),
            all: first(["ALL_PROXY", "all_proxy"]).unwrap_or_default(),
            no: first(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")
    }
}

impl fmt::Debug for ProxyVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyVariables")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> http::Uri {
        text.parse().unwrap()
    }

    #[test]
    fn the_setting_wins_over_the_variables_and_off_means_none() {
        let variables =
            ProxyVariables { https: "http://a:1".into(), no: "near.example".into(), ..Default::default() };
        let to = |proxies: &Proxies, host: &str| {
            proxies.towards(&uri(&format!("https://{host}"))).unwrap().map(|proxy| proxy.uri().to_string())
        };
        let both = Proxies::new(Some("http://b:2"), &variables).unwrap();
        assert_eq!(to(&both, "far.example").as_deref(), Some("http://b:2/"));
        assert_eq!(to(&both, "api.near.example"), None, "what is near stays near");
        let variables_alone = Proxies::new(None, &variables).unwrap();
        assert_eq!(to(&variables_alone, "far.example").as_deref(), Some("http://a:1/"));
        assert_eq!(to(&Proxies::new(Some("off"), &variables).unwrap(), "far.example"), None);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_a_mistake_that_repeats_no_password() {
        for bad in ["socks5://user:hunter2@p:1", "ftp://user:hunter2@p", "http://user:hunter2@"] {
            let of_file = Proxies::new(Some(bad), &ProxyVariables::default()).unwrap_err();
            let variables = ProxyVariables { all: bad.into(), ..Default::default() };
            let proxies = Proxies::new(None, &variables).unwrap();
            let of_variable = proxies.towards(&uri("https://far.example")).unwrap_err();
            for error in [of_file, of_variable, format!("{variables:?}")] {
                assert!(!error.contains("hunter2"), "{error}");
            }
        }
        let proxies = Proxies::new(Some("http://user:hunter2@p:1"), &ProxyVariables::default()).unwrap();
        let shown = format!("{proxies:?} {:?}", proxies.towards(&uri("https://x")));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

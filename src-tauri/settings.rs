//! What the user chose. Flags win over the environment, the environment over `settings.toml` in the data
//! folder, the file over the defaults. Read once at start; nobody looks at the environment later.

mod network;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

pub use network::{Listen, ListenTls, Network, Proxies, ProxyVariables};

/// The port where nobody chose another.
pub const DEFAULT_PORT: u16 = 8417;

/// Today is summed from its requests; months are from sums of their own.
const LEAST_KEPT_DAYS: u32 = 1;

/// Everything that can be chosen.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Everything Headgate keeps lies beneath it.
    pub data_dir: PathBuf,
    /// On 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// `keychain` or `file`; `None` takes what the folder used last, else the keychain where there is one.
    pub vault: Option<VaultChoice>,
    /// Clients need a key, also on this machine.
    pub require_key: bool,
    /// Bounds of a single request and of all of them together.
    pub limits: Limits,
    /// Further addresses, names, and the way out.
    pub network: Network,
}

/// Which vault keeps the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VaultChoice {
    /// The operating system's keychain.
    Keychain,
    /// A sealed file in the data folder.
    File,
}

/// Bounds; each says what happens at it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A larger request body is refused with 413.
    pub body_bytes: usize,
    /// Requests served at once; the next one waits for a place.
    pub concurrent_requests: usize,
    /// Requests that one account serves at once; the next one goes to another account or waits. 0: no limit.
    pub requests_per_account: u32,
    /// Requests that are served for one client's key at once; the next one waits for a place. 0: no limit.
    pub requests_per_key: u32,
    /// Requests that wait for a place; the next one is refused with 529.
    pub waiting_requests: usize,
    /// A request that has waited this long is refused with 529.
    pub wait_seconds: f64,
    /// A request that no account can take is held this long at most if one is expected back by then, its
    /// connection open and nothing sent (TCP alone asks whether the client is there); 0 refuses it at once.
    pub hold_seconds: f64,
    /// As long may a request wait, in all, while somebody comes back: before the same account is asked once
    /// more after a 529, and for its turn at an account or an upstream that was away. 0: not at all.
    pub comeback_seconds: f64,
    /// A connection to an upstream that is not there by then failed; another account is tried.
    pub connect_seconds: f64,
    /// An upstream that has sent no head by then failed; another account is tried. Answers that are not
    /// streamed send theirs when they are finished, so this is long.
    pub head_seconds: f64,
    /// A stream that is silent this long is ended as `upstream_stalled`, and a request whose body is not whole
    /// by then is refused with 408.
    pub idle_seconds: f64,
    /// A drain waits this long for running requests.
    pub drain_seconds: f64,
    /// What an upstream said of its models is believed this long; then it is asked again, in the background
    /// and only while there is traffic. 0 never asks.
    pub models_hours: f64,
    /// Requests older than so many days are deleted once a day, with their attempts and with the decisions that only
    /// they were decided by; counted back from the newest request. 0 keeps them for ever. What budgets and caps are
    /// summed from stays.
    pub keep_days: u32,
    /// A client's connection on which no request is open for this long is closed: before its first request,
    /// in the middle of a head, or idle. A TLS handshake may take as long.
    pub client_seconds: f64,
    /// A client that takes nothing of what is ready for it for this long has left: its request ends as `client_left`,
    /// and its place, its account and its upstream are free.
    pub unread_seconds: f64,
    /// Connections of clients held open at once; the next one is closed at once.
    pub connections: usize,
    /// Whether a stream whose answer is all there, but for its `message_stop`, gets one from us. Otherwise it
    /// ends as the upstream ended it, and counts as cut.
    pub supply_message_stop: bool,
    /// Whether a stream that fails before its first word may move to another account. Its first events are
    /// then held back until the answer begins, for a second at most; never where there is no other account.
    pub early_failover: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            concurrent_requests: 2048,
            requests_per_account: 0,
            requests_per_key: 0,
            waiting_requests: 1024,
            wait_seconds: 10.0,
            hold_seconds: 0.0,
            comeback_seconds: 2.0,
            connect_seconds: 10.0,
            head_seconds: 600.0,
            idle_seconds: 300.0,
            drain_seconds: 30.0,
            models_hours: 6.0,
            keep_days: 0,
            client_seconds: 60.0,
            unread_seconds: 300.0,
            connections: 8192,
            supply_message_stop: true,
            early_failover: true,
        }
    }
}

/// What can stand in `settings.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    port: Option<u16>,
    vault: Option<VaultChoice>,
    require_key: bool,
    limits: Limits,
    listen: Vec<network::ListenEntry>,
    hosts: Vec<String>,
    tls: network::UpstreamTls,
    upstream_http2: Option<bool>,
    proxy: Option<String>,
}

/// What flags and environment said.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// `--data-dir` or `HEADGATE_DATA_DIR`.
    pub data_dir: Option<PathBuf>,
    /// `--port` or `HEADGATE_PORT`.
    pub port: Option<u16>,
    /// `HEADGATE_VAULT`.
    pub vault: Option<VaultChoice>,
    /// `HEADGATE_REQUIRE_KEY`.
    pub require_key: Option<bool>,
    /// `--listen`.
    pub listen: Vec<SocketAddr>,
    /// `HEADGATE_EXTRA_CA`.
    pub extra_ca: Option<PathBuf>,
    /// The usual variables.
    pub proxies: ProxyVariables,
}

/// Why the settings can't be used; a sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("no home folder is known here; choose a folder with --data-dir or HEADGATE_DATA_DIR")]
    NoHome,
    #[error("{path} can't be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} has a mistake in it: {message}")]
    Mistake { path: PathBuf, message: String },
}

impl Settings {
    /// Puts the choices over the file over the defaults.
    ///
    /// # Errors
    /// Where no folder can be found, or the file can't be read or has a mistake in it.
    pub fn load(choices: Choices) -> Result<Self, SettingsError> {
        let data_dir = Self::folder(choices.data_dir)?;
        let path = data_dir.join("settings.toml");
        let file = read_file(&path)?;
        let mistake = |message| SettingsError::Mistake { path: path.clone(), message };
        network::check_hosts(&file.hosts).map_err(mistake)?;
        let network = Network {
            listen: network::listen(file.listen, &choices.listen, &data_dir).map_err(mistake)?,
            hosts: file.hosts,
            extra_ca: choices.extra_ca.or(file.tls.extra_ca.map(|path| data_dir.join(path))),
            upstream_http2: file.upstream_http2.unwrap_or(true),
            proxies: Proxies::new(file.proxy.as_deref(), &choices.proxies).map_err(mistake)?,
        };
        Ok(Self {
            network,
            port: choices.port.or(file.port).unwrap_or(DEFAULT_PORT),
            vault: choices.vault.or(file.vault),
            require_key: choices.require_key.unwrap_or(file.require_key),
            limits: file.limits,
            data_dir,
        })
    }
}

impl Settings {
    /// The data folder, where this one was chosen or none was.
    ///
    /// # Errors
    /// Where no home folder is known.
    pub fn folder(chosen: Option<PathBuf>) -> Result<PathBuf, SettingsError> {
        let folder = chosen.or_else(default_data_dir).ok_or(SettingsError::NoHome)?;
        // What is started elsewhere is told the same folder: a profile's, say.
        Ok(std::path::absolute(&folder).unwrap_or(folder))
    }
}

fn default_data_dir() -> Option<PathBuf> {
    directories::ProjectDirs::from("dev", "", "headgate").map(|folders| folders.data_local_dir().to_owned())
}

fn read_file(path: &Path) -> Result<File, SettingsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(File::default()),
        Err(source) => return Err(SettingsError::Unreadable { path: path.to_owned(), source }),
    };
    let mistake = |message: String| SettingsError::Mistake { path: path.to_owned(), message };
    let file: File = toml::from_str(&text).map_err(|error| mistake(placed(&error, &text)))?;
    file.limits.check().map_err(mistake)?;
    Ok(file)
}

/// The mistake with its line and the key that stands there; never the value, which may be a password.
fn placed(error: &toml::de::Error, text: &str) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return error.message().to_owned();
    };
    let number = before.matches('\n').count();
    let line = text.lines().nth(number).unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.is_empty());
    let key = key.map_or_else(String::new, |key| format!(", {key}"));
    format!("line {}{key}: {}", number + 1, error.message())
}

impl Limits {
    fn check(&self) -> Result<(), String> {
        let seconds = [
            ("wait_seconds", self.wait_seconds),
            ("connect_seconds", self.connect_seconds),
            ("head_seconds", self.head_seconds),
            ("idle_seconds", self.idle_seconds),
            ("drain_seconds", self.drain_seconds),
            ("client_seconds", self.client_seconds),
            ("unread_seconds", self.unread_seconds),
        ];
        if let Some((name, _)) = seconds.iter().find(|(_, value)| !(0.001..=86_400.0).contains(value)) {
            return Err(format!("limits.{name} is a number of seconds from 0.001 to 86400"));
        }
        // Clients give up on a head after ten minutes.
        if !(0.0..=540.0).contains(&self.hold_seconds) {
            return Err("limits.hold_seconds is a number of seconds from 0 to 540".into());
        }
        // What is worth a longer wait is held.
        if !(0.0..=2.0).contains(&self.comeback_seconds) {
            return Err("limits.comeback_seconds is a number of seconds from 0 to 2".into());
        }
        if !(0.0..=10_000.0).contains(&self.models_hours) {
            return Err("limits.models_hours is a number of hours from 0 to 10000".into());
        }
        if self.keep_days != 0 && !(LEAST_KEPT_DAYS..=36_500).contains(&self.keep_days) {
            return Err(format!(
                "limits.keep_days is 0, which keeps requests for ever, or from {LEAST_KEPT_DAYS} to 36500"
            ));
        }
        if !(1..=1_000_000).contains(&self.concurrent_requests) || self.waiting_requests > 1_000_000 {
            return Err(
                "limits.concurrent_requests is from 1 to 1000000, waiting_requests at most 1000000".into()
            );
        }
        if !(1..=1_000_000).contains(&self.connections) {
            return Err("limits.connections is from 1 to 1000000".into());
        }
        if !(1024..=1 << 30).contains(&self.body_bytes) {
            return Err("limits.body_bytes is from 1024 to 1073741824".into());
        }
        Ok(())
    }

    /// See [`Limits::wait_seconds`].
    pub fn wait(&self) -> Duration {
        Duration::from_secs_f64(self.wait_seconds)
    }

    /// See [`Limits::hold_seconds`].
    pub fn hold(&self) -> Duration {
        Duration::from_secs_f64(self.hold_seconds)
    }

    /// See [`Limits::comeback_seconds`].
    pub fn comeback(&self) -> Duration {
        Duration::from_secs_f64(self.comeback_seconds)
    }

    /// See [`Limits::connect_seconds`].
    pub fn connect(&self) -> Duration {
        Duration::from_secs_f64(self.connect_seconds)
    }

    /// See [`Limits::head_seconds`].
    pub fn head(&self) -> Duration {
        Duration::from_secs_f64(self.head_seconds)
    }

    /// See [`Limits::idle_seconds`].
    pub fn idle(&self) -> Duration {
        Duration::from_secs_f64(self.idle_seconds)
    }

    /// See [`Limits::models_hours`]; `None` never asks.
    pub fn models(&self) -> Option<Duration> {
        (self.models_hours > 0.0).then(|| Duration::from_secs_f64(self.models_hours * 3600.0))
    }

    /// See [`Limits::keep_days`]; `None` keeps all.
    pub fn kept_days(&self) -> Option<u32> {
        (self.keep_days > 0).then_some(self.keep_days)
    }

    /// See [`Limits::drain_seconds`].
    pub fn drain(&self) -> Duration {
        Duration::from_secs_f64(self.drain_seconds)
    }

    /// See [`Limits::unread_seconds`].
    pub fn unread(&self) -> Duration {
        Duration::from_secs_f64(self.unread_seconds)
    }

    /// See [`Limits::client_seconds`].
    pub fn client(&self) -> Duration {
        Duration::from_secs_f64(self.client_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, port: Option<u16>) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("settings.toml"), text).unwrap();
        let data_dir = Some(folder.path().to_owned());
        Settings::load(Choices { data_dir, port, ..Choices::default() })
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        assert_eq!(load("", None).unwrap().port, DEFAULT_PORT);
        assert_eq!(load("port = 9000", None).unwrap().port, 9000);
        assert_eq!(load("port = 9000", Some(9001)).unwrap().port, 9001);
    }

    #[test]
    fn a_mistake_is_named_with_its_file() {
        for text in [
            "prot = 1",
            "port = \"x\"",
            "[limits]\nidle_seconds = -1",
            "[limits]\nhold_seconds = 9999",
            "[limits]\nkeep_days = 36501",
            "[limits]\nkeep_days = -1",
            "[limits]\nconcurrent_requests = 0",
            "port = 99999",
            "[[listen]]\naddress = \"0.0.0.0:1\"\ntls = \"off\"",
            "[[listen]]\naddress = \"0.0.0.0:1\"\ntls = \"on\"",
            "[[listen]]\naddress = \"headgate.lan\"",
            "hosts = [\"http://headgate.lan\"]",
            "hosts = [\"headgate.lan:8443\"]",
        ] {
            let error = load(text, None).unwrap_err().to_string();
            assert!(error.contains("settings.toml"), "{error}");
        }
        for (text, says) in [
            ("hosts = []\nport = 99999", "line 2, port"),
            ("require_key = \"yes\"", "line 1, require_key"),
            ("[[listen]]\naddress = \"headgate.lan\"", "line 2, address"),
        ] {
            let error = load(text, None).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn beyond_the_loopback_plain_text_wants_to_be_asked_for() {
        let text = "[[listen]]\naddress = \"0.0.0.0:1\"\ntls = \"off\"\nallow_plaintext = true\n\
                    [[listen]]\naddress = \"[::]:2\"\ntls = { cert = \"c.pem\", key = \"/k.pem\" }";
        let listen = load(text, None).unwrap().network.listen;
        assert_eq!(listen[0].tls, ListenTls::Off);
        let ListenTls::Files { cert, key } = &listen[1].tls else { panic!("{listen:?}") };
        assert!(cert.is_absolute() && cert.ends_with("c.pem"), "relative to the data folder: {cert:?}");
        assert_eq!(key, Path::new("/k.pem"));
    }

    #[test]
    fn a_bound_beyond_what_can_be_counted_is_a_mistake_not_a_panic() {
        let text = format!("[limits]\nconcurrent_requests = {}", i64::MAX);
        if let Ok(settings) = load(&text, None) {
            let _ = tokio::sync::Semaphore::new(settings.limits.concurrent_requests);
        }
    }
}

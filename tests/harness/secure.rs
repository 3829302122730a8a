//! An authority of our own, an upstream that speaks TLS under it, and a proxy that gives tunnels.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use headgate::settings::Network;
use http::{HeaderMap, Request, Response, Uri, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

/// What the upstream says; the shape of a whole message.
pub const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}"#;

/// Issues certificates; its own one lies in a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        // Two authorities of one name would be told apart by their signatures alone.
        let key = KeyPair::generate().unwrap();
        let name = format!("authority {:?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let folder = tempfile::tempdir().unwrap();
        let own = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A network in which it is trusted.
    pub fn network(&self) -> Network {
        Network { extra_ca: Some(self.file()), ..Network::default() }
    }

    fn issue(&self, names: &[&str], expired: bool) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes a new certificate for these names, and its key, into PEM files.
    pub fn write(&self, names: &[&str], cert: &Path, key: &Path) -> CertificateDer<'static> {
        let (certificate, own) = self.issue(names, false);
        std::fs::write(key, own.serialize_pem()).unwrap();
        std::fs::write(cert, certificate.pem()).unwrap();
        certificate.der().clone()
    }

    fn config(&self, names: &[&str], expired: bool, alpn: &[&str]) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.issue(names, expired);
        let certificate = certificate.der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// An upstream under these names.
    pub async fn upstream(&self, names: &[&str]) -> Secure {
        Secure::start(self.config(names, false, &["h2", "http/1.1"]), Manner::Whole).await
    }

    /// One with whom no handshake comes to its end.
    pub async fn failing(&self, handshake: Handshake) -> Secure {
        let (mut names, mut issuer, mut manner) = (["127.0.0.1"], self, Manner::Whole);
        let stranger = Self::new();
        match handshake {
            Handshake::Stranger => issuer = &stranger,
            Handshake::WrongName => names = ["other.example"],
            Handshake::Expired => {}
            Handshake::Cut | Handshake::Stall | Handshake::Plain => manner = Manner::Spoiled(handshake),
        }
        let is_expired = matches!(handshake, Handshake::Expired);
        Secure::start(issuer.config(&names, is_expired, &["h2", "http/1.1"]), manner).await
    }

    /// One whose answers begin and never end.
    pub async fn endless(&self) -> Secure {
        Secure::start(self.config(&["127.0.0.1"], false, &["h2"]), Manner::Endless).await
    }

    /// One that plays these turns, a connection each, over HTTP/2.
    pub async fn playing(&self, turns: Vec<Turn>) -> Secure {
        Secure::start(self.config(&["127.0.0.1"], false, &["h2"]), Manner::Turns(turns)).await
    }
}

/// What fails before the first byte of HTTP.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handshake {
    /// The certificate is of an authority that nobody knows.
    Stranger,
    /// It is another name's.
    WrongName,
    /// Its time is over.
    Expired,
    /// The connection is closed when the client has said hello.
    Cut,
    /// Nothing comes back.
    Stall,
    /// What comes back is no TLS.
    Plain,
}

enum Manner {
    Spoiled(Handshake),
    Whole,
    Endless,
    Turns(Vec<Turn>),
}

/// What becomes of one connection after its first request, which is answered.
#[derive(Clone, Copy)]
pub enum Turn {
    /// All further ones are answered too.
    Answer,
    /// The second one is refused unprocessed.
    RefuseSecond,
    /// It says goodbye, and ends when the answer is through.
    GoAway,
    /// The second one is read, and the connection is cut.
    CutSecond,
}

#[derive(Default)]
pub struct Heard {
    pub connections: AtomicUsize,
    pub requests: Mutex<Vec<Version>>,
    /// Where each of them went, and what stood above it.
    pub heads: Mutex<Vec<(Uri, HeaderMap)>>,
    /// An answer was given up by who asked.
    pub cancelled: Notify,
    /// The connection of a turn has ended.
    pub ended: Notify,
}

impl Heard {
    fn hear<B>(&self, request: &Request<B>) {
        self.requests.lock().unwrap().push(request.version());
        self.heads.lock().unwrap().push((request.uri().clone(), request.headers().clone()));
    }

    pub fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

pub struct Secure {
    pub port: u16,
    pub heard: Arc<Heard>,
    _tasks: JoinSet<()>,
}

impl Secure {
    async fn start(config: Arc<rustls::ServerConfig>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Heard::default());
        let (told, manner) = (Arc::clone(&heard), Arc::new(manner));
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let number = told.connections.fetch_add(1, Ordering::Relaxed);
                let (acceptor, told, manner) = (acceptor.clone(), Arc::clone(&told), Arc::clone(&manner));
                running.spawn(async move {
                    if let Manner::Spoiled(handshake) = &*manner {
                        return spoil(socket, *handshake).await;
                    }
                    let Ok(io) = acceptor.accept(socket).await else { return };
                    if let Manner::Turns(turns) = &*manner {
                        play(io, turns[number.min(turns.len() - 1)], &told).await;
                        return told.ended.notify_one();
                    }
                    let service = service_fn(|request: Request<Incoming>| answer(request, &told, &manner));
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(io), service).await);
                });
            }
        });
        Self { port, heard, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }
}

async fn spoil(mut socket: TcpStream, handshake: Handshake) {
    let _ = socket.read(&mut [0; 2048]).await;
    match handshake {
        Handshake::Stall => drop(socket.read(&mut [0]).await),
        Handshake::Plain => drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await),
        _ => {}
    }
}

type Answered = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn answer(
    request: Request<Incoming>,
    heard: &Arc<Heard>,
    manner: &Manner,
) -> impl Future<Output = Result<Answered, Infallible>> + use<> {
    heard.hear(&request);
    let body = match manner {
        Manner::Endless => Endless { heard: Arc::clone(heard), begun: false }.boxed_unsync(),
        _ => Full::new(Bytes::from_static(MESSAGE.as_bytes())).boxed_unsync(),
    };
    let kind = if matches!(manner, Manner::Endless) { "text/event-stream" } else { "application/json" };
    async move {
        request.into_body().collect().await.unwrap();
        Ok(Response::builder().header("content-type", kind).body(body).unwrap())
    }
}

struct Endless {
    heard: Arc<Heard>,
    begun: bool,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::replace(&mut self.begun, true) {
            return std::task::Poll::Pending;
        }
        let ping = Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
        std::task::Poll::Ready(Some(Ok(Frame::data(ping))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.heard.cancelled.notify_one();
    }
}

async fn play(io: tokio_rustls::server::TlsStream<TcpStream>, turn: Turn, heard: &Heard) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    let mut count = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        heard.hear(&request);
        count += 1;
        match turn {
            Turn::RefuseSecond if count == 2 => {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                continue;
            }
            Turn::CutSecond if count == 2 => return,
            _ => {}
        }
        let head = Response::builder().header("content-type", "application/json").body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::from_static(MESSAGE.as_bytes()), true).unwrap();
        if matches!(turn, Turn::GoAway) {
            connection.graceful_shutdown();
        }
    }
}

async fn give_way(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    port: u16,
    status: &str,
    told: &Mutex<Vec<Asked>>,
) {
    let mut client = BufReader::new(socket);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let credential = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
    });
    told.lock().unwrap().push((lines[0].clone(), credential));
    client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
    if status.starts_with("200") {
        let mut upstream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
    }
}

/// The first line of a request and its credential.
type Asked = (String, Option<String>);

/// A proxy that leads every tunnel to one port of the loopback, whatever name was asked for.
pub struct Proxy {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// In plain text.
    pub async fn towards(port: u16, status: &'static str) -> Self {
        Self::start(port, status, None).await
    }

    /// Over TLS, under a certificate of this authority.
    pub async fn secure(authority: &Authority, port: u16) -> Self {
        let config = authority.config(&["127.0.0.1"], false, &["http/1.1"]);
        Self::start(port, "200 OK", Some(config.into())).await
    }

    async fn start(port: u16, status: &'static str, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (told, tls) = (Arc::clone(&told), tls.clone());
                running.spawn(async move {
                    let Some(tls) = tls else { return give_way(socket, port, status, &told).await };
                    if let Ok(socket) = tls.accept(socket).await {
                        give_way(socket, port, status, &told).await;
                    }
                });
            }
        });
        Self { port: own, asked, _tasks: tasks }
    }

    /// What it was asked with, in this order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

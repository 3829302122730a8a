//! A scripted authorisation server on the loopback: what every sign-in of the tests is played against. It signs
//! everybody in at once, keeps to the RFCs where it is not told otherwise, and counts what it saw.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::{net::TcpStream, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{authority_grants::Grants, listen, pieces::Gates, recorder::in_time};
use crate::{clock::Clock, tasks::Tasks};

/// Where it can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Desk {
    /// Its discovery document.
    Discovery,
    /// Where a browser comes.
    Authorise,
    /// Where a code becomes tokens.
    Code,
    /// Where a refresh token becomes the next one.
    Refresh,
    /// Where a device code is given out.
    Device,
    /// Where a person enters a device's code.
    Enter,
    /// Where somebody asks whether the person has answered.
    Poll,
    /// Where a token is given back.
    Revoke,
    /// Where a code becomes a plain key.
    Key,
    /// Nowhere that it knows.
    Elsewhere,
}

/// What it does once in place of what it should.
#[derive(Debug, Clone)]
pub enum Mischief {
    /// Says no with this code, status 400, and prose that repeats what was sent.
    Refuse(String),
    /// Is in trouble: this status, and a body that looks like a refusal.
    Status(u16),
    /// Answers properly and says that it is something else.
    WrongType,
    /// Answers with a web page.
    Page,
    /// Answers with JSON that is none of the answers there are.
    Nonsense,
    /// Answers with this.
    Say(String),
    /// Answers with more than anybody should read.
    Flood,
    /// Sends the asker elsewhere.
    Redirect(String),
    /// Does it, and lets nobody know: the connection breaks before the answer.
    LoseAnswer,
    /// Does nothing before this gate is opened.
    Hold(String),
    /// As `Hold`, and then this.
    Late(String, Box<Mischief>),
}

/// A question that it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where.
    pub desk: Desk,
    /// The path, and the query behind it.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// What was sent, however it was written.
    pub fields: BTreeMap<String, String>,
}

/// How it is set up.
#[derive(Debug, Clone)]
pub struct House {
    /// How long an access token lives by its own clock; `None` says nothing about it.
    pub token_life: Option<Duration>,
    /// What it says of that in place of the truth, as one whose clock is wrong would.
    pub says_token_life: Option<i64>,
    /// Whether each refresh brings a new refresh token and takes the old one away. One that is shown again ends all
    /// that came of its sign-in.
    pub rotates: bool,
    /// The client's secret, if it has one.
    pub client_secret: Option<String>,
    /// Seconds between two questions for a device's tokens.
    pub interval: u64,
    /// Whether it says in each answer whose it is (RFC 9207), and in its document that it does.
    pub names_itself: bool,
}

impl Default for House {
    fn default() -> Self {
        Self {
            token_life: Some(Duration::from_hours(1)),
            says_token_life: None,
            rotates: true,
            client_secret: None,
            interval: 0,
            names_itself: false,
        }
    }
}

/// A running authorisation server. Dropping it closes every connection at once.
#[derive(Debug)]
pub struct Authority {
    base_url: String,
    office: Arc<Office>,
    stop: CancellationToken,
}

/// The only client that it knows.
pub const CLIENT: &str = "headgate-test";
/// As many questions are remembered; the oldest goes first.
const MOST_ASKED: usize = 1024;
/// What it reads of a question.
const MOST_BODY: usize = 64 * 1024;

#[derive(Debug)]
struct Office {
    grants: Mutex<Grants>,
    mischief: Mutex<BTreeMap<Desk, VecDeque<Mischief>>>,
    asked: watch::Sender<VecDeque<Arc<Asked>>>,
    gates: Gates,
    clock: Clock,
    base_url: String,
}

impl Authority {
    /// Opens on a free port of the loopback.
    ///
    /// # Errors
    /// The system's, if it has no port left.
    pub async fn start(house: House, clock: &Clock, tasks: &Tasks) -> io::Result<Self> {
        let listener = listen::bind(0).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let office = Arc::new(Office {
            grants: Mutex::new(Grants::new(house)),
            mischief: Mutex::default(),
            asked: watch::Sender::default(),
            gates: Gates::default(),
            clock: clock.clone(),
            base_url: base_url.clone(),
        });
        let stop = CancellationToken::new();
        let (accepting, ending, of_tasks) = (Arc::clone(&office), stop.clone(), tasks.clone());
        tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = ending.cancelled() => return,
                    () = of_tasks.stopping() => return,
                };
                if let Ok((stream, _)) = accepted {
                    of_tasks.spawn(serve(stream, Arc::clone(&accepting), ending.clone(), of_tasks.clone()));
                }
            }
        });
        Ok(Self { base_url, office, stop })
    }

    /// Where it listens, which is its issuer too: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Has it do this next at a desk, before anything proper.
    pub fn script(&self, desk: Desk, mischief: impl IntoIterator<Item = Mischief>) {
        lock(&self.office.mischief).entry(desk).or_default().extend(mischief);
    }

    /// The questions that are remembered, oldest first.
    pub fn asked(&self) -> Vec<Arc<Asked>> {
        self.office.asked.borrow().iter().cloned().collect()
    }

    /// How often it was asked there.
    pub fn count(&self, desk: Desk) -> usize {
        self.office.asked.borrow().iter().filter(|asked| asked.desk == desk).count()
    }

    /// Waits until it was asked there so often; false after twenty seconds.
    pub async fn await_asked(&self, desk: Desk, times: usize) -> bool {
        let mut asked = self.office.asked.subscribe();
        let often = asked.wait_for(|asked| asked.iter().filter(|asked| asked.desk == desk).count() >= times);
        in_time(often).await.is_some()
    }

    /// Waits until an answer is held at this gate; false after twenty seconds.
    pub async fn await_held(&self, gate: &str) -> bool {
        in_time(self.office.gates.reached(gate, 1)).await.is_some()
    }

    /// Lets everything pass that is held at this gate, now and later.
    pub fn release(&self, gate: &str) {
        self.office.gates.release(gate);
    }

    /// Changes how it is set up.
    pub fn furnish(&self, change: impl FnOnce(&mut House)) {
        change(&mut lock(&self.office.grants).house);
    }

    /// The person types this code and agrees, or does not. False if there is no such code.
    pub fn answer_device(&self, user_code: &str, agrees: bool) -> bool {
        lock(&self.office.grants).answer_device(user_code, agrees)
    }

    /// Takes every sign-in back, as a person can at their provider.
    pub fn withdraw_all(&self) {
        lock(&self.office.grants).withdraw_all();
    }

    /// Whether this access token is good now, by the server's own clock.
    pub fn accepts(&self, access_token: &str) -> bool {
        lock(&self.office.grants).accepts(access_token, self.office.clock.now())
    }

    /// How many sign-ins it has given tokens for and not ended.
    pub fn live(&self) -> usize {
        lock(&self.office.grants).live()
    }

    /// Every secret that it gave out or was shown, for whoever looks where they went.
    pub fn secrets(&self) -> Vec<String> {
        lock(&self.office.grants).secrets.clone()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, office: Arc<Office>, stop: CancellationToken, tasks: Tasks) {
    let service = service_fn(move |request| answer(Arc::clone(&office), request));
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Errors are what the script wanted, or somebody who left.
        _ = connection => {}
        () = stop.cancelled() => {}
        () = tasks.stopping() => {}
    }
}

/// What it says: a status, a kind, and a text; or where it sends a browser.
pub(super) struct Said {
    pub status: u16,
    pub kind: &'static str,
    pub location: Option<String>,
    pub text: String,
}

impl Said {
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self { status, kind: "application/json", location: None, text: value.to_string() }
    }

    pub fn refusal(code: &str, prose: &str) -> Self {
        Self::json(400, &serde_json::json!({ "error": code, "error_description": prose }))
    }
}

async fn answer(office: Arc<Office>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MOST_BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    let fields = fields(head.uri.query().unwrap_or_default(), &head.headers, &body);
    let desk = desk(&head.method, head.uri.path(), &fields);
    let asked = Arc::new(Asked { desk, target: head.uri.to_string(), headers: head.headers, fields });
    let mischief = lock(&office.mischief).get_mut(&desk).and_then(VecDeque::pop_front);
    office.asked.send_modify(|all| {
        all.push_back(Arc::clone(&asked));
        if all.len() > MOST_ASKED {
            all.pop_front();
        }
    });
    if let Some(Mischief::Hold(gate) | Mischief::Late(gate, _)) = &mischief {
        office.gates.pass(gate).await;
    }
    let mischief = match mischief {
        Some(Mischief::Late(_, then)) => Some(*then),
        other => other,
    };
    let now = office.clock.now();
    let said = match &mischief {
        Some(Mischief::Refuse(code)) => Said::refusal(code, &format!("{:?}", asked.fields)),
        Some(Mischief::Status(status)) => {
            Said::json(*status, &serde_json::json!({ "error": "invalid_grant" }))
        }
        Some(Mischief::Nonsense) => {
            Said::json(200, &serde_json::json!({ "nothing": [asked.fields.get("code")] }))
        }
        Some(Mischief::Say(text)) => {
            Said { status: 200, kind: "application/json", location: None, text: text.clone() }
        }
        Some(Mischief::Flood) => Said::json(200, &serde_json::json!({ "access_token": "a".repeat(1 << 20) })),
        Some(Mischief::Redirect(to)) => {
            Said { status: 307, kind: "text/plain", location: Some(to.clone()), text: String::new() }
        }
        Some(Mischief::Page) => Said {
            status: 200,
            kind: "text/html",
            location: None,
            text: "<h1>Sign in to the network</h1>".into(),
        },
        _ => properly(&office, &asked, now),
    };
    if matches!(mischief, Some(Mischief::LoseAnswer)) {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let kind = if matches!(mischief, Some(Mischief::WrongType)) { "text/html" } else { said.kind };
    let mut response = Response::builder().status(said.status).header("content-type", kind);
    if let Some(location) = said.location {
        response = response.header("location", location);
    }
    response.body(Full::from(said.text)).map_err(io::Error::other)
}

fn properly(office: &Office, asked: &Asked, now: Timestamp) -> Said {
    let mut grants = lock(&office.grants);
    match asked.desk {
        Desk::Discovery => Said::json(200, &document(&office.base_url, grants.house.names_itself)),
        Desk::Authorise => grants.authorise(&asked.fields, &office.base_url, now),
        Desk::Code => grants.code(asked, now),
        Desk::Refresh => grants.refresh(asked, now),
        Desk::Device => grants.device(asked, &office.base_url, now),
        Desk::Enter => grants.enter(&asked.fields),
        Desk::Poll => grants.poll(asked, now),
        Desk::Revoke => grants.revoke(asked),
        Desk::Key => grants.key(&asked.fields, now),
        Desk::Elsewhere => Said::json(404, &serde_json::json!({ "error": "not_found" })),
    }
}

fn desk(method: &Method, path: &str, fields: &BTreeMap<String, String>) -> Desk {
    let grant = fields.get("grant_type").map_or("", String::as_str);
    // The paths of the built-in definitions lead here too, so that one stand-in serves for all of them.
    match (method.as_str(), path) {
        ("GET", path) if path.contains("/.well-known/") => Desk::Discovery,
        ("GET", path) if path.ends_with("/authorize") || path.ends_with("/auth") => Desk::Authorise,
        ("GET", "/activate") => Desk::Enter,
        ("POST", "/api/v1/auth/keys") => Desk::Key,
        ("POST", path) if path.ends_with("/revoke") => Desk::Revoke,
        ("POST", path) if path.ends_with("/device") || path.ends_with("/devicecode") => Desk::Device,
        ("POST", path) if path.ends_with("/token") => match grant {
            "refresh_token" => Desk::Refresh,
            "urn:ietf:params:oauth:grant-type:device_code" => Desk::Poll,
            _ => Desk::Code,
        },
        _ => Desk::Elsewhere,
    }
}

fn document(base_url: &str, names_itself: bool) -> serde_json::Value {
    serde_json::json!({
        "issuer": base_url,
        "authorization_endpoint": format!("{base_url}/authorize"),
        "token_endpoint": format!("{base_url}/token"),
        "device_authorization_endpoint": format!("{base_url}/device"),
        "revocation_endpoint": format!("{base_url}/revoke"),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": names_itself,
    })
}

/// Query, form and JSON alike. What is named twice is there once, as the last one said.
fn fields(query: &str, headers: &HeaderMap, body: &[u8]) -> BTreeMap<String, String> {
    let is_json =
        headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let parsed = |text: &[u8]| -> Vec<(String, String)> {
        url::form_urlencoded::parse(text)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    };
    let mut all: BTreeMap<String, String> = parsed(query.as_bytes()).into_iter().collect();
    if is_json {
        all.extend(serde_json::from_slice::<BTreeMap<String, String>>(body).unwrap_or_default());
    } else {
        all.extend(parsed(body));
    }
    all
}

//! Which core the window talks to: its own, another one that already runs on the same data folder, or none,
//! and then why. Asking and listening look the same for each, and nothing above this file knows which it is.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tower::ServiceExt;

use crate::{
    api::views::{Problem, Status},
    app::{App, AppError, CoreFile},
    clock::Clock,
    secrets::{FILE_VARIABLE, Passphrase},
    settings::{Choices, Settings, SettingsError},
};

/// Opening longer than this is told, for it waits for the user: a keychain asks for its password.
const PATIENCE: Duration = Duration::from_secs(2);

const STATUS: &str = "/api/v1/status";
/// Serve again: where nothing is served because something failed, that is to try it again.
const RESUME: &str = "/api/v1/proxy/resume";

/// What answers requests now.
#[derive(Clone)]
pub enum Core {
    /// Not known yet.
    Opening,
    /// In this process.
    Own(App),
    /// In another process, on the same data folder.
    Other(CoreFile),
    /// Nowhere, and why.
    Absent(Problem),
}

/// The window's side of the core. Clones are the same desk.
#[derive(Clone)]
pub struct Desk(Arc<Parts>);

struct Parts {
    choices: Choices,
    clock: Clock,
    core: watch::Sender<Core>,
    /// Taken while the folder is being opened: an impatient second try would find the first one's lock on it.
    opening: Mutex<()>,
    closing: AtomicBool,
}

impl Desk {
    /// Opens nothing yet.
    pub fn new(choices: Choices) -> Self {
        let core = watch::Sender::new(Core::Opening);
        let (clock, opening, closing) = (Clock::system(), Mutex::default(), AtomicBool::default());
        Self(Arc::new(Parts { choices, clock, core, opening, closing }))
    }

    /// Where everything is kept, the window's own things too; `None` where the settings can't be read.
    pub fn folder(&self) -> Option<PathBuf> {
        let settings = self.settings().ok()?;
        std::path::absolute(settings.data_dir).ok()
    }

    fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::load(self.0.choices.clone())
    }

    /// The core of this moment, and each later one.
    pub fn cores(&self) -> watch::Receiver<Core> {
        self.0.core.subscribe()
    }

    /// Opens the data folder, or finds out who has it, or why it can't be opened.
    pub async fn open(&self) {
        let _turn = self.0.opening.lock().await;
        if matches!(*self.0.core.borrow(), Core::Own(_)) {
            return;
        }
        let core = self.find_core().await.unwrap_or_else(Core::Absent);
        self.0.core.send_replace(core);
    }

    async fn find_core(&self) -> Result<Core, Problem> {
        let settings = self.settings().map_err(|error| problem("settings", error))?;
        let clock = self.0.clock.clone();
        // The disk and the keychain may take their time, and the keychain may ask the user.
        // Only by a file: what is in the environment goes on to whatever the desktop is asked to open.
        let opened = tokio::task::spawn_blocking(move || {
            let passphrase = Passphrase::given(None, std::env::var_os(FILE_VARIABLE))?;
            App::open_sealed(settings, clock, passphrase)
        });
        let opened = opened.await;
        match opened.map_err(|error| problem("not_opened", error))? {
            Ok(app) => {
                app.gets_a_window();
                // A port that is taken stands in the status, with the next step; the window shows it.
                let _ = app.start();
                Ok(Core::Own(app))
            }
            Err(AppError::InUse { core: Some(other), .. }) => Ok(Core::Other(other)),
            Err(error) => Err(problem("not_opened", error)),
        }
    }

    /// Says that there is no core any more, and why.
    pub fn lose(&self, why: Problem) {
        self.0.core.send_replace(Core::Absent(why));
    }

    /// Tries again what failed: to open the folder, or to listen.
    async fn retry(&self) {
        let core = self.0.core.borrow().clone();
        match core {
            Core::Own(app) => drop(app.start()),
            Core::Absent(_) => self.open().await,
            Core::Other(_) | Core::Opening => {}
        }
    }

    /// Passes a request to whatever core there is.
    pub async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Response<Body> {
        if method == Method::POST && path == RESUME {
            self.retry().await;
        }
        match self.settled().await {
            Core::Own(app) => match app.router().oneshot(request(method, path, body).map(Body::from)).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Core::Other(other) => match other.send(request(method, path, body)).await {
                Ok(response) => response.map(Body::new),
                Err(silent) => answer(StatusCode::SERVICE_UNAVAILABLE, &problem("other_core", silent)),
            },
            Core::Absent(why) => self.answer_for(why, &method, path),
            Core::Opening => {
                let why = "Headgate is still opening its data folder. If your keychain asks for its password, answer it.";
                self.answer_for(problem("opening", why), &method, path)
            }
        }
    }

    /// Without a core there is only its status, which says why.
    fn answer_for(&self, why: Problem, method: &Method, path: &str) -> Response<Body> {
        if (method, path) == (&Method::GET, STATUS) || (method, path) == (&Method::POST, RESUME) {
            answer(StatusCode::OK, &self.no_core(why))
        } else {
            answer(StatusCode::SERVICE_UNAVAILABLE, &why)
        }
    }

    async fn settled(&self) -> Core {
        let mut cores = self.cores();
        let known = cores.wait_for(|core| !matches!(core, Core::Opening));
        match tokio::time::timeout(PATIENCE, known).await {
            Ok(Ok(core)) => core.clone(),
            _ => Core::Opening,
        }
    }

    fn no_core(&self, why: Problem) -> Status {
        let folder = self.folder().unwrap_or_default().display().to_string();
        Status::without_core(why.message, folder, self.0.clock.now())
    }

    /// False where somebody has asked before.
    pub fn begin_to_close(&self) -> bool {
        !self.0.closing.swap(true, Ordering::Relaxed)
    }

    /// Whether the user has quit and running requests are being waited for.
    pub fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// Lets running requests end, for as long as the settings allow. Another process's core goes on.
    pub async fn close(&self) {
        let core = self.0.core.borrow().clone();
        if let Core::Own(app) = core {
            app.drain().await;
        }
    }
}

/// A request as both kinds of core take it.
pub fn request(method: Method, path: &str, body: Option<String>) -> Request<Bytes> {
    let mut request = Request::new(body.map(Bytes::from).unwrap_or_default());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    request
}

fn answer(status: StatusCode, view: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(view).expect("views have no maps with keys that are not text");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

/// An error as the page shows it.
pub fn problem(code: &str, sentence: impl ToString) -> Problem {
    Problem { code: code.into(), message: sentence.to_string() }
}

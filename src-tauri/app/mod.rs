//! Builds every room once, in order, hands out the handles, starts and drains. Holds no logic of its own.

mod core_file;
mod jobs;
mod remote;
mod vault;

use std::{
    io,
    net::SocketAddr,
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use tower::ServiceExt;

pub use core_file::{Busy, CoreFile, FolderLock};
pub use remote::{RemoteBody, Silent};
pub use vault::kind_of;

use crate::{
    accounts::{
        EditError, Roster,
        homes::Homes,
        renewal::Renewals,
        sign_in::{Carrier, Desk},
    },
    api::{Api, Keys, Listening, Parts},
    clients::Profiles,
    clock::Clock,
    events::{Event, Events},
    keys::{self, Register},
    ledger::{self, Ledger},
    metering::Prices,
    providers::Catalog,
    proxy::{
        Admission, AnswerBody, Counting, Courier, Cut, Decisions, Door, Gateway, Outward, Places, Probes,
        Server, StartError, Warm,
    },
    routing::Ration,
    scheduler::Scheduler,
    secrets::{Passphrase, Vault, VaultError},
    settings::Settings,
    store::{self, OpenError, Store, StoreError},
    tasks::Tasks,
};

/// A core: the proxy with all it needs. Clones are the same core.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    settings: Settings,
    api: Api,
    ledger: Ledger,
    store: Store,
    tasks: Tasks,
    carrier: Arc<dyn Carrier>,
    server: Mutex<Option<Server>>,
    /// Released last: nobody else may open the folder before the store is closed.
    lock: FolderLock,
}

/// Why a core could not be built; each is a sentence with a next step.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Another core has the folder; it can be reached if it listens.
    #[error(
        "another Headgate is using {folder}; stop it first, or give this one a folder of its own with --data-dir"
    )]
    InUse { folder: String, core: Option<CoreFile> },
    /// A command has the folder, and waits for something that may take minutes.
    #[error(
        "`headgate {}` (pid {}) and has {folder} until that is over; finish it, or end it with Ctrl-C there, and try \
         again. While `headgate serve` runs, such a command keeps nobody waiting",
        .busy.doing,
        .busy.pid
    )]
    Busy { folder: String, busy: Busy },
    #[error("the data folder {folder} can't be used: {source}")]
    Folder { folder: String, source: io::Error },
    #[error("{error} ({path})")]
    Database { path: String, error: OpenError },
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("the database could not be read: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Accounts(EditError),
    #[error(transparent)]
    Keys(keys::EditError),
    #[error("this system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// The database in a data folder; a core has the folder's lock before it makes one.
pub const DATABASE: &str = "headgate.db";
/// Where profiles of Claude Code get their folders.
const PROFILES: &str = "profiles";
/// How long the last records may take to reach the disk, and a job to come to a safe point.
const LAST_RECORDS: Duration = Duration::from_secs(10);
/// The number of those that wait is told this often at most.
const QUEUE_PAUSE: Duration = Duration::from_millis(250);

impl App {
    /// Builds a core on the settings' data folder. Blocks on disk and keychain. `vault` replaces the one
    /// that the settings name: the demo's and the tests' secrets live in memory.
    ///
    /// # Errors
    /// [`AppError`]; nothing was changed then but that the folder may have been made.
    pub fn open(settings: Settings, clock: Clock, vault: Option<Arc<dyn Vault>>) -> Result<Self, AppError> {
        Self::open_with(settings, clock, vault, Catalog::built_in())
    }

    /// The same with another catalog: the tests' sign-ins lead to a stand-in.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_with(
        settings: Settings,
        clock: Clock,
        vault: Option<Arc<dyn Vault>>,
        catalog: Catalog,
    ) -> Result<Self, AppError> {
        let find = |settings: &Settings, store: &Store| match vault {
            Some(vault) => Ok(vault::Found::given(vault)),
            None => vault::find(settings, store, None),
        };
        Self::build(settings, clock, catalog, find)
    }

    /// Like [`App::open`], where a sealed file may be sealed with this passphrase.
    ///
    /// # Errors
    /// As [`App::open`]; `NeedsPassphrase` and `WrongPassphrase` among the vault's.
    pub fn open_sealed(
        settings: Settings,
        clock: Clock,
        passphrase: Option<Passphrase>,
    ) -> Result<Self, AppError> {
        let find = |settings: &Settings, store: &Store| vault::find(settings, store, passphrase);
        Self::build(settings, clock, Catalog::built_in(), find)
    }

    fn build(
        settings: Settings,
        clock: Clock,
        catalog: Catalog,
        find: impl FnOnce(&Settings, &Store) -> Result<vault::Found, AppError>,
    ) -> Result<Self, AppError> {
        let folder = settings.data_dir.display().to_string();
        let lock = FolderLock::take_in_turn(&settings.data_dir).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => {
                let (folder, core) = (folder.clone(), CoreFile::read(&settings.data_dir));
                match Busy::read(&settings.data_dir).filter(|_| core.is_none()) {
                    Some(busy) => AppError::Busy { folder, busy },
                    None => AppError::InUse { folder, core },
                }
            }
            _ => AppError::Folder { folder: folder.clone(), source },
        })?;
        let store = open_store(&settings.data_dir)?;
        let vault::Found { vault, open, passphrase, chosen } = find(&settings, &store)?;
        let events = Events::default();
        let tasks = Tasks::default();
        let interrupted = store.interrupt_open()?;
        if interrupted > 0 {
            tracing::warn!(interrupted, "requests were running when Headgate ended the last time");
        }
        let ration = Ration::of(NonZeroU32::new(settings.limits.requests_per_account));
        let roster = Roster::load(store.clone(), vault, catalog, clock.clone(), events.clone(), ration)
            .map_err(|error| match error {
                EditError::Vault(error) => AppError::Vault(error),
                error => AppError::Accounts(error),
            })?;
        let homes = Homes::load(roster.clone(), open, chosen, passphrase)?;
        let ledger = Ledger::new(store.clone(), events.clone(), ledger::SLOTS)?;
        let register =
            Register::load(store.clone(), clock.clone(), events.clone()).map_err(AppError::Keys)?;
        let profiles = settings.data_dir.join(PROFILES);
        let profiles = Profiles::load(store.clone(), clock.clone(), events.clone(), profiles)?;
        let outward = Outward::new(&settings.network, settings.port);
        let carrier: Arc<dyn Carrier> =
            Arc::new(Courier::new(outward.clone(), &settings.limits, clock.clone(), tasks.clone()));
        let sign_ins =
            Desk::new(roster.clone(), Arc::clone(&carrier), clock.clone(), events.clone(), tasks.clone());
        let renewals = Renewals::load(roster.clone(), Arc::clone(&carrier), tasks.clone())?;
        let gateway = Gateway::new(crate::proxy::Parts {
            roster,
            renewals,
            keys: register,
            profiles,
            require_key: settings.require_key,
            prices: Prices::built_in(),
            ledger: ledger.clone(),
            admission: Admission::new(&settings.limits, clock.clone()),
            decisions: Decisions::default(),
            counting: Counting::new(tasks.clone()),
            warm: Warm::default(),
            outward,
            limits: settings.limits.clone(),
            clock: clock.clone(),
            paused: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let jobs = jobs::all(&gateway, &store, &tasks);
        let scheduler = Scheduler::load(store.clone(), clock.clone(), events.clone(), tasks.clone(), jobs)?;
        let api = Api::new(Parts {
            gateway,
            sign_ins,
            scheduler,
            store: store.clone(),
            events,
            tasks: tasks.clone(),
            keys: Keys::new()?,
            listening: RwLock::new(Listening::No),
            homes,
            data_dir: folder,
            started_at: clock.now(),
            backtests: Arc::new(tokio::sync::Semaphore::new(1)),
            probes: Probes::default(),
            has_window: AtomicBool::new(false),
            clock,
        });
        let inner = Inner { settings, api, ledger, store, tasks, carrier, server: Mutex::default(), lock };
        Ok(Self(Arc::new(inner)))
    }

    /// Listens, and does what is due from here on, on the runtime that calls. A second call while it listens changes
    /// nothing.
    ///
    /// # Errors
    /// [`StartError`]; the status then says so too, and it may be tried again.
    pub fn start(&self) -> Result<SocketAddr, StartError> {
        let mut server = self.0.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = &*server {
            return Ok(server.address());
        }
        let api = &self.0.api;
        let started = Server::start(
            api.gateway.clone(),
            door(api.guarded_router()),
            Places {
                port: self.0.settings.port,
                network: &self.0.settings.network,
                folder: &self.0.settings.data_dir,
            },
            self.0.tasks.clone(),
        );
        let listening = match &started {
            Ok(server) => Listening::At(server.listeners().to_vec()),
            Err(error) => Listening::Failed(error.to_string()),
        };
        *api.listening.write().unwrap_or_else(PoisonError::into_inner) = listening;
        api.events.tell(|| Event::Status);
        let started = started?;
        let address = started.address();
        for listener in &started.listeners()[1..] {
            let fingerprint = listener.fingerprint();
            tracing::info!(fingerprint = fingerprint.as_deref(), "listening on {} too", listener.url());
        }
        if let Err(error) = self.0.lock.announce(address, api.keys.core()) {
            tracing::warn!(%error, "other doors can't find this core: core.json could not be written");
        }
        *server = Some(started);
        self.0.tasks.spawn(tell_of_the_queue(api.clone()));
        // Only here: a command's own core, which listens to nobody, renews what it is told to and nothing else.
        api.scheduler.start();
        api.homes.look_aside();
        api.gateway.counting.prepare();
        Ok(address)
    }

    /// Says that this core runs in the desktop app, so that a sign-in can come back to its window.
    pub fn gets_a_window(&self) {
        self.0.api.has_window.store(true, Ordering::Relaxed);
    }

    /// Tells whoever wants the folder meanwhile what this process waits for, until the note is dropped.
    pub fn note(&self, doing: &str) -> Note {
        if let Err(error) = self.0.lock.say_busy(doing) {
            tracing::warn!(%error, "others can't be told what this command waits for");
        }
        Note(self.clone())
    }

    /// What carries requests for tokens.
    pub fn carrier(&self) -> &Arc<dyn Carrier> {
        &self.0.carrier
    }

    /// The management API.
    pub fn api(&self) -> &Api {
        &self.0.api
    }

    /// The management API for callers in this process, who are trusted.
    pub fn router(&self) -> Router {
        self.0.api.router()
    }

    /// Takes nothing new, lets running requests end within the limit, and writes everything down.
    pub async fn drain(&self) {
        // First, while connections to authorisation servers are still driven.
        self.0.api.gateway.renewals.close().await;
        let server = self.0.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Err(error) = self.0.lock.announce_end() {
            tracing::warn!(%error, "commands can't be told that Headgate is stopping");
        }
        self.0.tasks.stop();
        if let Some(server) = server {
            server.drain().await;
        }
        if tokio::time::timeout(LAST_RECORDS, self.0.ledger.drained()).await.is_err() {
            tracing::error!("some requests could not be written down in time");
        }
        if tokio::time::timeout(LAST_RECORDS, self.0.api.scheduler.ended()).await.is_err() {
            tracing::warn!("a job did not stop in time");
        }
        // Behind the last request that could put something there.
        self.0.api.gateway.warm.wipe();
        if tokio::time::timeout(LAST_RECORDS, self.0.api.homes.settled()).await.is_err() {
            tracing::warn!(
                "keys were still being moved when Headgate ended; the next start says what is left"
            );
        }
        let store = self.0.store.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || store.close()).await {
            tracing::error!(%error, "the last records could not be written");
        }
    }
}

/// Says what a command waits for, for as long as it does.
pub struct Note(App);

impl Drop for Note {
    fn drop(&mut self) {
        self.0.0.lock.say_free();
    }
}

fn open_store(folder: &Path) -> Result<Store, AppError> {
    let path = folder.join(DATABASE);
    Store::open(&path, store::Options::default())
        .map_err(|error| AppError::Database { path: path.display().to_string(), error })
}

/// Moves a damaged database aside, whole, and says where it is now. Only while no core has the folder.
///
/// # Errors
/// If another core has the folder, or the file can't be moved.
pub fn set_database_aside(folder: &Path, clock: &Clock) -> io::Result<std::path::PathBuf> {
    let _lock = FolderLock::take(folder)?;
    Store::set_aside(&folder.join(DATABASE), clock.now())
}

/// What is not the proxy's goes to the API and the page.
fn door(router: Router) -> Door {
    Arc::new(move |request| {
        let router = router.clone();
        Box::pin(async move {
            let answer = router
                .oneshot(request.map(axum::body::Body::new))
                .await
                .unwrap_or_else(|never| match never {});
            answer.map(|body| {
                AnswerBody::new(http_body_util::BodyExt::map_err(body, |error| Cut(error.to_string().into())))
            })
        })
    })
}

/// Tells whoever watches how many wait and are held, as soon as that changes and a few times a second at most.
async fn tell_of_the_queue(api: Api) {
    loop {
        tokio::select! {
            () = api.gateway.admission.stirred() => api.events.tell(|| Event::Status),
            () = api.tasks.stopping() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(QUEUE_PAUSE) => {}
            () = api.tasks.stopping() => return,
        }
    }
}

//! The management API: everything that a person or a script can do, as one axum router with an OpenAPI
//! document made from the same code. Browser, window, tray and CLI all come through here; it knows none
//! of them.

pub mod accounts;
mod auth;
pub mod backtest;
mod events;
mod input;
pub mod jobs;
pub mod keys;
mod make;
mod page;
pub mod plan;
mod problem;
pub mod profiles;
pub mod requests;
mod sessions;
mod status;
pub mod vault;
pub mod views;

use std::sync::{Arc, RwLock, atomic::AtomicBool};

use axum::{Router, middleware};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use auth::Keys;
pub use problem::Refused;

use crate::{
    accounts::{homes::Homes, sign_in::Desk},
    clock::Clock,
    events::Events,
    proxy::{Gateway, Listener, Probes},
    scheduler::Scheduler,
    store::Store,
    tasks::Tasks,
};

/// What the API works on. Clones are the same.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

/// The parts of an [`Api`].
pub struct Parts {
    /// The proxy's parts: roster, admission, the pause switch.
    pub gateway: Gateway,
    /// Where accounts are signed in.
    pub sign_ins: Desk,
    /// What is done by itself, and when.
    pub scheduler: Scheduler,
    /// For questions about what is kept.
    pub store: Store,
    /// What happens.
    pub events: Events,
    /// Ends event streams when the core stops.
    pub tasks: Tasks,
    /// The time.
    pub clock: Clock,
    /// Who may come in by HTTP.
    pub keys: Keys,
    /// Whether and where the proxy listens.
    pub listening: RwLock<Listening>,
    /// Where secrets live.
    pub homes: Homes,
    /// The data folder, for people.
    pub data_dir: String,
    /// When the core started.
    pub started_at: Timestamp,
    /// One back-test at a time.
    pub backtests: Arc<Semaphore>,
    /// One connection test of an account at a time.
    pub probes: Probes,
    /// Whether it runs in the desktop app.
    pub has_window: AtomicBool,
}

/// Whether and where the proxy listens.
#[derive(Debug, Clone)]
pub enum Listening {
    /// Nobody has asked it to.
    No,
    /// Here, the loopback first.
    At(Vec<Listener>),
    /// It could not; a sentence with a next step.
    Failed(String),
}

impl std::ops::Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Headgate",
        description = "Everything that Headgate's page, window and command line can do. In the window it needs no token; by HTTP every call but `/api/v1/session` carries `authorization: Bearer …`.",
        license(name = "MIT")
    ),
    components(schemas(views::EventView))
)]
struct Document;

impl Api {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The router for callers in this process, who are trusted.
    pub fn router(&self) -> Router {
        routes().split_for_parts().0.with_state(self.clone())
    }

    /// The router for callers by HTTP: tokens are checked, and the page is served.
    pub fn guarded_router(&self) -> Router {
        let guard = middleware::from_fn_with_state(self.clone(), auth::guard);
        let open = OpenApiRouter::new().routes(routes!(sessions::open_session)).split_for_parts().0;
        self.router()
            .layer(guard)
            .merge(open.with_state(self.clone()))
            .fallback(page::serve)
            .layer(middleware::map_response(page::harden))
    }
}

/// The OpenAPI document as JSON, with a line break at its end.
pub fn document() -> String {
    let (_, document) = routes().routes(routes!(sessions::open_session)).split_for_parts();
    document.to_pretty_json().expect("the document holds nothing that JSON can't") + "\n"
}

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(status::status))
        .routes(routes!(status::pause_proxy))
        .routes(routes!(status::resume_proxy))
        .routes(routes!(status::overview::overview))
        .routes(routes!(accounts::providers))
        .routes(routes!(accounts::list, accounts::add))
        .routes(routes!(accounts::show, accounts::change, accounts::remove))
        .routes(routes!(accounts::pause))
        .routes(routes!(accounts::resume))
        .routes(routes!(accounts::probes::test))
        .routes(routes!(accounts::sign_ins::definitions))
        .routes(routes!(accounts::sign_ins::list, accounts::sign_ins::begin))
        .routes(routes!(accounts::sign_ins::show, accounts::sign_ins::cancel))
        .routes(routes!(accounts::sign_ins::paste))
        .routes(routes!(accounts::renew))
        .routes(routes!(accounts::open_window))
        .routes(routes!(accounts::sign_ins::callback))
        .routes(routes!(accounts::sign_ins::finish))
        .routes(routes!(keys::list, keys::add))
        .routes(routes!(keys::show, keys::change, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(plan::pools::list, plan::pools::add))
        .routes(routes!(plan::pools::change, plan::pools::remove))
        .routes(routes!(plan::routes::list, plan::routes::add))
        .routes(routes!(plan::routes::change, plan::routes::remove))
        .routes(routes!(plan::bindings::list, plan::bindings::add))
        .routes(routes!(plan::bindings::change, plan::bindings::remove))
        .routes(routes!(plan::pools::settings, plan::pools::set_settings))
        .routes(routes!(profiles::list, profiles::add))
        .routes(routes!(profiles::best))
        .routes(routes!(profiles::rename, profiles::remove))
        .routes(routes!(requests::list))
        .routes(routes!(requests::show))
        .routes(routes!(requests::explain::explain))
        .routes(routes!(requests::explain::prevented))
        .routes(routes!(backtest::backtest))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show))
        .routes(routes!(jobs::run))
        .routes(routes!(vault::show))
        .routes(routes!(vault::check))
        .routes(routes!(vault::begin_move))
        .routes(routes!(vault::clean))
        .routes(routes!(vault::reseal))
        .routes(routes!(events::events))
        .routes(routes!(sessions::make_link))
}

/// Runs what blocks on disk or keychain where it may block.
async fn blocking<T: Send + 'static, E: Into<Refused> + Send + 'static>(
    act: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(act)
        .await
        .map_err(|_| Refused::broken("the act broke off"))?
        .map_err(Into::into)
}

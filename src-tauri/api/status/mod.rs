//! The state of the whole, and the switch that pauses the proxy.

pub(super) mod overview;
pub(super) mod views;

use std::sync::{PoisonError, atomic::Ordering};

use axum::{Json, extract::State};

use crate::api::{
    Api, Listening,
    views::{ListenerView, ProxyState, RefusedLinkView, Status},
};
use crate::{events::Event, proxy::Listener};

impl Api {
    /// The state now.
    pub fn status(&self) -> Status {
        let listening = self.listening.read().unwrap_or_else(PoisonError::into_inner).clone();
        let occupancy = self.gateway.admission.occupancy();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (proxy, listeners, problem) = match listening {
            Listening::No => (ProxyState::NotListening, Vec::new(), None),
            Listening::Failed(problem) => (ProxyState::NotListening, Vec::new(), Some(problem)),
            Listening::At(listeners) if self.gateway.is_paused() => (ProxyState::Paused, listeners, None),
            Listening::At(listeners) => (ProxyState::Running, listeners, None),
        };
        let (writer, home) = (self.store.health(), self.homes.stand());
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            proxy,
            address: listeners.first().map(Listener::url),
            listeners: listeners.iter().skip(1).map(ListenerView::of).collect(),
            problem: problem
                .or_else(|| writer.trouble.map(|trouble| format!("The database can't be written: {trouble}")))
                .or_else(|| self.scheduler.trouble().map(|trouble| trouble.to_string())),
            vault: home.kind.to_string(),
            vault_troubles: home.troubles(),
            data_dir: self.data_dir.clone(),
            started_at: self.started_at,
            running: count(occupancy.running),
            waiting: count(occupancy.waiting),
            held: count(occupancy.held),
            turned_away: count(occupancy.refused),
            unused_login: self.gateway.roster.has_ignored_a_login(),
            needs_key: self.gateway.needs_key(false),
            has_window: self.has_window.load(Ordering::Relaxed),
            refused_link: self
                .sign_ins
                .refused_link()
                .map(|refused| RefusedLinkView { message: refused.why.to_string(), at: refused.at }),
        }
    }

    /// Pauses or resumes the proxy; running requests go on.
    pub fn set_paused(&self, paused: bool) -> Status {
        self.gateway.paused.store(paused, Ordering::Relaxed);
        self.events.tell(|| Event::Status);
        self.status()
    }
}

/// Whether requests are served, where, and what is wrong if anything is.
#[utoipa::path(get, path = "/api/v1/status", responses((status = OK, body = Status)))]
pub async fn status(State(api): State<Api>) -> Json<Status> {
    Json(api.status())
}

/// Refuses requests with a sentence until resumed. Running ones go on.
#[utoipa::path(post, path = "/api/v1/proxy/pause", responses((status = OK, body = Status)))]
pub async fn pause_proxy(State(api): State<Api>) -> Json<Status> {
    Json(api.set_paused(true))
}

/// Serves requests again.
#[utoipa::path(post, path = "/api/v1/proxy/resume", responses((status = OK, body = Status)))]
pub async fn resume_proxy(State(api): State<Api>) -> Json<Status> {
    Json(api.set_paused(false))
}

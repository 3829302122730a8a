//! How a browser gets in: a link with a one-time ticket, and the ticket's exchange for a token.

use std::sync::PoisonError;

use axum::{Json, extract::State};

use super::{
    Api, Listening, Refused,
    input::Body,
    views::{DashboardLink, PageSession, Problem, Ticket},
};
use crate::proxy::Listener;

impl Api {
    /// A link that opens the page once.
    ///
    /// # Errors
    /// If nothing listens, or there is no randomness.
    pub fn dashboard_link(&self) -> Result<String, Refused> {
        let url = match &*self.listening.read().unwrap_or_else(PoisonError::into_inner) {
            Listening::At(listeners) => listeners.first().map(Listener::url),
            Listening::No | Listening::Failed(_) => None,
        };
        let Some(url) = url else {
            return Err(Refused::broken(
                "Headgate does not listen, so there is no page; start it with `headgate serve`",
            ));
        };
        let ticket =
            self.keys.ticket(self.clock.now()).map_err(|error| Refused::broken(error.to_string()))?;
        Ok(format!("{url}/#ticket={}", ticket.expose()))
    }
}

/// Makes a link that opens the page in a browser, once, within two minutes.
#[utoipa::path(post, path = "/api/v1/links", responses((status = OK, body = DashboardLink)))]
pub async fn make_link(State(api): State<Api>) -> Result<Json<DashboardLink>, Refused> {
    Ok(Json(DashboardLink { url: api.dashboard_link()? }))
}

/// Exchanges the ticket of a link for the page's token. The only call by HTTP that needs no token.
#[utoipa::path(post, path = "/api/v1/session", request_body = Ticket, responses(
    (status = OK, body = PageSession), (status = UNAUTHORIZED, body = Problem),
))]
pub async fn open_session(
    State(api): State<Api>,
    Body(ticket): Body<Ticket>,
) -> Result<Json<PageSession>, Refused> {
    let token = api.keys.redeem(&ticket.ticket, api.clock.now()).ok_or_else(Refused::unauthorized)?;
    Ok(Json(PageSession { token: token.expose().clone() }))
}

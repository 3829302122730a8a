//! The event stream: what happens, as it happens. A reader that lags is told so and reads again.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Api, make, views::EventView};
use crate::events::Event;

/// How often a silent stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl Api {
    /// The next event, or `None` once the core stops.
    pub async fn next_event(&self, events: &mut Receiver<Event>) -> Option<EventView> {
        tokio::select! {
            event = events.recv() => match event {
                Ok(Event::Request(exchange)) => {
                    let request = Box::new(make::request(&exchange, &self.gateway));
                    Some(EventView::Request { request })
                }
                Ok(Event::Accounts) => Some(EventView::Accounts),
                Ok(Event::Keys) => Some(EventView::Keys),
                Ok(Event::Plan) => Some(EventView::Plan),
                Ok(Event::SignIns) => Some(EventView::SignIns),
                Ok(Event::Jobs) => Some(EventView::Jobs),
                Ok(Event::Profiles) => Some(EventView::Profiles),
                Ok(Event::Status) => Some(EventView::Status),
                Err(RecvError::Lagged(_)) => Some(EventView::Behind),
                Err(RecvError::Closed) => None,
            },
            () = self.tasks.stopping() => None,
        }
    }
}

/// Server-sent events, each `data` one `EventView`.
#[utoipa::path(get, path = "/api/v1/events", responses(
    (status = OK, description = "A stream without an end; each event's data is an EventView.", body = EventView, content_type = "text/event-stream"),
))]
pub async fn events(State(api): State<Api>) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let events = api.events.subscribe();
    let stream = stream::unfold((api, events), |(api, mut events)| async move {
        let event = api.next_event(&mut events).await?;
        let event = sse::Event::default().json_data(&event).unwrap_or_default();
        Some((Ok(event), (api, events)))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

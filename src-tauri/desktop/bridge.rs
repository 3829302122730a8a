//! What the page in the window speaks over: one command that passes a request into the management API, and
//! the API's events, sent on to the page as they come. It looks into neither.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Method, Response};
use http_body_util::BodyExt;
use serde::Serialize;
use tauri::{AppHandle, Emitter, State};

use super::{
    core::{Core, Desk, problem, request},
    tray,
};
use crate::{
    api::views::EventView,
    app::CoreFile,
    formats::{EventData, EventLines},
};

/// The name of the Tauri event that carries the API's events.
const EVENT: &str = "headgate";
const EVENTS: &str = "/api/v1/events";
/// No answer of the API comes near it.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// A core that ends may take this long to leave its folder: 120 pauses are a minute.
const SILENCES: u32 = 120;
const PAUSE: Duration = Duration::from_millis(500);
/// A core that has not answered by then is in trouble, and the page says so.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer as the page's transport takes it.
#[derive(Debug, Serialize)]
pub struct Reply {
    status: u16,
    body: String,
}

/// Passes a request of the page to the management API. Only paths beneath `/api/` lead anywhere.
#[tauri::command]
pub async fn api(
    desk: State<'_, Desk>,
    method: String,
    path: String,
    body: Option<String>,
) -> Result<Reply, String> {
    let method = method.parse::<Method>().map_err(|error| error.to_string())?;
    if !path.starts_with("/api/") {
        return Err(format!("{path} is not a path of the management API"));
    }
    let answer = async { read(desk.ask(method, &path, body).await).await };
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err("no answer within a minute".into()))
}

async fn read(response: Response<Body>) -> Result<Reply, String> {
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), LARGEST_ANSWER).await.map_err(|error| error.to_string())?;
    let body = String::from_utf8(bytes.into()).map_err(|error| error.to_string())?;
    Ok(Reply { status, body })
}

/// Sends the events of whatever core there is to the page and the tray, for as long as the program runs.
pub async fn follow(app: AppHandle, desk: Desk) {
    let mut cores = desk.cores();
    let mut silences = 0;
    loop {
        let core = cores.borrow_and_update().clone();
        // Whatever the page knew, it knew of another core.
        tell(&app, &EventView::Behind);
        match core {
            Core::Own(own) => {
                let mut events = own.api().events.subscribe();
                while let Some(event) = own.api().next_event(&mut events).await {
                    tell(&app, &event);
                }
                // It stops only when this program does.
                return;
            }
            Core::Other(other) => {
                match listen(&app, &other).await {
                    Ok(()) => silences = 0,
                    // While it drains it answers nobody and still has the folder.
                    Err(_) if silences < SILENCES => {
                        silences += 1;
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(silent) => {
                        desk.lose(problem("other_core", silent));
                        continue;
                    }
                }
                // It has ended or is about to, so its folder may be ours.
                desk.open().await;
            }
            Core::Opening | Core::Absent(_) => {
                if cores.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Hears another process's core to the end of its stream.
async fn listen(app: &AppHandle, core: &CoreFile) -> Result<(), String> {
    let response =
        core.send(request(Method::GET, EVENTS, None)).await.map_err(|silent| silent.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the running Headgate at {} answered {}", core.address, response.status()));
    }
    let mut body = response.into_body();
    let mut lines = EventLines::default();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(piece) = frame.into_data() else { continue };
        lines.feed(
            &piece,
            |_| true,
            |_, data| {
                // What a newer core tells beyond our words is not for us.
                if let EventData::Whole(data) = data
                    && let Ok(event) = serde_json::from_slice::<EventView>(data)
                {
                    tell(app, &event);
                }
            },
        );
    }
    Ok(())
}

fn tell(app: &AppHandle, event: &EventView) {
    if !matches!(event, EventView::Request { .. }) {
        tray::redraw(app);
    }
    // Without a window nobody hears it, and a window that opens later reads everything first.
    let _ = app.emit(EVENT, event);
}

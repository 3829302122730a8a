//! The sign in the tray and its menu: what the proxy does, how the accounts stand, and the switch. Drawn
//! again when something changed, from what the management API says at that moment.

use std::sync::Arc;

use axum::body::to_bytes;
use http::Method;
use serde::de::DeserializeOwned;
use tauri::{
    AppHandle, Manager, Wry, async_runtime,
    image::Image,
    include_image,
    menu::{MenuBuilder, MenuEvent, MenuItem, MenuItemBuilder},
    tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent},
};
use tokio::sync::Notify;

use super::{core::Desk, quit, window};
use crate::api::views::{Mood, Overview, ProxyState, Status};

const OPEN: &str = "open";
const SWITCH: &str = "switch";
const QUIT: &str = "quit";

const RUNNING: Image<'_> = include_image!("icons/tray/running.png");
const PAUSED: Image<'_> = include_image!("icons/tray/paused.png");
const PROBLEM: Image<'_> = include_image!("icons/tray/problem.png");

const LARGEST_ANSWER: usize = 1024 * 1024;

struct Tray {
    icon: TrayIcon,
    state: MenuItem<Wry>,
    outlook: MenuItem<Wry>,
    switch: MenuItem<Wry>,
    stale: Arc<Notify>,
}

/// What the tray says at one moment.
struct View {
    sign: Image<'static>,
    state: String,
    outlook: String,
    switch: &'static str,
    can_switch: bool,
}

/// Puts the sign into the tray and keeps it true.
pub fn install(app: &AppHandle) -> tauri::Result<()> {
    let state = MenuItemBuilder::new("Starting").enabled(false).build(app)?;
    let outlook = MenuItemBuilder::new("…").enabled(false).build(app)?;
    let switch = MenuItemBuilder::with_id(SWITCH, "Pause").enabled(false).build(app)?;
    let menu = MenuBuilder::new(app)
        .items(&[&state, &outlook])
        .separator()
        .text(OPEN, "Open Headgate")
        .item(&switch)
        .separator()
        .text(QUIT, "Quit")
        .build()?;
    let icon = TrayIconBuilder::with_id("headgate")
        .icon(PAUSED)
        .tooltip("Headgate")
        .menu(&menu)
        .show_menu_on_left_click(false)
        .on_menu_event(on_menu)
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click {
                button: MouseButton::Left,
                button_state: MouseButtonState::Up,
                ..
            } = event
            {
                window::open(tray.app_handle());
            }
        })
        .build(app)?;
    let stale = Arc::new(Notify::new());
    app.manage(Tray { icon, state, outlook, switch, stale: stale.clone() });
    let app = app.clone();
    async_runtime::spawn(async move {
        loop {
            // However much happens in the meantime, it is drawn once.
            stale.notified().await;
            let view = look(&app).await;
            if let Err(error) = draw(&app.state::<Tray>(), view) {
                tracing::warn!(%error, "the tray could not be drawn");
            }
        }
    });
    Ok(())
}

/// Says that what the tray shows may no longer be so.
pub fn redraw(app: &AppHandle) {
    if let Some(tray) = app.try_state::<Tray>() {
        tray.stale.notify_one();
    }
}

fn on_menu(app: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        OPEN => window::open(app),
        SWITCH => switch(app.clone()),
        QUIT => quit(app),
        _ => {}
    }
}

/// Pauses a running proxy and resumes a paused one.
fn switch(app: AppHandle) {
    async_runtime::spawn(async move {
        let desk = app.state::<Desk>().inner().clone();
        let path = match read::<Status>(&desk, "/api/v1/status").await.map(|status| status.proxy) {
            Some(ProxyState::Running) => "/api/v1/proxy/pause",
            Some(ProxyState::Paused) => "/api/v1/proxy/resume",
            Some(ProxyState::NotListening) | None => return,
        };
        let answer = desk.ask(Method::POST, path, None).await;
        if !answer.status().is_success() {
            tracing::warn!(path, status = answer.status().as_u16(), "the proxy could not be switched");
        }
    });
}

async fn look(app: &AppHandle) -> View {
    let desk = app.state::<Desk>().inner().clone();
    let status = read::<Status>(&desk, "/api/v1/status").await;
    let overview = read::<Overview>(&desk, "/api/v1/overview").await;
    let outlook = overview.as_ref().map_or_else(String::new, |overview| overview.sentence.clone());
    let in_trouble = overview.is_some_and(|overview| overview.mood == Mood::Bad);
    let (sign, state) = match &status {
        Some(status) if desk.is_closing() => {
            (PAUSED, format!("Stopping: {} running", requests(status.running)))
        }
        Some(status) => match status.proxy {
            ProxyState::Running => {
                let address = status.address.as_deref().unwrap_or_default();
                (
                    if in_trouble { PROBLEM } else { RUNNING },
                    format!("Running at {}", address.trim_start_matches("http://")),
                )
            }
            ProxyState::Paused => (PAUSED, "Paused".into()),
            ProxyState::NotListening => (PROBLEM, "Not running: open the window to see why".into()),
        },
        None => (PROBLEM, "Starting".into()),
    };
    let proxy = status.map(|status| status.proxy);
    View {
        sign,
        state,
        outlook,
        switch: if proxy == Some(ProxyState::Paused) { "Resume" } else { "Pause" },
        can_switch: matches!(proxy, Some(ProxyState::Running | ProxyState::Paused)) && !desk.is_closing(),
    }
}

fn draw(tray: &Tray, view: View) -> tauri::Result<()> {
    tray.icon.set_icon(Some(view.sign))?;
    tray.icon.set_tooltip(Some(format!("Headgate: {}", view.state)))?;
    tray.state.set_text(view.state)?;
    tray.outlook.set_text(view.outlook)?;
    tray.switch.set_text(view.switch)?;
    tray.switch.set_enabled(view.can_switch)
}

fn requests(count: u32) -> String {
    if count == 1 { "1 request".into() } else { format!("{count} requests") }
}

async fn read<T: DeserializeOwned>(desk: &Desk, path: &str) -> Option<T> {
    let answer = desk.ask(Method::GET, path, None).await;
    if !answer.status().is_success() {
        return None;
    }
    let bytes = to_bytes(answer.into_body(), LARGEST_ANSWER).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

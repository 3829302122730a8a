//! The one window. Closing it takes it down with all the memory that a web page needs, and the proxy goes
//! on; opening it again makes a new one where the old one stood.

use tauri::{
    AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, Wry, plugin::TauriPlugin,
    webview::NewWindowResponse,
};
use tauri_plugin_window_state::StateFlags;

use super::core::Desk;

const LABEL: &str = "main";

/// Shows the window and brings it to the front.
pub fn open(app: &AppHandle) {
    let handle = app.clone();
    let shown = app.run_on_main_thread(move || {
        let window = handle.get_webview_window(LABEL).map_or_else(|| make(&handle), Ok);
        if let Err(error) = window.and_then(|window| raise(&window)) {
            tracing::error!(%error, "the window could not be shown");
        }
    });
    if let Err(error) = shown {
        tracing::error!(%error, "the window could not be shown");
    }
}

fn raise(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

fn make(app: &AppHandle) -> tauri::Result<WebviewWindow> {
    let mut window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Headgate")
        .inner_size(1120.0, 760.0)
        .min_inner_size(640.0, 480.0)
        .on_navigation(|url| is_ours(url) || elsewhere(url))
        .on_new_window(|url, _| {
            elsewhere(&url);
            NewWindowResponse::Deny
        });
    // What the page remembers lies with everything else that Headgate keeps.
    if let Some(folder) = app.state::<Desk>().folder() {
        window = window.data_directory(folder.join("webview"));
    }
    window.build()
}

/// Whether an address is the page's own: embedded, or Vite's while developing.
fn is_ours(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => true,
        "http" | "https" => {
            url.host_str() == Some("tauri.localhost")
                || (tauri::is_dev() && url.host_str() == Some("localhost") && url.port() == Some(5173))
        }
        _ => false,
    }
}

/// A link out of the page opens in the user's browser, never in the window. Gives false: nothing to load.
fn elsewhere(url: &Url) -> bool {
    if matches!(url.scheme(), "http" | "https")
        && let Err(error) = tauri_plugin_opener::open_url(url.as_str(), None::<&str>)
    {
        tracing::warn!(%error, "the browser could not be opened");
    }
    false
}

/// Size and place, kept in the data folder.
pub fn remembered(desk: &Desk) -> TauriPlugin<Wry> {
    let kept = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    let builder = tauri_plugin_window_state::Builder::new().with_state_flags(kept);
    match desk.folder() {
        // The plugin joins this to a folder of its own choice, and joining an absolute path replaces that.
        Some(folder) => builder.with_filename(folder.join("window.json").display().to_string()).build(),
        None => builder.build(),
    }
}

//! The window and the tray around the core. The only room that knows Tauri, and a client like any other:
//! whatever it shows or changes goes through the management API, so it decides nothing by itself.

mod bridge;
mod core;
mod links;
mod tray;
mod window;

use std::{io, path::PathBuf, process::ExitCode};

use clap::Parser;
use sha2::{Digest, Sha256};
use tauri::{AppHandle, Manager, RunEvent, async_runtime};

use self::{core::Desk, links::Link};
use crate::{
    logs, secrets,
    settings::{Choices, DEFAULT_PORT, ProxyVariables},
};

/// A local proxy between Claude Code and every account you may use, with a window.
#[derive(Debug, Parser)]
#[command(name = "headgate-desktop", version)]
struct Args {
    /// Start in the tray, without a window.
    #[arg(long)]
    hidden: bool,
    /// Keep everything in this folder.
    #[arg(long, value_name = "FOLDER", env = "HEADGATE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Listen on this port of 127.0.0.1.
    #[arg(long, env = "HEADGATE_PORT", help = format!("Listen on this port of 127.0.0.1 [default: {DEFAULT_PORT}]"))]
    port: Option<u16>,
    /// Keep keys in the system's keychain or in a sealed file.
    #[arg(long, env = "HEADGATE_VAULT")]
    vault: Option<crate::settings::VaultChoice>,
    /// Ask clients for a key, also on this machine.
    #[arg(long, env = "HEADGATE_REQUIRE_KEY", value_name = "BOOL")]
    require_key: Option<bool>,
    /// An address of the scheme `headgate`, as the system hands it over.
    #[arg(value_name = "LINK")]
    link: Option<Link>,
}

/// Runs until the user quits; the core has drained by then.
pub fn run() -> ExitCode {
    let args = Args::parse();
    if !has_screen() {
        eprintln!(
            "headgate-desktop needs a screen, and there is none here. Without a window: headgate serve"
        );
        return ExitCode::FAILURE;
    }
    secrets::leave_no_dump();
    let desk = Desk::new(choices(&args));
    log(&desk);
    match build(&args, desk) {
        Ok(app) => u8::try_from(app.run_return(on_event)).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("the window can't be opened: {error}");
            ExitCode::FAILURE
        }
    }
}

fn choices(args: &Args) -> Choices {
    Choices {
        data_dir: args.data_dir.clone(),
        port: args.port,
        vault: args.vault,
        require_key: args.require_key,
        listen: Vec::new(),
        extra_ca: std::env::var_os("HEADGATE_EXTRA_CA").map(Into::into),
        proxies: ProxyVariables::of_environment(),
    }
}

/// Into the data folder, so that whoever looks at a crash finds something; where that can't be, as a program in a
/// terminal does.
fn log(desk: &Desk) {
    let kept =
        desk.folder().ok_or(io::ErrorKind::NotFound.into()).and_then(|folder| logs::to_folder(&folder));
    if let Err(error) = kept {
        logs::to_stderr();
        tracing::warn!(%error, "no log is kept in the data folder");
    }
}

fn build(args: &Args, desk: Desk) -> tauri::Result<tauri::App> {
    let (hidden, link) = (args.hidden, args.link.clone());
    tauri::Builder::default()
        // First, so that a second start is noticed before it opens anything.
        .plugin(single_instance(&desk))
        .plugin(window::remembered(&desk))
        .manage(desk.clone())
        .invoke_handler(tauri::generate_handler![bridge::api])
        .setup(move |app| {
            let handle = app.handle();
            tray::install(handle)?;
            async_runtime::spawn(bridge::follow(handle.clone(), desk.clone()));
            async_runtime::spawn(quit_when_asked(handle.clone()));
            async_runtime::spawn(async move { desk.open().await });
            if !hidden {
                window::open(handle);
            }
            if let Some(link) = link {
                async_runtime::spawn(links::bring(handle.clone(), link));
            }
            Ok(())
        })
        .build(tauri::generate_context!())
}

/// GTK would panic where there is no display.
fn has_screen() -> bool {
    !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()))
}

/// A second start on the same data folder raises the first one's window; another folder is another Headgate.
fn single_instance(desk: &Desk) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    let folder = desk.folder().unwrap_or_default();
    let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let name =
        digest[..8].iter().fold(String::from("dev.headgate.f"), |name, byte| format!("{name}{byte:02x}"));
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(name)
        .callback(|app, args, _| {
            if !args.iter().any(|arg| arg == "--hidden") {
                window::open(app);
            }
            if let Some(link) = links::among(&args) {
                async_runtime::spawn(links::bring(app.clone(), link));
            }
        })
        .build()
}

fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        // The last window has closed: the proxy goes on, and the tray brings the window back. With a code
        // somebody has asked to quit.
        RunEvent::ExitRequested { code: None, api, .. } => api.prevent_exit(),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::open(app),
        #[cfg(target_os = "macos")]
        RunEvent::Opened { urls } => {
            for link in urls.iter().filter_map(|url| url.as_str().parse().ok()) {
                async_runtime::spawn(links::bring(app.clone(), link));
            }
        }
        _ => {
            let _ = app;
        }
    }
}

/// Lets running requests end, then exits. Asked a second time it waits no longer.
fn quit(app: &AppHandle) {
    let desk = app.state::<Desk>().inner().clone();
    if !desk.begin_to_close() {
        return app.exit(0);
    }
    let app = app.clone();
    async_runtime::spawn(async move {
        tray::redraw(&app);
        desk.close().await;
        app.exit(0);
    });
}

/// Ctrl-C in a terminal and the end of a session quit like the tray's menu does.
async fn quit_when_asked(app: AppHandle) {
    loop {
        asked_to_end().await;
        quit(&app);
    }
}

#[cfg(unix)]
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn asked_to_end() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

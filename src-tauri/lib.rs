//! Headgate: a local proxy between Claude Code and every account its user may use.
//!
//! The map, in the order of dependence: a room may use only rooms that are listed before it
//! (`tests/tidy.rs` holds the exact table). A newcomer reads `proxy/forward.rs` first.

/// Asks the system for the time, alone.
pub mod clock;
/// The words of the design as plain data.
pub mod domain;
/// What happened, for whoever watches.
pub mod events;
/// Tasks that a drain can wait for.
pub mod tasks;
/// Where the program says what happens to it.
pub mod logs;
/// What the user chose: file, environment, flags.
pub mod settings;

/// Secrets that can't be printed, and the vaults that keep them.
pub mod secrets;
/// SQLite and nothing else.
pub mod store;
/// Wire formats: finding fields in JSON bytes, server-sent events, HTTP/1.1.
pub mod formats;
/// How much a reply used, heard as it passes.
pub mod metering;
/// What upstreams are like: addresses, credentials, windows, verdicts.
pub mod providers;
/// Who goes next, by the plan that a person makes. Pure decisions.
pub mod routing;
/// Who pays: the roster of accounts, signing in and renewing that, their bearers, and the plan for them.
pub mod accounts;
/// Who may ask: clients' keys, their limits and budgets.
pub mod keys;
/// The programs that ask, as far as they are set up here: profiles of Claude Code.
pub mod clients;
/// Finished exchanges on their way into the store.
pub mod ledger;
/// A scripted upstream and authorisation server for the demo and every test.
pub mod sandbox;
/// One request, from the client's socket to its ending.
pub mod proxy;
/// Timed work in one place: jobs that it was given, and when they are due.
pub mod scheduler;
/// The management API; knows no window.
pub mod api;
/// Builds every room once, starts and drains them.
pub mod app;
/// The commands of the headless door.
pub mod cli;
/// The window and the tray; the only room that knows Tauri.
#[cfg(feature = "desktop")]
pub mod desktop;

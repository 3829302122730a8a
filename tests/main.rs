//! The journeys: one binary, one harness. Each starts real cores and real upstreams on free ports and in
//! temporary folders, and leaves nothing running. What a name that begins with `s03_` or `e12_` refers to is
//! said in CONTRIBUTING.md.
#![allow(clippy::unwrap_used, reason = "a journey that can't go on says where")]

mod harness;

mod accounts;
mod affinity;
mod answers;
mod api;
mod backtest;
mod authority;
mod bindings;
mod cli;
mod comeback;
mod connections;
#[cfg(target_os = "linux")]
mod crash;
mod early;
mod endings;
mod endpoints;
mod exactness;
mod explain;
mod failover;
mod faults;
mod flags;
mod floods;
mod fuzzed;
mod guards;
mod holding;
mod jobs;
mod keys;
mod listeners;
mod login;
mod models;
mod opening;
mod passthrough;
mod pools;
mod probe;
mod profiles;
mod refusals;
mod renewal;
mod routes;
mod shutdown;
mod sign_ins;
mod streams;
#[cfg(target_os = "linux")]
mod terminal;
mod tidy;
mod tls;
mod unread;
mod usage;
mod vault;
mod vault_moves;
mod warm;
mod windows;

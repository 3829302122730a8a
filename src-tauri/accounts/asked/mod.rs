//! What Headgate asks the accounts' upstreams for by itself: their models, what was used, and that a window be opened.
//! Here is when, whom, and what was heard; the proxy asks.

pub mod models;
pub mod opening;
pub mod readings;

//! Who may come in, and over what: addresses, TLS, connections, and whether a request is meant for us at all. Refuses
//! what was meant for somebody else, and what shows a key where others could read it. Whose key it is and which
//! accounts there are it does not know, and of a request it never reads the body.

mod connection;
mod crew;
pub(super) mod identity;
mod joined;
pub(super) mod listener;
pub(super) mod meant;
mod port;
mod self_signed;
pub(super) mod server;
mod shortage;
pub(super) mod unread;

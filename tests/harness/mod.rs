//! What every journey stands on: a house (a core in this process with a sandbox as its upstream), a client
//! that speaks plain HTTP, and the program as a process of its own.

mod client;
pub mod echo;
mod house;
pub mod keyring;
mod program;
pub mod secure;
pub mod signed_in;
pub mod visit;
pub mod wire;

pub use client::{Client, Reply};
pub use echo::Echo;
pub use house::House;
pub use program::{Program, holds};
pub use wire::Wire;

use std::{future::Future, time::Duration};

/// Waits for something that must happen; a journey that hangs fails and says what it waited for.
pub async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(Duration::from_secs(20), event).await;
    happened.unwrap_or_else(|_| panic!("waited 20 s for {what}"))
}

/// Runs something beside the journey; dropped, it is ended.
pub fn aside<T: Send + 'static>(act: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinSet<T> {
    let mut set = tokio::task::JoinSet::new();
    set.spawn(act);
    set
}

/// A request of the kind that Claude Code sends, small.
pub fn ask(model: &str, stream: bool) -> String {
    format!(
        r#"{{"model":"{model}","max_tokens":64,"stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#
    )
}

/// An address by which other machines know this one, if there is a network.
pub fn outer_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

//! Addresses of the scheme `headgate` that the system hands over: as the argument of this start or of a second one, or
//! on macOS as an event. Each goes to the core as it came, in the body of a request. Nothing of it is read, kept,
//! logged or told to the page, and none is used before a person has said yes in the window.

use std::{fmt, str::FromStr};

use http::Method;
use tauri::{AppHandle, Manager};

use super::{
    core::{Core, Desk},
    window,
};

const SCHEME: &str = "headgate:";
const CALLBACK: &str = "/api/v1/sign-ins/callback";

/// An address of ours.
#[derive(Clone)]
pub struct Link(String);

impl FromStr for Link {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(Self(text.to_owned())),
            _ => Err("that is no address that begins with headgate:"),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// The link with which a second start came, if it did. The program's own name stands first.
pub fn among(args: &[String]) -> Option<Link> {
    args.iter().skip(1).find_map(|arg| arg.parse().ok())
}

/// Hands a link to whatever core there is. If it is the answer of a sign-in, the window comes up and asks about it.
pub async fn bring(app: AppHandle, link: Link) {
    let desk = app.state::<Desk>().inner().clone();
    // A link that started the program is there before the core.
    let found = desk.cores().wait_for(|core| !matches!(core, Core::Opening)).await.is_ok();
    if !found {
        return;
    }
    let body = serde_json::json!({ "url": link.0 }).to_string();
    let answer = desk.ask(Method::POST, CALLBACK, Some(body)).await;
    if answer.status().is_success() {
        window::open(&app);
    } else {
        tracing::warn!(status = answer.status().as_u16(), "a link was refused; nothing has changed");
    }
}

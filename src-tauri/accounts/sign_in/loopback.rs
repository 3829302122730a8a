//! The port on which a browser brings the answer (RFC 8252, section 7.3): on the loopback alone, for one sign-in, at
//! one path, and closed with the first answer that was waited for. What it shows never repeats what was asked.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::answer::LONGEST;

/// Where the answer comes.
pub const PATH: &str = "/oauth/callback";
/// A browser opens more connections than it uses; these at once, and so many in all.
const MOST_AT_ONCE: usize = 8;
const MOST_IN_ALL: usize = 64;
/// A connection that has said nothing whole by then is closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// A head's longest; a longer one is refused unread.
const MOST_HEAD: usize = 16 * 1024;

/// A port that is listened on.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    port: u16,
}

impl Loopback {
    /// Any free port of the loopback.
    ///
    /// # Errors
    /// The system's, if there is none.
    pub async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Which one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Listens until `take` has taken an answer: it is given the whole address that was asked for, and says in a
    /// sentence why it is not the one.
    pub async fn serve(self, take: impl Fn(&str) -> Result<(), String>) {
        let Self { listener, port } = self;
        // Whoever leads a foreign name to us gets nothing.
        let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let is_done = AtomicBool::new(false);
        let answer = |request: Request<Incoming>| {
            let (is_taken, response) = respond(&request, &names, &take);
            is_done.fetch_or(is_taken, Ordering::Relaxed);
            async move { Ok::<_, Infallible>(response) }
        };
        let mut open = FuturesUnordered::new();
        for _ in 0..MOST_IN_ALL {
            let stream = loop {
                let is_done = is_done.load(Ordering::Relaxed);
                if is_done && open.is_empty() {
                    return;
                }
                tokio::select! {
                    Some(()) = open.next(), if !open.is_empty() => {}
                    accepted = listener.accept(), if !is_done && open.len() < MOST_AT_ONCE => {
                        if let Ok((stream, _)) = accepted {
                            break stream;
                        }
                    }
                }
            };
            open.push(converse(stream, &answer));
        }
        // Nobody else is let in; what was copied can still be pasted.
        drop(listener);
        while open.next().await.is_some() {}
    }
}

async fn converse<A, F>(stream: TcpStream, answer: &A)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response<Full<Bytes>>, Infallible>>,
{
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MOST_HEAD)
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    // Whoever left, or spoke no HTTP, gets no answer.
    let _ = tokio::time::timeout(PATIENCE, conversation).await;
}

/// The answer to one request, and whether it brought what was waited for.
fn respond(
    request: &Request<Incoming>,
    names: &[String; 2],
    take: &impl Fn(&str) -> Result<(), String>,
) -> (bool, Response<Full<Bytes>>) {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let refused = |status, why: &str| (false, page(status, "Not signed in", why));
    if !names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
        return refused(StatusCode::MISDIRECTED_REQUEST, "This address belongs to somebody else.");
    }
    if request.uri().path() != PATH {
        return refused(StatusCode::NOT_FOUND, "There is nothing here.");
    }
    if request.method() != Method::GET {
        return refused(
            StatusCode::METHOD_NOT_ALLOWED,
            "Only a browser that comes back from a sign-in is answered here.",
        );
    }
    let query = request.uri().path_and_query().map_or("", |target| target.as_str());
    if query.len() > LONGEST {
        return refused(StatusCode::URI_TOO_LONG, "That is too long for the answer of a sign-in.");
    }
    match take(&format!("http://127.0.0.1{query}")) {
        Ok(()) => {
            let said = "The answer has arrived. You can close this window; Headgate tells how it went.";
            (true, page(StatusCode::OK, "Back to Headgate", said))
        }
        Err(why) => refused(StatusCode::BAD_REQUEST, &why),
    }
}

/// A small page. `said` is one of our own sentences, never what somebody sent.
fn page(status: StatusCode, title: &str, said: &str) -> Response<Full<Bytes>> {
    let text = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>Headgate</title><body style=\"font:16px/1.5 system-ui;max-width:32rem;margin:20vh auto;padding:0 1rem\">\
         <h1 style=\"font-size:1.25rem\">{title}</h1><p>{said}</p>"
    );
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::CONNECTION, "close"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

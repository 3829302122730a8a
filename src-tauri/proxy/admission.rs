//! How many requests are served at once, and how many may wait for a place. Whoever is admitted holds a
//! permit until its end; beyond the bounds a request is refused at once, with a time to come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Uri, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use crate::settings::Limits;

/// The gate. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Admission {
    places: Arc<Semaphore>,
    total: usize,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
    wait: Duration,
}

/// A place among the requests that are served.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// How full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Being served.
    pub running: usize,
    /// Waiting for a place.
    pub waiting: usize,
}

/// A refused client should not come back sooner than this.
const COME_BACK: Duration = Duration::from_secs(2);

impl Admission {
    /// A gate with these bounds.
    pub fn new(limits: &Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.concurrent_requests)),
            total: limits.concurrent_requests,
            waiting: Arc::default(),
            max_waiting: limits.waiting_requests,
            wait: limits.wait(),
        }
    }

    /// Waits for a place, first come first served.
    ///
    /// # Errors
    /// [`Failure::Full`] if the queue is full or the wait was too long.
    pub async fn enter(&self) -> Result<Permit, Failure> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Permit { _place: place });
        }
        let full = Failure::Full { retry_after: COME_BACK };
        let _waiting = Waiting::join(&self.waiting, self.max_waiting).ok_or(full.clone())?;
        match tokio::time::timeout(self.wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(Permit { _place: place }),
            Ok(Err(_)) | Err(_) => Err(full),
        }
    }

    /// How full it is now.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            running: self.total - self.places.available_permits(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }
}

/// Counts one that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let before = count.fetch_add(1, Ordering::Relaxed);
        let waiting = Self(count);
        (before < limit).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a request is meant for us: under a name of this machine (a page that rebinds its DNS name to
/// us sends its own), and not from a web page of another origin.
pub fn is_meant_for_us(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => uri.authority().map(http::uri::Authority::as_str),
    };
    let Some(host) = host else { return false };
    if !is_loopback_name(host) || headers.get_all(header::HOST).iter().count() > 1 {
        return false;
    }
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| origin.strip_prefix("http://") == Some(host)),
    }
}

/// Whether a path has a dot segment, plain or percent-encoded, once or twice. An upstream that resolves it
/// would serve another path than the one that a credential was attached for.
pub fn climbs(path: &str) -> bool {
    let decoded = path
        .to_ascii_lowercase()
        .replace("%25", "%")
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/");
    decoded.split(['/', '\\']).any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

fn is_loopback_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    matches!(authority.host(), "127.0.0.1" | "localhost" | "[::1]") && !host.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_meant_for_us(&Uri::from_static("/v1/messages"), &headers)
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        assert!(meant("127.0.0.1:8417", None) && meant("localhost:8417", None) && meant("[::1]:8417", None));
        for foreign in [
            "evil.example",
            "127.0.0.1.evil.example:8417",
            "localhost.evil.example",
            "user@127.0.0.1",
            "",
            "127.0.0.2",
        ] {
            assert!(!meant(foreign, None), "{foreign}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        assert!(meant("127.0.0.1:8417", Some("http://127.0.0.1:8417")));
        for foreign in [
            "https://evil.example",
            "null",
            "http://127.0.0.1:9999",
            "http://localhost:8417",
            "https://127.0.0.1:8417",
        ] {
            assert!(!meant("127.0.0.1:8417", Some(foreign)), "{foreign}");
        }
    }

    #[test]
    fn a_path_that_climbs_is_seen_through_its_encodings() {
        for path in [
            "/v1/../x",
            "/v1/./x",
            "/v1/..",
            "/v1/%2e%2E/x",
            "/v1/.%2e/x",
            "/v1/%252e%252e/x",
            "/v1/a%2f..%2fx",
            "/v1/..;a/x",
            "/v1/..%5cx",
        ] {
            assert!(climbs(path), "{path}");
        }
        for path in [
            "/v1/messages",
            "/v1/files/a..b",
            "/v1/files/.hidden",
            "/v1/models/claude-3.5",
            "/v1/files/100%25.txt",
        ] {
            assert!(!climbs(path), "{path}");
        }
    }

    #[tokio::test]
    async fn s26_beyond_the_queue_a_request_is_refused_at_once() {
        let limits = Limits { concurrent_requests: 1, waiting_requests: 0, ..Limits::default() };
        let gate = Admission::new(&limits);
        let first = gate.enter().await.unwrap();
        assert!(matches!(gate.enter().await, Err(Failure::Full { .. })));
        assert_eq!(gate.occupancy(), Occupancy { running: 1, waiting: 0 });
        drop(first);
        assert!(gate.enter().await.is_ok(), "the place is free again");
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_is_no_longer_counted() {
        let gate = Admission::new(&Limits { concurrent_requests: 1, ..Limits::default() });
        let _first = gate.enter().await.unwrap();
        let waiting = gate.enter();
        tokio::pin!(waiting);
        assert!(futures_poll(&mut waiting).await.is_none());
        assert_eq!(gate.occupancy().waiting, 1);
        waiting.set(gate.enter());
        assert_eq!(gate.occupancy().waiting, 0);
    }

    async fn futures_poll<F: Future>(future: &mut std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}

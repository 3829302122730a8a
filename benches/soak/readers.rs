//! Those who read beside the load: the page's questions, the event stream opened and dropped, and the list
//! of models. Also how the soak itself asks for Headgate's state.

use std::{io, net::SocketAddr, ops::ControlFlow, sync::Arc, time::Duration, time::Instant};

use bytes::Bytes;
use headgate::clock::Clock;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::line::Line;

/// Reads the API with the core's own token.
#[derive(Clone)]
pub struct Reader {
    /// Where Headgate is.
    pub headgate: SocketAddr,
    /// What opens its API.
    pub token: Arc<str>,
    /// The time.
    pub clock: Clock,
}

/// What is read, how often each of its readers comes, and after how many pieces it leaves.
const READ: [(&str, u64, usize); 5] = [
    ("/api/v1/requests?limit=50", 100, usize::MAX),
    ("/api/v1/requests?ending=client_left&limit=200", 500, usize::MAX),
    ("/api/v1/overview", 250, usize::MAX),
    ("/v1/models", 50, usize::MAX),
    ("/api/v1/events", 200, 25),
];

impl Reader {
    /// Reads everything again and again until then.
    pub fn start(&self, until: Instant) -> JoinSet<io::Result<u64>> {
        let mut readers = JoinSet::new();
        for (path, every_ms, pieces) in READ {
            let reader = self.clone();
            readers.spawn(async move {
                let mut turns = tokio::time::interval(Duration::from_millis(every_ms));
                let mut read = 0;
                loop {
                    turns.tick().await;
                    let left = until.saturating_duration_since(reader.clock.instant());
                    // An event stream has no end of its own: once the load is over, nothing may come.
                    match tokio::time::timeout(left, reader.read(path, pieces)).await {
                        Ok(answer) => drop(answer?),
                        Err(_) => return Ok(read),
                    }
                    read += 1;
                }
            });
        }
        readers
    }

    /// How many requests run, wait and are held.
    pub async fn occupancy(&self) -> io::Result<[u64; 3]> {
        let text = self.read("/api/v1/status", usize::MAX).await?;
        let status: Value = serde_json::from_slice(&text)?;
        let count = |name: &str| {
            let count = status.get(name).and_then(Value::as_u64);
            count.ok_or_else(|| io::Error::other(format!("the status says nothing of {name}")))
        };
        Ok([count("running")?, count("waiting")?, count("held")?])
    }

    async fn read(&self, path: &str, pieces: usize) -> io::Result<Vec<u8>> {
        let request = Request::builder()
            .uri(path)
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::<Bytes>::default())
            .map_err(io::Error::other)?;
        let mut line = Line::open(self.headgate).await?;
        line.ready().await?;
        let (mut text, mut heard) = (Vec::new(), 0);
        let answer = line.exchange(request, |data| {
            text.extend_from_slice(data);
            heard += 1;
            if heard < pieces { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let answer = answer.await?;
        answer.end?;
        if !answer.status.is_success() {
            return Err(io::Error::other(format!("{path} was answered with {}", answer.status)));
        }
        Ok(text)
    }
}

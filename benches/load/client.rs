//! What the load bench asks. Every answer is checked for its status and its length.

use std::{
    io,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headgate::clock::Clock;
use http::{Method, Request, StatusCode};
use http_body_util::Full;

use crate::{
    line::Line,
    upstream::{STAMP, WISH, Wish},
};

/// What is asked, again and again.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The request's body.
    pub body: Bytes,
    /// What is wanted back.
    pub wish: Wish,
    /// The length that the answer must have.
    pub answer_bytes: usize,
}

impl Ask {
    /// With this body, wanting this.
    pub fn new(body: Bytes, wish: Wish) -> Self {
        Self { body, wish, answer_bytes: wish.answer_bytes() }
    }

    /// Asks once and reads the answer to its end.
    pub async fn ask(&self, line: &mut Line, clock: &Clock) -> io::Result<Answer> {
        line.ready().await?;
        let began = clock.instant();
        let mut bytes = 0;
        let mut answer = Answer::default();
        let heard = line.exchange(self.request(), |data| {
            if bytes == 0 {
                answer.first_byte = since(began, clock);
            }
            bytes += data.len();
            answer.hear(data, self, clock);
            ControlFlow::Continue(())
        });
        let heard = heard.await?;
        heard.end?;
        answer.took = since(began, clock);
        check(heard.status, bytes, self).map(|()| answer)
    }

    fn request(&self) -> Request<Full<Bytes>> {
        Request::builder()
            .method(Method::POST)
            .uri("/v1/messages?beta=true")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("user-agent", "claude-cli/2.1.330 (external, cli)")
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14")
            .header("x-claude-code-session-id", "5d2c7a1e-0000-4000-8000-000000000001")
            .header("authorization", "Bearer none")
            .header(WISH, self.wish.word())
            .body(Full::new(self.body.clone()))
            .expect("these are headers")
    }
}

/// How one answer came.
#[derive(Debug, Default)]
pub struct Answer {
    /// From the request to the first byte of the body.
    pub first_byte: Duration,
    /// From the request to the last byte.
    pub took: Duration,
    /// How late each stamped event was, in microseconds.
    pub delays: Vec<f64>,
    /// The body, where it is asked for.
    pub text: Vec<u8>,
}

impl Answer {
    fn hear(&mut self, data: &[u8], ask: &Ask, clock: &Clock) {
        match ask.wish {
            Wish::Connections => self.text.extend_from_slice(data),
            Wish::Stream { pause, .. } if !pause.is_zero() => {
                let now = clock.now().as_microsecond();
                let late = stamps(data).map(|at| (now - at) as f64);
                self.delays.extend(late);
            }
            _ => {}
        }
    }
}

/// The times in a piece of a stream. One that is torn between two pieces is passed over.
fn stamps(data: &[u8]) -> impl Iterator<Item = i64> {
    memchr::memmem::find_iter(data, STAMP).filter_map(|found| {
        let digits = data.get(found + STAMP.len()..found + STAMP.len() + 16)?;
        str::from_utf8(digits).ok()?.parse().ok()
    })
}

fn check(status: StatusCode, bytes: usize, ask: &Ask) -> io::Result<()> {
    if status != StatusCode::OK {
        return Err(io::Error::other(format!("answered {status}")));
    }
    if ask.answer_bytes != 0 && bytes != ask.answer_bytes {
        return Err(io::Error::other(format!("{bytes} bytes instead of {}", ask.answer_bytes)));
    }
    Ok(())
}

/// Time since an instant of the same clock.
pub fn since(began: Instant, clock: &Clock) -> Duration {
    clock.instant().duration_since(began)
}

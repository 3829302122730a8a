//! `headgate requests`

pub mod backtest;
pub mod explain;

use clap::{Args, builder::PossibleValuesParser};

use super::{Global, Trouble, out::say, table};
use crate::{
    api::views::{RequestPage, RequestView, UsageView},
    clock::Clock,
    domain::{Ending, VerdictKind},
};

/// List requests, newest first.
#[derive(Debug, Args)]
pub struct Requests {
    /// At most so many.
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Only those with this ending.
    #[arg(long, value_parser = PossibleValuesParser::new(Ending::ALL.map(Ending::word)))]
    ending: Option<String>,
    /// Show one request with its attempts.
    id: Option<String>,
}

const PAGE: u32 = 500;

impl Requests {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Trouble> {
        let core = global.core().await?;
        let read = match &self.id {
            Some(id) => {
                core.get(&format!("/api/v1/requests/{}", escaped(id))).await.map(|request| vec![request])
            }
            None => self.read(&core).await,
        };
        core.close().await;
        let requests = read?;
        match (global.json, self.id.is_some()) {
            (true, true) => table::json(&requests[0]),
            (true, false) => table::json(&requests),
            (false, true) => show_one(&requests[0]),
            (false, false) => show(&requests),
        }
        Ok(())
    }

    async fn read(&self, core: &super::Core) -> Result<Vec<RequestView>, Trouble> {
        let mut requests: Vec<RequestView> = Vec::new();
        let mut before = String::new();
        loop {
            let left = self.limit - u32::try_from(requests.len()).unwrap_or(u32::MAX);
            let mut path = format!("/api/v1/requests?limit={}{before}", left.min(PAGE));
            if let Some(ending) = &self.ending {
                path += &format!("&ending={}", escaped(ending));
            }
            let page: RequestPage = core.get(&path).await?;
            requests.extend(page.requests);
            match page.next {
                Some(next) if requests.len() < self.limit as usize => before = format!("&before={next}"),
                _ => return Ok(requests),
            }
        }
    }
}

/// What a person typed, as it may stand in a path or a query.
pub fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn show(requests: &[RequestView]) {
    if requests.is_empty() {
        say!("No requests. Send Claude Code through Headgate with `headgate env`.");
        return;
    }
    let (now, zone) = (Clock::system().now(), Clock::system().zone());
    let rows: Vec<[String; 9]> = requests
        .iter()
        .map(|request| {
            let tried = request.attempts.iter().map(|attempt| attempt.account.as_str());
            [
                table::time(request.started_at, now, &zone),
                request.id.clone(),
                request.model.clone().unwrap_or_else(|| request.path.clone()),
                tried.collect::<Vec<_>>().join(" → "),
                request.ending.map_or("running", Ending::word).into(),
                table::duration(request.first_byte_ms),
                table::duration(request.duration_ms),
                used(&request.usage),
                table::dollars(request.cost_usd),
            ]
        })
        .collect();
    table::print(
        ["TIME", "ID", "MODEL", "ACCOUNTS", "ENDING", "FIRST BYTE", "DURATION", "TOKENS", "COST"],
        &rows,
    );
}

/// `1.2 k in, 340 out, 18.4 k read, 2.0 k written`: what a cache gave and took only where somebody has told.
fn used(usage: &UsageView) -> String {
    let mut text = format!("{} in, {} out", table::tokens(usage.input), table::tokens(usage.output));
    for (count, word) in [(usage.cache_read, "read"), (usage.cache_write, "written")] {
        if count.is_some_and(|count| count > 0) {
            text += &format!(", {} {word}", table::tokens(count));
        }
    }
    text
}

/// What an attempt taught, and how the answer ended that began so well.
fn learned(request: &RequestView, at: usize) -> String {
    let verdict = request.attempts[at].verdict;
    let is_last = at + 1 == request.attempts.len();
    let then = match request.ending.filter(|_| is_last && verdict == VerdictKind::Fine) {
        Some(Ending::UpstreamCut) => ", then cut",
        Some(Ending::UpstreamStalled) => ", then silent",
        Some(Ending::UpstreamError) => ", then an error",
        Some(Ending::ClientLeft) => ", then the client left",
        Some(Ending::Interrupted) => ", then Headgate stopped",
        Some(Ending::Complete | Ending::Refused) | None => "",
    };
    format!("{}{then}", verdict.word())
}

/// What is true of a request in which nothing was changed. The page says the same (`story.ts`).
fn untouched(request: &RequestView) -> Option<&'static str> {
    let ending = request.ending.filter(|_| request.changes.is_empty())?;
    match (ending, &request.account) {
        // An error of its own that an upstream has said to the end is its answer, too.
        (Ending::Complete | Ending::UpstreamError, Some(_)) => {
            Some("Identical: the bodies of request and answer passed byte for byte.")
        }
        (_, Some(_)) => Some("Nothing was changed, as far as the answer came."),
        (Ending::Complete | Ending::UpstreamError | Ending::Refused, None) => {
            Some("Headgate wrote this answer itself.")
        }
        (_, None) => None,
    }
}

fn show_one(request: &RequestView) {
    show(std::slice::from_ref(request));
    if let Some(key) = &request.key {
        say!("\nkey: {}", table::printable(key));
    }
    if let Some(error) = &request.error {
        say!("\n{}", table::printable(error));
    }
    for change in &request.changes {
        say!("\nChanged: {}", table::printable(change));
    }
    if let Some(said) = untouched(request) {
        say!("\n{said}");
    }
    say!("");
    let rows: Vec<[String; 5]> = request
        .attempts
        .iter()
        .enumerate()
        .map(|(at, attempt)| {
            [
                attempt.account.clone(),
                attempt.status.map_or_else(|| "–".into(), |status| status.to_string()),
                learned(request, at),
                table::duration(Some(attempt.took_ms)),
                attempt.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table::print(["TRIED", "STATUS", "VERDICT", "TOOK", "ERROR"], &rows);
    if request.decision.is_some() {
        say!("\nWhy: headgate explain {}", request.id);
    }
}

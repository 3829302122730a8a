//! What Headgate does by itself: list it, look at it, do it now.

pub mod views;

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::{
    Api, Refused,
    input::{Filter, Id},
    jobs::views::JobView,
    views::Problem,
};
use crate::{
    domain::{JobId, looks_secret},
    scheduler::{JobState, NotRun},
};

/// As long does an answer wait for the end of a run.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a job is looked at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct Look {
    /// If it runs, answer when it has ended, or after 30 seconds.
    settled: bool,
}

impl Api {
    fn known_job(&self, word: &str) -> Result<JobState, Refused> {
        let job = JobId::of(word).and_then(|id| self.scheduler.job(id));
        job.ok_or_else(|| {
            let all = self.scheduler.jobs();
            let words: Vec<&str> = all.iter().map(|job| job.id.word()).collect();
            // A secret that was typed in the place of a name is not repeated.
            let word = if looks_secret(word) { "of that name".into() } else { format!("\"{word}\"") };
            Refused::not_found(format!("There is no job {word}. The jobs are {}.", words.join(", ")))
        })
    }
}

/// Every job with its last run and its next.
#[utoipa::path(get, path = "/api/v1/jobs", operation_id = "list_jobs", responses((status = OK, body = [JobView])))]
pub async fn list(State(api): State<Api>) -> Json<Vec<JobView>> {
    Json(api.scheduler.jobs().into_iter().map(JobView::of).collect())
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", operation_id = "show_job", params(("id" = String, Path), Look), responses(
    (status = OK, body = JobView), (status = NOT_FOUND, body = Problem),
))]
pub async fn show(
    State(api): State<Api>,
    Id(word): Id<String>,
    Filter(look): Filter<Look>,
) -> Result<Json<JobView>, Refused> {
    let job = api.known_job(&word)?;
    if look.settled {
        tokio::select! {
            () = api.scheduler.settled(job.id) => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
    }
    Ok(Json(JobView::of(api.known_job(&word)?)))
}

/// Begins a run now and does not wait for its end. One that runs is not joined.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/run", operation_id = "run_job", params(("id" = String, Path)), responses(
    (status = ACCEPTED, body = JobView), (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
))]
pub async fn run(
    State(api): State<Api>,
    Id(word): Id<String>,
) -> Result<(StatusCode, Json<JobView>), Refused> {
    let job = api.known_job(&word)?;
    match api.scheduler.run(job.id) {
        Some(Ok(())) => Ok((StatusCode::ACCEPTED, Json(JobView::of(api.known_job(&word)?)))),
        Some(Err(NotRun::Running { since })) => {
            let since = since.to_zoned_datetime(api.clock.zone()).strftime("%H:%M:%S").to_string();
            Err(Refused::running(format!(
                "{} has been running since {since}. It is not started twice.",
                job.title
            )))
        }
        Some(Err(NotRun::Off(why))) => Err(Refused::off(format!("{} is off: {why}.", job.title))),
        Some(Err(NotRun::Stopping)) | None => {
            Err(Refused::off("Headgate is stopping; start it again.".to_owned()))
        }
    }
}

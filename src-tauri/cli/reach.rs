//! Finds the core to act on: the one that runs on the data folder, or one of our own for the length of
//! this command. Either way a command speaks the management API.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt;

use crate::cli::{Code, Trouble, vault::passphrase};
use crate::{
    api::views::Problem,
    app::{App, AppError, CoreFile, Note},
    clock::Clock,
    settings::Settings,
};

/// A call that takes longer has met a core in trouble; a keychain's prompt may take most of it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A core that takes calls.
pub enum Core {
    /// Runs in another process.
    Running(CoreFile),
    /// Lives as long as this command.
    Own(App),
}

impl Core {
    /// The running core of the settings' folder, or one of our own.
    ///
    /// # Errors
    /// If the folder can't be used, or a core has it that can't be reached.
    pub async fn reach(settings: Settings) -> Result<Self, Trouble> {
        match passphrase::open(&settings, &Clock::system()).await {
            Ok(app) => Ok(Self::Own(app)),
            Err(AppError::InUse { core: Some(core), .. }) if !core.is_stopping => Ok(Self::Running(core)),
            Err(AppError::Vault(error)) => {
                let why = format!("Headgate is not running, and this command can't do it alone: {error}");
                Err(Trouble::new(Code::Folder, why))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Calls the API and reads the answer.
    ///
    /// # Errors
    /// What the API says is wrong, with the exit code that fits.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Trouble> {
        let answer = self.send(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            Trouble::new(
                Code::Failed,
                format!("the running Headgate answered in a way that this one does not understand: {error}"),
            )
        })
    }

    /// Calls the API for an act that has nothing to answer.
    ///
    /// # Errors
    /// As [`Core::call`].
    pub async fn order(&self, method: Method, path: &str) -> Result<(), Trouble> {
        self.send(method, path, None::<&()>).await.map(drop)
    }

    /// Calls with GET.
    ///
    /// # Errors
    /// As [`Core::call`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.call(Method::GET, path, None::<&()>).await
    }

    /// Whether a core was running before this command.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Tells other commands what this one waits for, where they have to wait with it: beside a running core nobody has to.
    pub fn note(&self, doing: &str) -> Option<Note> {
        match self {
            Self::Own(app) => Some(app.note(doing)),
            Self::Running(_) => None,
        }
    }

    /// Writes down what our own core still holds.
    pub async fn close(self) {
        if let Self::Own(app) = self {
            app.drain().await;
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Bytes, Trouble> {
        let body = body
            .map(serde_json::to_vec)
            .transpose()
            .map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.unwrap_or_default()))
            .map_err(|error| Trouble::new(Code::Failed, error.to_string()))?;
        let (status, body) = match self {
            Self::Own(app) => {
                let answer = app
                    .router()
                    .oneshot(request.map(Body::from))
                    .await
                    .unwrap_or_else(|never| match never {});
                read(answer).await?
            }
            Self::Running(core) => {
                let answering = async {
                    let answer = core.send(request).await;
                    read(answer.map_err(|error| Trouble::new(Code::Folder, error.to_string()))?).await
                };
                let late =
                    |_| Trouble::new(Code::Folder, "the running Headgate has not answered within a minute");
                tokio::time::timeout(PATIENCE, answering).await.map_err(late)??
            }
        };
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }
}

async fn read<B>(answer: Response<B>) -> Result<(StatusCode, Bytes), Trouble>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let status = answer.status();
    let body = answer.into_body().collect().await;
    let body = body.map_err(|error| Trouble::new(Code::Failed, format!("the answer broke off: {error}")))?;
    Ok((status, body.to_bytes()))
}

fn refused(status: StatusCode, body: &[u8]) -> Trouble {
    let code = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::SERVICE_UNAVAILABLE => Code::Folder,
        _ => Code::Failed,
    };
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => Trouble::of_api(code, problem.code, problem.message),
        Err(_) => Trouble::new(code, format!("the running Headgate answered {status}")),
    }
}

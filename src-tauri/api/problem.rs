//! How the API says no: a status, a word for programs and a sentence for people.

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::views::Problem;
use crate::{
    accounts::{
        EditError, PlanError,
        homes::HomeError,
        renewal::NotRenewed,
        sign_in::{Failure, NotBegun, NotTaken, Refusal},
    },
    clients::{NoAdvice, ProfileError},
    domain::KeyName,
    keys::{self, Denial},
    proxy::{NotProbed, shell_word, with_scope},
    secrets::VaultError,
    store::StoreError,
};

/// A refusal on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refused {
    /// The caller made a mistake.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, code: "bad_input", message: message.into() }
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "not_found", message: message.into() }
    }

    /// No token, or one that we don't know.
    pub fn unauthorized() -> Self {
        let message = "This needs a token. Run `headgate dashboard` for a link that carries one.".into();
        Self { status: StatusCode::UNAUTHORIZED, code: "unauthorized", message }
    }

    /// A client's key, of this name, that does not open this.
    pub fn denied(denial: &Denial, name: Option<&KeyName>) -> Self {
        let (status, code, message) = match denial {
            Denial::Scope { lacks, has } => (
                StatusCode::FORBIDDEN,
                "forbidden",
                format!(
                    "This key lacks the scope `{}`. Add it with `headgate keys set {} {}`.",
                    lacks.word(),
                    name.map_or_else(|| "NAME".into(), |name| shell_word(name.as_str())),
                    with_scope(*has, *lacks)
                ),
            ),
            _ => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "This key is unknown, expired, revoked or switched off; `headgate keys` lists the others."
                    .into(),
            ),
        };
        Self { status, code, message }
    }

    /// What it wants is done for one at a time, and somebody else is having it done.
    pub fn busy(message: impl Into<String>) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, code: "busy", message: message.into() }
    }

    /// The core ends before it could be done.
    pub fn stopping() -> Self {
        let message = "Headgate is stopping: ask again when it runs.".into();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, code: "stopping", message }
    }

    /// It is under way already.
    pub fn running(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code: "running", message: message.into() }
    }

    /// It is switched off, or everything is about to be.
    pub fn off(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code: "off", message: message.into() }
    }

    /// An upstream did not do what it was asked for.
    pub fn upstream(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, code: "upstream", message: message.into() }
    }

    /// There is no window to open, or something holds that back.
    pub fn not_opened(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code: "not_opened", message: message.into() }
    }

    /// Something of ours failed.
    pub fn broken(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "broken", message: message.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(Problem { code: self.code.into(), message: self.message })).into_response()
    }
}

impl From<EditError> for Refused {
    fn from(error: EditError) -> Self {
        let message = error.to_string();
        match error {
            EditError::NotFound => Self::not_found(message),
            EditError::NameTaken(_) => Self { status: StatusCode::CONFLICT, code: "name_taken", message },
            EditError::Vault(error) => error.into(),
            EditError::Store(error) => error.into(),
            _ => Self::bad_input(message),
        }
    }
}

impl From<NotBegun> for Refused {
    fn from(error: NotBegun) -> Self {
        let message = error.to_string();
        match error {
            NotBegun::Edit(error) => error.into(),
            NotBegun::TooMany { .. } => {
                Self { status: StatusCode::TOO_MANY_REQUESTS, code: "too_many_sign_ins", message }
            }
            NotBegun::NeedsClient { .. } => {
                Self { status: StatusCode::UNPROCESSABLE_ENTITY, code: "needs_client", message }
            }
            NotBegun::Failure(Failure::Terms(_) | Failure::Tenant(_)) => Self::bad_input(message),
            NotBegun::Failure(_) => Self { status: StatusCode::BAD_GATEWAY, code: "provider", message },
            NotBegun::NoPort(_) | NotBegun::Random(_) => Self::broken(message),
            _ => Self::bad_input(message),
        }
    }
}

impl From<NotTaken> for Refused {
    fn from(error: NotTaken) -> Self {
        let message = error.to_string();
        match error {
            NotTaken::NoSuch => Self::not_found(message),
            NotTaken::Over | NotTaken::TooLate | NotTaken::NoAnswer => {
                Self { status: StatusCode::CONFLICT, code: "sign_in_over", message }
            }
            _ => Self::bad_input(message),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(error: Refusal) -> Self {
        let message = error.to_string();
        match error {
            Refusal::NotTaken(error) => error.into(),
            Refusal::TooMany => {
                Self { status: StatusCode::TOO_MANY_REQUESTS, code: "too_many_answers", message }
            }
            Refusal::Answer(_) | Refusal::NotOurs => Self::bad_input(message),
        }
    }
}

impl From<NotRenewed> for Refused {
    fn from(error: NotRenewed) -> Self {
        use NotRenewed as Error;
        let (status, code) = match &error {
            Error::NoSignIn | Error::Nothing => (StatusCode::CONFLICT, "not_renewable"),
            Error::Needs(_) => (StatusCode::CONFLICT, "needs_sign_in"),
            Error::Failed { .. } => (StatusCode::BAD_GATEWAY, "not_renewed"),
            Error::Unkept { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not_kept"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "not_yet"),
        };
        Self { status, code, message: error.to_string() }
    }
}

impl From<NotProbed> for Refused {
    fn from(error: NotProbed) -> Self {
        let message = format!("{error}.");
        match error {
            NotProbed::NoModel(_) | NotProbed::BadModel(_) => Self::bad_input(message),
            NotProbed::NoPlace(message) => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, code: "full", message }
            }
            _ => Self { status: StatusCode::CONFLICT, code: "not_testable", message },
        }
    }
}

impl From<PlanError> for Refused {
    fn from(error: PlanError) -> Self {
        use PlanError as Error;
        let message = error.to_string();
        match error {
            Error::NoPool | Error::NoRoute | Error::NoBinding => Self::not_found(message),
            Error::NameTaken(..) => Self { status: StatusCode::CONFLICT, code: "name_taken", message },
            Error::IdTaken(_) => Self { status: StatusCode::CONFLICT, code: "id_taken", message },
            Error::Bound(_) => Self { status: StatusCode::CONFLICT, code: "bound", message },
            Error::Store(error) => error.into(),
            _ => Self::bad_input(message),
        }
    }
}

impl From<ProfileError> for Refused {
    fn from(error: ProfileError) -> Self {
        use ProfileError as Error;
        let message = error.to_string();
        match error {
            Error::NotFound => Self::not_found(message),
            Error::Taken(_) => Self { status: StatusCode::CONFLICT, code: "name_taken", message },
            Error::Store(error) => error.into(),
            _ => Self::bad_input(message),
        }
    }
}

impl From<NoAdvice> for Refused {
    fn from(error: NoAdvice) -> Self {
        let message = error.to_string();
        match error {
            NoAdvice::NoProfile => Self::not_found(message),
            NoAdvice::NobodyPasses => Self::off(message),
        }
    }
}

impl From<keys::EditError> for Refused {
    fn from(error: keys::EditError) -> Self {
        use keys::EditError as Error;
        let message = error.to_string();
        match error {
            Error::NotFound => Self::not_found(message),
            Error::NameTaken(_) => Self { status: StatusCode::CONFLICT, code: "name_taken", message },
            Error::Random(_) => Self::broken(message),
            Error::Store(error) => error.into(),
            _ => Self::bad_input(message),
        }
    }
}

impl From<VaultError> for Refused {
    fn from(error: VaultError) -> Self {
        let code = match &error {
            VaultError::Locked => "vault_locked",
            VaultError::Absent => "vault_absent",
            VaultError::NeedsPassphrase(_) => "needs_passphrase",
            VaultError::WrongPassphrase(_) => "wrong_passphrase",
            VaultError::Broken(_) => "vault_broken",
        };
        Self { status: StatusCode::SERVICE_UNAVAILABLE, code, message: error.to_string() }
    }
}

impl From<HomeError> for Refused {
    fn from(error: HomeError) -> Self {
        let message = error.to_string();
        match error {
            HomeError::Vault(error) => error.into(),
            HomeError::Store(error) => error.into(),
            HomeError::Left { source, .. } => Self { message, ..source.into() },
            HomeError::Running => Self::running(message),
            HomeError::Thread(_) => Self::broken(message),
            _ => Self { status: StatusCode::CONFLICT, code: "not_movable", message },
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store refused");
        match error {
            StoreError::NoSuchAccount | StoreError::NoSuchKey | StoreError::NotThere(_) => {
                Self::not_found(error.to_string())
            }
            _ => Self { status: StatusCode::SERVICE_UNAVAILABLE, code: "store", message: error.to_string() },
        }
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self::bad_input(rejection.body_text())
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_input(rejection.body_text())
    }
}

impl From<PathRejection> for Refused {
    fn from(rejection: PathRejection) -> Self {
        Self::not_found(rejection.body_text())
    }
}

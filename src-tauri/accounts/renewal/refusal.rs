//! Why a sign-in was not renewed: whose fault it is, and what to do.

use std::sync::Arc;

use jiff::Timestamp;

/// Each is a sentence without a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewed {
    #[error("there is no sign-in to renew: the account has a key of its own, or none")]
    NoSignIn,
    #[error(
        "nothing came with this sign-in that could renew it; sign in again with `headgate accounts sign-in`"
    )]
    Nothing,
    /// A person has to do something first.
    #[error("{0}; sign in again with `headgate accounts sign-in`")]
    Needs(Arc<str>),
    /// It works again by itself, or not; nobody said that the sign-in is no good.
    #[error("the sign-in could not be renewed: {why}; it is tried again by itself")]
    Failed { why: Arc<str>, again_at: Timestamp },
    /// The next tokens are here, and are not used before they are kept.
    #[error("the sign-in was renewed but could not be kept: {why}; that is tried again by itself")]
    Unkept { why: Arc<str>, again_at: Timestamp },
    #[error("the sign-in has just been given; the next one would be no better")]
    Young,
    /// Whoever waited goes on; the renewal does too.
    #[error("the sign-in is still being renewed; look again in a moment")]
    Late,
    #[error("Headgate is stopping; the sign-in is renewed once it runs again")]
    Closing,
    /// Nobody is told: there is a newer one.
    #[error("there is a newer one")]
    Newer,
    /// Nobody is told: time wants it later.
    #[error("it is not time yet")]
    NotYet,
}

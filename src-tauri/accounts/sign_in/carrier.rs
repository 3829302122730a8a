//! How a request for a token leaves this machine. Who carries it is none of this room's business: the proxy does,
//! over the way to upstreams that it has.

use std::{fmt, future::Future, pin::Pin};

use bytes::Bytes;
use http::{Request, Response};

/// The most bytes of an answer that are read.
pub const MOST_ANSWER: usize = 256 * 1024;

/// An answer on its way.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, NotCarried>> + Send + 'a>>;

/// Carries one request to the absolute address in it, and its whole answer back: within a time limit, no more than
/// [`MOST_ANSWER`] bytes, and never on to where the answer points.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// Carries it.
    fn carry(&self, request: Request<Bytes>) -> Carried<'_>;
}

/// Why no answer came back. Each is a sentence and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// Nobody was reached, or no answer came.
    #[error("{0}")]
    Unreached(String),
    #[error("{host} answered with more than {MOST_ANSWER} bytes, which no answer to a sign-in has")]
    TooLong { host: String },
    #[error("{host} did not answer in time")]
    Late { host: String },
    #[error("the answer of {host} broke off")]
    Broken { host: String },
    #[error("the address of the sign-in can't be asked")]
    Nowhere,
}

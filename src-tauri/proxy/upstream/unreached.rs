//! Why an upstream gave no answer.

/// Why no head came back. Each is a sentence and holds no credential.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unreached {
    #[error("{why}")]
    Connect { at: Stage, why: String },
    #[error("{host} did not accept a connection within {seconds:.0} s")]
    ConnectLate { host: String, seconds: f64 },
    #[error("{host} sent no answer within {seconds:.0} s")]
    HeadLate { host: String, seconds: f64 },
    #[error("{host} closed the connection before it answered")]
    Closed { host: String },
    #[error("{host} answered in a way that is not HTTP, or with too many headers")]
    Garbled { host: String },
    #[error("the address leads back to Headgate itself")]
    Itself,
}

/// Where the way to an upstream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its name leads to no address.
    Name,
    /// Nobody listens there.
    Refused,
    /// No connection comes about.
    Socket,
    /// The proxy gives no way.
    Proxy,
    /// TLS does not come about.
    Tls,
    /// What was begun is no HTTP.
    Http,
}

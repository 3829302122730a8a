//! What a connection test found, in one word. What is said of it is the proxy's work.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a connection test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The model answered.
    Works,
    /// The host's name leads to no address.
    UnknownHost,
    /// Nobody listens at the address.
    Refused,
    /// No connection comes about.
    OutOfReach,
    /// The proxy on the way gives none.
    ProxyRefused,
    /// TLS does not come about.
    TlsFailed,
    /// What answers speaks no HTTP.
    NoHttp,
    /// There was no answer within the time of the test.
    Late,
    /// The connection was closed before the answer, or in its middle.
    BrokeOff,
    /// The address leads back to Headgate.
    Itself,
    /// It answers with another address, which is not followed.
    Redirected,
    /// It answers with a web page.
    WebPage,
    /// It answers well, but not with a message.
    NoMessage,
    /// It does not accept the credential.
    CredentialRefused,
    /// The organisation behind the credential is switched off.
    OrganisationDisabled,
    /// The account may not do this.
    Forbidden,
    /// The account does not have the model.
    ModelMissing,
    /// There is no such path at the address.
    NotFound,
    /// The account is throttled.
    Throttled,
    /// A usage window is spent.
    QuotaSpent,
    /// What is paid on top of the plan is spent.
    ExtraUsageSpent,
    /// The upstream is in trouble.
    Weather,
    /// It does not take the request itself.
    RequestRefused,
}

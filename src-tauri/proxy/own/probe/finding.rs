//! What an attempt amounts to for whoever tests a connection. Pure: what came of it in, one word out.

use http::StatusCode;
use serde::Deserialize;

use crate::{
    domain::{Finding, Verdict},
    proxy::upstream::{Stage, Unreached},
};

/// Why no head came.
pub fn of_unreached(unreached: &Unreached) -> Finding {
    match unreached {
        Unreached::Connect { at, .. } => match at {
            Stage::Name => Finding::UnknownHost,
            Stage::Refused => Finding::Refused,
            Stage::Socket => Finding::OutOfReach,
            Stage::Proxy => Finding::ProxyRefused,
            Stage::Tls => Finding::TlsFailed,
            Stage::Http => Finding::NoHttp,
        },
        Unreached::ConnectLate { .. } => Finding::OutOfReach,
        Unreached::HeadLate { .. } => Finding::Late,
        Unreached::Closed { .. } => Finding::BrokeOff,
        Unreached::Garbled { .. } => Finding::NoHttp,
        Unreached::Itself => Finding::Itself,
    }
}

/// Whether what came with a good status is a message.
pub fn of_message(body: &[u8]) -> Finding {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    match serde_json::from_slice::<Message<'_>>(body) {
        Ok(message) if message.kind == "message" => Finding::Works,
        _ => Finding::NoMessage,
    }
}

/// What is wrong with an answer that a client would have been given whole; the words for its record.
pub fn fault(finding: Finding) -> Option<&'static str> {
    match finding {
        Finding::Works => None,
        Finding::Redirected => Some("it answered with a redirection"),
        Finding::WebPage => Some("it answered with a web page"),
        Finding::Late => Some("its answer did not end in time"),
        Finding::NoMessage => Some("it answered with no message"),
        _ => Some("it did not answer the test"),
    }
}

/// What an error says.
pub fn of_verdict(verdict: &Verdict, status: StatusCode) -> Finding {
    match verdict {
        // A status that is neither a success nor an error is no answer to a question.
        Verdict::Fine => Finding::NoMessage,
        Verdict::Throttled { .. } | Verdict::OwnLimit => Finding::Throttled,
        Verdict::QuotaSpent { .. } => Finding::QuotaSpent,
        Verdict::ExtraUsageSpent { .. } => Finding::ExtraUsageSpent,
        Verdict::CredentialRefused => Finding::CredentialRefused,
        Verdict::OrganisationDisabled { .. } => Finding::OrganisationDisabled,
        Verdict::Forbidden => Finding::Forbidden,
        Verdict::ModelMissing => Finding::ModelMissing,
        Verdict::Weather => Finding::Weather,
        Verdict::RequestFault | Verdict::ContextTooLong if matches!(status.as_u16(), 404 | 405) => {
            Finding::NotFound
        }
        Verdict::RequestFault | Verdict::ContextTooLong => Finding::RequestRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_is_a_message() {
        assert_eq!(of_message(br#"{"id":"m","type":"message","content":[]}"#), Finding::Works);
        for none in ["", "{}", "[]", r#"{"type":"error"}"#, r#"{"type":7}"#, r#"{"status":"ok"}"#] {
            assert_eq!(of_message(none.as_bytes()), Finding::NoMessage, "{none}");
        }
    }

    #[test]
    fn a_404_for_a_model_is_told_from_one_for_a_path() {
        let missing = StatusCode::NOT_FOUND;
        assert_eq!(of_verdict(&Verdict::ModelMissing, missing), Finding::ModelMissing);
        assert_eq!(of_verdict(&Verdict::RequestFault, missing), Finding::NotFound);
        assert_eq!(of_verdict(&Verdict::RequestFault, StatusCode::BAD_REQUEST), Finding::RequestRefused);
    }
}

//! The smallest request that a model answers, as Headgate sends it in its own name: one token, and a prompt that says
//! what it is. Who may be asked, and what the answer teaches, is for whoever sends it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::question::VERSION;
use crate::proxy::arrival::request::MESSAGES;

/// Where it goes.
pub const PATH: &str = MESSAGES;

/// Its body.
pub fn body(model: &str, words: &str) -> Bytes {
    let message = serde_json::json!({
        "model": model,
        "max_tokens": 1,
        "messages": [{ "role": "user", "content": words }],
    });
    message.to_string().into()
}

/// Its headers, but for the account's own.
pub fn headers(client: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(client));
    headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
    headers
}

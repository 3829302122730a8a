//! Wire formats: where a field stands in JSON bytes, where one server-sent event ends. Knows bytes and
//! nothing of accounts, prices or sockets; never builds a tree of a body and never changes one.

mod anthropic;
mod fields;
mod sse;

pub use anthropic::{
    ErrorKind, RequestHead, StreamEvent, error_body, error_in, error_of, model_of, usage_in,
};
pub use fields::{Fields, Malformed};
pub use sse::{EventLines, MAX_EVENT};

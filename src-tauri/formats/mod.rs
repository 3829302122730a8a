//! Wire formats: where a field stands in JSON bytes, where one server-sent event ends. Knows bytes and
//! nothing of accounts, prices or sockets; never builds a tree of a body. The one change that it knows is
//! another model's name in place of the one that stands there.

mod anthropic;
mod fields;
mod hints;
pub mod http1;
mod splice;
mod sse;

pub use anthropic::{
    ErrorKind, MESSAGE_STOP, RequestHead, StreamEvent, error_body, error_in, error_of, is_json, model_of,
    usage_in,
};
pub use fields::{Fields, Malformed};
pub use hints::{folder_in, is_filled, shows_images};
pub use splice::{Unspliceable, splice_model, splice_repeat};
pub use sse::{EventData, EventLines, MAX_EVENT};

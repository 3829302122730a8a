//! What Headgate asks upstreams for by itself: models, usage, tokens, opened windows, prompts that are kept warm, and
//! whether a connection works. Always under its own name. Refuses to take an account out of service for what it hears,
//! and to spend what its owner did not allow; what costs tokens is recorded like a client's request.

pub(super) mod courier;
pub(super) mod discover;
mod errand;
pub(super) mod keep_warm;
mod one_token;
pub(super) mod opening;
pub(super) mod probe;
mod question;
pub(super) mod readings;
pub(super) mod warm;

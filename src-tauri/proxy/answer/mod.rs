//! What the client gets, from an upstream or from us, and what is written down of it. Refuses to change a byte of an
//! upstream's answer, and to end a request without the one record that tells how; what it says itself has Anthropic's
//! shape.

pub(super) mod counting;
pub(super) mod failure;
pub(super) mod models;
pub(super) mod record;
pub(super) mod relay;

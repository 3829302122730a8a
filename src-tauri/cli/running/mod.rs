//! Running it, with a window or without, for real or to try it out, and how it stands.

pub mod demo;
pub mod sandbox;
pub mod serve;
mod stage;
pub mod status;

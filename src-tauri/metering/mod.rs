//! How much a reply used, heard as it passes. Holds no reply, delays none, and says "unknown" where the
//! upstream said nothing.

mod tally;

pub use tally::{Heard, Tally};

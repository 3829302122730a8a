//! How much a reply used, heard as it passes, and what that costs by the price list. Holds no reply, delays none, and says "unknown" where the
//! upstream said nothing.

mod course;
mod estimate;
mod price;
mod tally;
mod unpack;

pub use course::Course;
pub use estimate::{Estimate, Scales};
pub use price::Prices;
pub use tally::{Heard, Tally};

//! How much a reply used, heard as it passes, and what that costs by the price list. Holds no reply, delays none, and says "unknown" where the
//! upstream said nothing.

mod course;
mod estimate;
mod price;
mod tally;
mod tokens;
mod unpack;

pub use course::Course;
pub use estimate::Estimate;
pub use price::Prices;
pub use tally::{Heard, Tally};
pub use tokens::prepare as prepare_to_count;

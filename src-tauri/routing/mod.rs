//! Who goes next. Pure decisions: values in, a value out, `now` is an argument. Knows nothing of HTTP,
//! disks or keys, and holds no state of its own.

mod allowed;
mod pick;
mod settle;
mod snapshot;
mod standing;

pub use allowed::Allowed;
pub use pick::{Decision, PassedOver, Wait, last_resort, pick};
pub use settle::{Learned, is_news, settle};
pub use snapshot::{Contender, Lease, Load, Ration, Snapshot};
pub use standing::{standing, standing_for};

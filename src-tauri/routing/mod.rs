//! Who goes next. Pure decisions: values in, a value out, `now` is an argument. Knows nothing of HTTP, disks or
//! keys. Its state is which conversation is bound to which account (`affinity`), which decisions are handed, and
//! what is counted of this moment (`Load`, `weather`).

mod affinity;
mod allowed;
mod aside;
mod case;
mod course;
mod expiry;
mod explain;
mod guarded;
pub mod health;
mod hold;
mod offers;
mod pick;
mod plan;
mod rank;
pub mod replay;
mod settle;
mod snapshot;
mod standing;
mod weather;
mod weigh;

pub use affinity::{AFFINITY_LIVES, Affinities, Bound, MOST_AFFINITIES, Refuge};
pub use allowed::Allowed;
pub use aside::Aside;
pub use explain::{explain, recall, why_not};
pub use hold::{Hold, bad_weather, hold};
pub use offers::Offers;
pub use pick::{Decision, PassedOver, Pick, Wait, Why, last_resort, pick};
pub use plan::{Plan, Zones};
pub use settle::{Learned, Lesson, is_news, reopen, settle, take_readings};
pub use snapshot::{Contender, Lease, Load, Ration, Seat, Snapshot};
pub use standing::{standing, standing_for};
pub use weather::{Sign, UnderWay, Weather};

#[cfg(test)]
mod promises_tests;
#[cfg(test)]
mod week_tests;

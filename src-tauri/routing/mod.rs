//! Who goes next. Pure decisions: values in, a value out, `now` is an argument. Knows nothing of HTTP, disks or
//! keys. Its state is which conversation is bound to which account (`affinity`), which decisions are handed, and
//! what is counted of this moment (`Load`, `weather`).

mod aside;
mod case;
mod contenders;
mod explain;
mod pick;
mod plan;
mod rank;
pub mod replay;
mod settle;
mod snapshot;
mod standing;

pub use aside::Aside;
pub use contenders::Contenders;
pub use explain::{explain, recall, why_not};
pub use pick::{Decision, PassedOver, Pick, Wait, Why, last_resort, pick};
pub use plan::allowed::Allowed;
pub use plan::offers::Offers;
pub use plan::{Plan, Zones};
pub use rank::affinity::{AFFINITY_LIVES, Affinities, Bound, MOST_AFFINITIES, Refuge};
pub use settle::{Learned, Lesson, is_news, reopen, settle, take_readings};
pub use snapshot::{Contender, Lease, Load, Purse, Ration, Seat, Snapshot};
pub use standing::health;
pub use standing::kept_back::{KeptBack, bad_weather, kept_back, rush};
pub use standing::weather::{Sign, UnderWay, Weather};
pub use standing::{families_out, standing, standing_for};

#[cfg(test)]
mod promises_tests;
#[cfg(test)]
mod week_tests;

//! What a clock that was wrong leaves behind: moments that lie ahead of now. What was noted then says nothing of how
//! much time has gone by.

use jiff::{SignedDuration, Timestamp};

/// Clocks are corrected by as much all the time; what was noted further ahead of now was noted by a clock that was
/// wrong.
pub const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Whether what has happened at this moment was noted before the clock was set back.
pub fn is_ahead(noted_at: Timestamp, now: Timestamp) -> bool {
    noted_at.duration_since(now) > SKEW
}

//! Which account is asked, what the head of its answer says of it, and who is asked next. Refuses to ask anybody once a
//! byte has left for the client, and to choose by itself: who goes next is `routing`'s to say, and how long all of it
//! may take is bounded here.

pub(super) mod attempt;
pub(super) mod decisions;
pub(super) mod gate;
mod hold;
pub(super) mod nobody;
pub(super) mod patience;
mod rehearsal;
pub(super) mod renewed;
pub(super) mod tries;

//! Who may ask: clients' keys, known by their digests, with what each allows and what it has used. Looking
//! one up takes a hash and a map, and no lock but the key's own. It never holds a secret after it has been
//! shown once.

mod edit;
mod mint;
mod rate;
mod register;
mod spending;

pub use edit::{EditError, Minted};
pub use mint::{begins_with_a_key, looks_like_a_key};
pub use register::{Denial, Holder, Register};
pub use spending::{Amount, Limit, Usages};

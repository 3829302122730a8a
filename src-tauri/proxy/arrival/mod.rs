//! From a head to a request that may be served: whose it is, that there is a place for it, what it says of itself, and
//! that it has come whole. Refuses strangers, crowds and what is too long or too slow; no account is chosen here, and
//! nothing is sent.

pub(super) mod admission;
pub(super) mod arrive;
pub(super) mod hints;
pub(super) mod keyholder;
pub(super) mod login;
pub(super) mod request;

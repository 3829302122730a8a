//! What a person decides of where requests go: pools, routes, and what is bound to which.

pub(super) mod bindings;
pub(super) mod pools;
pub(super) mod routes;
pub mod views;

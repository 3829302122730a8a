//! What a person decides of where requests go: pools, routes and what is bound to which.

pub mod bindings;
pub mod pools;
pub mod routes;

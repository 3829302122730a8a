//! The management API.
pub mod views;

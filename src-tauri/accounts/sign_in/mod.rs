//! Signing an account in, by OAuth: what is asked of an authorisation server, and what its answers mean.

mod carrier;
mod failure;
mod server;

pub use carrier::{Carried, Carrier, MOST_ANSWER, NotCarried};
pub use failure::Failure;
pub use server::{DeviceCode, Polled, Proof, Server};

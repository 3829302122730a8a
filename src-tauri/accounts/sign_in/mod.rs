//! Signing an account in, by OAuth: the desk where a sign-in begins and to which its answer comes, what is asked of an
//! authorisation server, and what its answers mean. Keeps nothing; that is the roster's.

mod answer;
mod book;
#[cfg(test)]
mod book_tests;
mod carrier;
mod desk;
mod device;
mod failure;
mod finish;
mod http;
mod last_link;
mod loopback;
mod server;
mod terms;
mod throttle;

pub use book::{LIFE, Look, MOST_OPEN, NotTaken, Progress, Shown, SignInId, Whom};
pub use carrier::{Carried, Carrier, MOST_ANSWER, NotCarried};
pub use desk::{DEEP_LINK, Desk, Refusal};
pub use failure::Failure;
pub use last_link::RefusedLink;
pub use server::{DeviceCode, Polled, Proof, Server};
pub use terms::{NotBegun, Order};

pub use crate::providers::{Definition, Way};

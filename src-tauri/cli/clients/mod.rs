//! The programs that ask: their keys, the profiles of Claude Code, and starting one through Headgate.

pub mod env;
pub mod keys;
pub mod profiles;
pub mod run;

//! The programs that ask through Headgate, as far as Headgate sets them up: the profiles of Claude Code. Reads no file
//! of theirs.

mod best;
mod folder;
mod profiles;

pub use best::{Best, best};
pub use folder::BadFolder;
pub use profiles::{Known, ProfileError, Profiles, Removed};

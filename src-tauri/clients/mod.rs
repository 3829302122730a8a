//! The programs that ask through Headgate, as far as Headgate sets them up: the profiles of Claude Code. Reads no file
//! of theirs.

mod advice;
mod best;
mod folder;
mod profiles;

pub use advice::{Advice, NoAdvice, advise, startable};
pub use folder::BadFolder;
pub use profiles::{Known, ProfileError, Profiles, Removed};

use best::{Best, best};

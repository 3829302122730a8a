//! Finds what a person named: by its name, without regard to case as the core compares names, or else by its id.
//! Knows no command and asks no core.

use crate::{
    api::{
        keys::views::KeyView,
        plan::views::{PoolView, RouteView},
        profiles::views::ProfileView,
        views::AccountView,
    },
    cli::{Code, Trouble},
    domain::looks_secret,
};

/// What has a name that a person gave it, and a number.
pub trait Named {
    /// What it is called in a sentence; with an `s` it is the command that lists all.
    const NOUN: &'static str;
    fn name(&self) -> &str;
    fn id(&self) -> i64;
}

/// The one that is meant.
///
/// # Errors
/// If there is none, with the command that lists them.
pub fn found<'a, T: Named>(all: &'a [T], given: &str) -> Result<&'a T, Trouble> {
    let meant = given.trim().to_lowercase();
    let by_name = all.iter().find(|one| one.name().to_lowercase() == meant);
    by_name.or_else(|| all.iter().find(|one| one.id().to_string() == meant)).ok_or_else(|| {
        let noun = T::NOUN;
        // A secret that was typed in the place of a name is not repeated.
        let given = if looks_secret(given) { "of that name".into() } else { format!("\"{given}\"") };
        Trouble::new(Code::NotFound, format!("there is no {noun} {given}; `headgate {noun}s` lists them"))
    })
}

macro_rules! named {
    ($($view:ty: $noun:literal),*) => {
        $(impl Named for $view {
            const NOUN: &'static str = $noun;

            fn name(&self) -> &str {
                &self.name
            }

            fn id(&self) -> i64 {
                self.id
            }
        })*
    };
}

named!(AccountView: "account", KeyView: "key", PoolView: "pool", ProfileView: "profile", RouteView: "route");

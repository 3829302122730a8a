//! Where an account's address leads: taken apart once, since it is the same for each of its requests.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use http::{HeaderValue, Uri, uri::PathAndQuery};
use url::{Position, Url};

use super::origin::Origin;
use crate::providers;

/// As many addresses are remembered; with one more, all are read anew.
const MOST: usize = 256;

/// An address that requests can be sent to.
#[derive(Debug)]
pub struct Target {
    /// Where a connection to it leads.
    pub origin: Origin,
    /// What stands in `host`.
    pub host: HeaderValue,
    base: Url,
}

/// The addresses that a worker has met.
#[derive(Default)]
pub struct Targets(Mutex<HashMap<Url, Arc<Target>>>);

impl Targets {
    /// This address, taken apart; `None` where it leads nowhere.
    pub fn of(&self, base: &Url) -> Option<Arc<Target>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(base) {
            return Some(Arc::clone(target));
        }
        let target = Arc::new(Target::read(base)?);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(base.clone(), Arc::clone(&target));
        Some(target)
    }
}

impl Target {
    fn read(base: &Url) -> Option<Self> {
        let authority = &base[Position::BeforeHost..Position::AfterPort];
        Some(Self {
            origin: Origin::of(base)?,
            host: HeaderValue::from_str(authority).ok()?,
            base: base.clone(),
        })
    }

    /// The path there for what a client asked.
    pub fn path(&self, asked: &PathAndQuery) -> Option<PathAndQuery> {
        providers::upstream_path(&self.base, asked)
    }

    /// The whole address of a path there, as HTTP/2 wants it.
    pub fn absolute(&self, path: &PathAndQuery) -> Option<Uri> {
        Uri::builder()
            .scheme(self.base.scheme())
            .authority(self.host.as_bytes())
            .path_and_query(path.clone())
            .build()
            .ok()
    }
}

//! What became of the last deep link: whoever has followed one looks at the window for it. Keeps nothing of the link.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{Refusal, book::LIFE};

/// A deep link that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLink {
    /// Why, as a sentence that repeats nothing of it.
    pub why: Arc<str>,
    pub at: Timestamp,
}

/// The last one, if it was refused.
#[derive(Debug, Default)]
pub struct LastLink(Mutex<Option<RefusedLink>>);

impl LastLink {
    /// One was refused, or taken. True if there is something else to tell now.
    pub fn note(&self, refusal: Option<&Refusal>, now: Timestamp) -> bool {
        let next = refusal.map(|refusal| RefusedLink { why: refusal.to_string().into(), at: now });
        let mut last = self.lock();
        let is_news = *last != next;
        *last = next;
        is_news
    }

    /// The last one, if it was refused and not longer ago than a sign-in is open.
    pub fn refused(&self, now: Timestamp) -> Option<RefusedLink> {
        self.lock().clone().filter(|refused| now.duration_since(refused.at).unsigned_abs() < LIFE)
    }

    fn lock(&self) -> MutexGuard<'_, Option<RefusedLink>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

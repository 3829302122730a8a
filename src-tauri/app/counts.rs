//! Whether this user's counts of tokens are estimated, as a start learns it from the run before: only then are
//! tiktoken's tables, which take 20 MB, read before anybody asks.

use crate::store::Store;

const KEY: &str = "counts_estimated";

/// Whether the last run that ended in order, and recorded anything, had to estimate.
pub fn were_estimated(store: &Store) -> bool {
    // What can't be read costs the first count its precision, and nothing else.
    store.meta(KEY).ok().flatten().is_some()
}

/// Keeps it for the next start, if this run has recorded anything that could tell. Blocks on the store.
pub fn keep(store: &Store, has_recorded: bool, are_estimated: bool) {
    if !has_recorded || were_estimated(store) == are_estimated {
        return;
    }
    if let Err(error) = store.change_meta(&[(KEY, are_estimated.then_some("yes"))]) {
        tracing::warn!(%error, "the next start won't know whether counts are estimated");
    }
}

//! What one group commit writes. A request that begins and ends within it is written once, of windows
//! and lessons only the latest word is left, and until it is on disk nothing of it is let go.

use std::{mem, sync::Arc};

use rusqlite::{Connection, TransactionBehavior};

use super::{
    Permit,
    accounts::{self, WaitingLessons},
    affinities::{self, WaitingAffinities},
    attempts, decisions, rows, spent,
    windows::{self, WaitingWindows},
};
use crate::domain::{Exchange, ExchangeStart};

/// Bounded by its sources: permits for exchanges, conversations that have one for affinities, accounts for the
/// rest.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub begun: Vec<Arc<ExchangeStart>>,
    pub finished: Vec<(Arc<Exchange>, Option<Permit>)>,
    pub lessons: WaitingLessons,
    pub windows: WaitingWindows,
    pub affinities: WaitingAffinities,
    /// It was tried before, and nobody knows what of it is on disk: a commit can say that it failed and be done.
    tried: bool,
}

impl Batch {
    /// How many things wait in it.
    pub fn len(&self) -> usize {
        let rows = self.begun.len() + self.finished.len() + self.affinities.len();
        rows + self.lessons.len() + self.windows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in what came later.
    pub fn absorb(&mut self, later: Self) {
        if self.is_empty() {
            *self = later;
            return;
        }
        self.begun.extend(later.begun);
        self.finished.extend(later.finished);
        self.lessons.extend(later.lessons);
        self.affinities.extend(later.affinities);
        for (account, windows) in later.windows {
            windows::merge(self.windows.entry(account).or_default(), windows);
        }
    }

    /// Commits everything and lets it go, permits included; after an error all of it is still here.
    pub fn write(&mut self, conn: &mut Connection) -> rusqlite::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let is_first_try = !mem::replace(&mut self.tried, true);
        let is_whole = self.sort();
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        rows::write_begun(&tx, &self.begun)?;
        let ended: Vec<&Exchange> = self.finished.iter().map(|(exchange, _)| &**exchange).collect();
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for (exchange, is_whole) in ended.iter().zip(is_whole) {
            if is_whole && is_first_try { new.push(*exchange) } else { known.push(*exchange) }
        }
        rows::write_new(&tx, &new)?;
        rows::write_finished(&tx, &known)?;
        attempts::write(&tx, &ended)?;
        decisions::write(&tx, ended.iter().copied())?;
        spent::write(&tx, ended.iter().copied())?;
        accounts::write(&tx, &self.lessons)?;
        windows::write(&tx, &self.windows)?;
        affinities::write(&tx, &self.affinities)?;
        tx.commit()?;
        drop(mem::take(self));
        Ok(())
    }

    /// Rows go in by id, where a B-tree is quickest; beginnings that have their end here are left out. Says which
    /// of the ended ones had theirs here.
    fn sort(&mut self) -> Vec<bool> {
        self.finished.sort_by_key(|(exchange, _)| exchange.start.id);
        let Self { begun, finished, .. } = self;
        let mut is_whole = vec![false; finished.len()];
        begun.retain(|start| {
            let end = finished.binary_search_by_key(&start.id, |(exchange, _)| exchange.start.id);
            if let Ok(end) = end {
                is_whole[end] = true;
            }
            end.is_err()
        });
        begun.sort_unstable_by_key(|start| start.id);
        is_whole
    }
}

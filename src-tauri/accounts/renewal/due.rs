//! When renewals are due by time, and whatever is due done at once. Keeps no time itself: that is the scheduler's.

use std::time::Duration;

use jiff::Timestamp;

use super::{NotRenewed, Renewals, Told, course::Want, landed};
use crate::domain::AccountId;

/// Longer than any renewal takes that gets an answer.
const MOST: Duration = Duration::from_mins(2);

impl Renewals {
    /// When the next sign-in is to be renewed, as it looks at `now`: what is overdue is due then, and by a later clock
    /// it would always seem to lie ahead. `None` if only an event brings one about.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.roster.signed_in().into_iter().filter_map(|id| self.look_at(id, now)?.next_at).min()
    }

    /// Renews whatever is due and waits for all of it: how many were renewed, and those that failed, with why.
    pub async fn renew_due(&self) -> (u64, Vec<(AccountId, NotRenewed)>) {
        let (mut renewed, mut failed) = (0, Vec::new());
        for (id, told) in self.begin_due() {
            match landed(told, MOST).await {
                Ok(()) => renewed += 1,
                Err(why) => failed.push((id, why)),
            }
        }
        (renewed, failed)
    }

    /// Completes when [`Renewals::next_due`] may say something else than before this call.
    pub async fn news(&self) {
        self.0.roster.inner().due_anew.notified().await;
    }

    fn begin_due(&self) -> Vec<(AccountId, Told)> {
        let signed_in = self.0.roster.signed_in().into_iter();
        signed_in.filter_map(|id| Some((id, self.want_in_time(id)?))).collect()
    }

    fn want_in_time(&self, id: AccountId) -> Option<Told> {
        let now = self.now();
        let is_due = self.look_at(id, now)?.next_at.is_some_and(|due| due <= now);
        if is_due { self.want(id, Want::Time, None).ok() } else { None }
    }
}

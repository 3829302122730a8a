//! The one timer of all renewals. It sleeps until the earliest is due, and where none will be, it sleeps until there is
//! news.

use std::time::Duration;

use jiff::Timestamp;

use super::{NotRenewed, Renewals, Told, course::Want, landed};
use crate::{clock::Clock, domain::AccountId, tasks::Tasks};

/// While something will be due, it looks anew after this at the latest: sleep and a clock that is set move the time
/// without telling anybody.
const LOOK: Duration = Duration::from_mins(10);
/// And not sooner than this.
const LEAST: Duration = Duration::from_secs(1);
/// Longer than any renewal takes that gets an answer.
const MOST: Duration = Duration::from_mins(2);

impl Renewals {
    /// When the next sign-in is to be renewed; `None` if only an event brings one about.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.roster.signed_in().into_iter().filter_map(|id| self.look(id)?.next_at).min()
    }

    /// Renews whatever is due and waits for all of it. Those that failed, with why.
    pub async fn renew_due(&self) -> Vec<(AccountId, NotRenewed)> {
        let mut failed = Vec::new();
        for (id, told) in self.begin_due() {
            if let Err(why) = landed(told, MOST).await {
                failed.push((id, why));
            }
        }
        failed
    }

    /// Renews each when it is due, until the drain.
    pub async fn keep_renewing(self, tasks: Tasks) {
        let clock = self.0.roster.inner().clock.clone();
        loop {
            // Listened for before the look, so that no change falls in between.
            let (changed, moved) = (self.0.roster.inner().due_anew.notified(), clock.moved());
            self.begin_due();
            let wait = self.next_due().map(|due| wait(due, &clock));
            let pause = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = changed => {}
                () = moved => {}
                () = tasks.stopping() => return,
            }
        }
    }

    fn begin_due(&self) -> Vec<(AccountId, Told)> {
        let signed_in = self.0.roster.signed_in().into_iter();
        signed_in.filter_map(|id| Some((id, self.want_in_time(id)?))).collect()
    }

    fn want_in_time(&self, id: AccountId) -> Option<Told> {
        let is_due = self.look(id)?.next_at.is_some_and(|due| due <= self.now());
        if is_due { self.want(id, Want::Time, None).ok() } else { None }
    }
}

fn wait(due: Timestamp, clock: &Clock) -> Duration {
    let left = due.duration_since(clock.now());
    Duration::try_from(left).unwrap_or_default().clamp(LEAST, LOOK)
}

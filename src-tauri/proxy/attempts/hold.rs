//! Holding a request that no account can take: a moment while all serve as many as they may, and until one
//! is back, if the user wants that and it is soon enough. Nothing is sent meanwhile, so status and answer
//! stay the upstream's; who hangs up is dropped.

use std::time::{Duration, Instant};

use crate::{
    proxy::{Gateway, arrival::request::Arrival},
    routing::{Aside, Decision, Wait, pick},
};

/// How long one request may still be held, counted from when it was held first.
#[derive(Debug, Default)]
pub struct Hold {
    first: Option<Instant>,
    first_busy: Option<Instant>,
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Somebody who has not failed it has room.
    HasRoom,
    /// Somebody is back.
    IsReady,
    /// It was not worth waiting, or has lasted long enough.
    Over,
}

impl Hold {
    /// Waits out a decision that nobody can take it, as far as the settings allow.
    pub async fn out(
        &mut self,
        gateway: &Gateway,
        arrival: &Arrival,
        set_aside: &[Aside],
        wait: &Wait,
    ) -> Held {
        let (is_over, held) = if wait.is_busy {
            (!self.until_somebody_has_room(gateway, arrival, set_aside).await, Held::HasRoom)
        } else {
            // A count is estimated rather than held.
            let may = !arrival.counts_tokens();
            (!(may && self.until_somebody_is_ready(gateway, arrival).await), Held::IsReady)
        };
        if is_over { Held::Over } else { held }
    }

    /// Waits until an account is ready. False at once where none will be in time, or where one is ready by
    /// its standing and has failed this very request all the same.
    async fn until_somebody_is_ready(&mut self, gateway: &Gateway, arrival: &Arrival) -> bool {
        let limit = gateway.limits.hold();
        if limit.is_zero() {
            return false;
        }
        let first = *self.first.get_or_insert_with(|| gateway.clock.instant());
        let mut held = None;
        loop {
            // Listened for before the look, so that no change falls in between.
            let changed = gateway.roster.changed();
            let now = gateway.clock.now();
            let until = match pick(&arrival.ask, &arrival.accounts(gateway), None, &[], now) {
                // Whoever is ready but full has to be waited for all the same.
                Decision::Take(_) | Decision::Wait(Wait { is_busy: true, .. }) => return held.is_some(),
                Decision::Wait(Wait { until, .. }) => until,
            };
            let left = limit.saturating_sub(gateway.clock.instant().duration_since(first));
            let Some(pause) = until.and_then(|until| Duration::try_from(until.duration_since(now)).ok())
            else {
                return false;
            };
            if pause > left {
                return false;
            }
            held.get_or_insert_with(|| gateway.admission.hold());
            // A timer may fire a moment before the wall clock is there.
            let pause = pause.max(Duration::from_millis(1));
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Waits, as long as a request may wait for a place, until an account has room that has not failed it.
    async fn until_somebody_has_room(
        &mut self,
        gateway: &Gateway,
        arrival: &Arrival,
        set_aside: &[Aside],
    ) -> bool {
        let first = *self.first_busy.get_or_insert_with(|| gateway.clock.instant());
        let _held = gateway.admission.hold();
        loop {
            let changed = gateway.roster.changed();
            let snapshot = arrival.accounts(gateway);
            // Nobody is busy any more where the last one that could take it has fallen ill.
            let is_busy = matches!(pick(&arrival.ask, &snapshot, None, set_aside, gateway.clock.now()), Decision::Wait(wait) if wait.is_busy);
            if !is_busy {
                return true;
            }
            let left = gateway.limits.wait().saturating_sub(gateway.clock.instant().duration_since(first));
            if tokio::time::timeout(left, changed).await.is_err() {
                return false;
            }
        }
    }
}

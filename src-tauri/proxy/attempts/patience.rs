//! The moment that a request may spend on somebody who is coming back: before the second try at an account whose
//! upstream said 529, and for its turn at an account or an upstream that was away. A few seconds in all, with
//! nothing sent meanwhile; who hangs up is dropped, and whoever has waited long enough goes.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::StandingState,
    formats::error_in,
    providers::retry_after,
    proxy::{Gateway, answer::relay::Answer, arrival::request::Arrival},
    routing::{
        Aside, Decision, Lease, Pick,
        health::{self, Hindrance},
        pick, standing_for,
    },
};

/// Between two looks whether it is one's turn; what is published in between is seen at once.
const LOOK: Duration = Duration::from_millis(100);
/// Anthropic's status for an upstream that is overloaded.
const OVERLOADED: u16 = 529;

/// How much of it is left for one request.
#[derive(Debug)]
pub struct Patience {
    left: Duration,
    /// It has had its second try.
    has_tried_again: bool,
}

impl Patience {
    /// As much as the settings allow.
    pub fn of(gateway: &Gateway) -> Self {
        Self { left: gateway.limits.comeback(), has_tried_again: false }
    }

    /// A place at this account, once it is this request's turn there. `None` if it had to wait, or somebody was
    /// quicker: another one may be better by now.
    pub async fn lease(
        &mut self,
        gateway: &Gateway,
        arrival: &Arrival,
        pick: &Pick,
        now: Timestamp,
    ) -> Option<Lease> {
        // Listened for before the look, so that no change falls in between.
        let changed = gateway.roster.changed();
        let (account, need) = (&*pick.contender, pick.need(&arrival.ask));
        let lease = match health::hindrance(account, need, now) {
            _ if self.left.is_zero() => account.load.lease()?,
            // Bad weather is not waited out: nobody else could serve it, and it may be over.
            Some(Hindrance::Weather(_)) => account.load.lease()?,
            None if !health::is_on_probation(account, need, now) => account.load.lease()?,
            // Waited for in any case, or those that are quicker would be asked for again and again.
            None if let Some(alone) = account.load.lease_alone() => alone,
            None | Some(Hindrance::Probation | Hindrance::Crowd) => {
                Box::pin(self.wait(gateway, LOOK, changed)).await;
                return None;
            }
        };
        Some(lease.with(account.weather.take_place(need, now)))
    }

    /// How long to wait before this account is asked once more, where that is worth more than to move on: after
    /// a 529, once, and if no other upstream could take over at once.
    pub fn second_try(
        &self,
        gateway: &Gateway,
        arrival: &Arrival,
        answer: &Answer,
        set_aside: &[Aside],
        tried: &Pick,
    ) -> Option<Duration> {
        if self.has_tried_again || self.left.is_zero() || arrival.counts_tokens() || !is_overload(answer) {
            return None;
        }
        let now = gateway.clock.now();
        let ask = &arrival.ask;
        let is_elsewhere = |other: &Pick| {
            !other.contender.weather.is_same(&tried.contender.weather)
                && other.sent(ask) == tried.sent(ask)
                && health::hindrance(&other.contender, other.need(ask), now).is_none()
        };
        let others = [set_aside, &[tried.aside()]].concat();
        match pick(ask, &arrival.accounts(gateway), None, &others, now) {
            Decision::Take(other) if is_elsewhere(&other) => return None,
            _ => {}
        }
        let chosen = || health::second_try(tried.contender.account.id, now).min(self.left);
        Some(retry_after(&answer.head.headers, now).unwrap_or_else(chosen)).filter(|wait| *wait <= self.left)
    }

    /// Waits so long. The same pick with the account as it stands then; `None` if it is not ready any more.
    pub async fn back_at(
        &mut self,
        gateway: &Gateway,
        arrival: &Arrival,
        tried: Pick,
        wait: Duration,
    ) -> Option<Pick> {
        self.has_tried_again = true;
        self.wait(gateway, wait, std::future::pending()).await;
        let accounts = arrival.accounts(gateway);
        let contender = Arc::clone(accounts.get(tried.contender.account.id)?);
        let standing = standing_for(&contender, tried.need(&arrival.ask), gateway.clock.now());
        (standing.state == StandingState::Ready).then_some(Pick { contender, ..tried })
    }

    async fn wait(&mut self, gateway: &Gateway, most: Duration, changed: impl Future<Output = ()>) {
        let began = gateway.clock.instant();
        // Late or not, it looks again.
        let _ = tokio::time::timeout(most.min(self.left), changed).await;
        self.left = self.left.saturating_sub(gateway.clock.instant().duration_since(began));
    }
}

/// Whether an answer says that the upstream is overloaded, under whatever status.
pub fn is_overload(answer: &Answer) -> bool {
    let status = answer.head.status.as_u16();
    status == OVERLOADED
        || (status >= 400 && error_in(&answer.begun).is_some_and(|(kind, _)| &*kind == "overloaded_error"))
}

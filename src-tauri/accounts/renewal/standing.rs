//! What renewals that fail make of an account's standing: it rests until the next try, and is back with the first that
//! succeeds. A pause, a person's or an upstream's, is left as it is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{NotRenewed, Renewals};
use crate::{
    accounts::{Roster, Tokens},
    domain::{AccountId, Bench},
    events::Event,
    routing::Contender,
    secrets::Sensitive,
};

/// How the reasons of such a rest begin.
const RESTS: &str = "its sign-in could not be renewed";
/// Why an account rests whose token is seconds old.
const FRESH: &str = "its upstream does not take its new token yet";
/// So many rests in a row, each twice as long as the one before, with a renewal in between: then the upstream has had its
/// time (70 s), and a person is needed.
const MOST_FRESH: u32 = 3;
/// Until a renewal that takes its time is looked for again.
const MOMENT: SignedDuration = SignedDuration::from_secs(10);

impl Renewals {
    /// The upstream takes no request under this token, and there is no newer one: nobody should try.
    pub(super) async fn rests(&self, id: AccountId, refused: &Arc<Sensitive<String>>, not: &NotRenewed) {
        let roster = &self.0.roster;
        let Some(tokens) = roster.tokens(id).filter(|tokens| Arc::ptr_eq(&tokens.access, refused)) else {
            return;
        };
        match not {
            NotRenewed::Failed { why, again_at } | NotRenewed::Unkept { why, again_at } => {
                roster.rest_sign_in(id, &tokens, *again_at, why);
            }
            NotRenewed::Late => {
                let until = self.now().checked_add(MOMENT).unwrap_or(Timestamp::MAX);
                roster.rest_sign_in(id, &tokens, until, "that takes its time");
            }
            NotRenewed::Needs(why) if !is_refused(roster, id) => {
                // A person has resumed it, which did not make the sign-in any better.
                let (roster, why) = (roster.clone(), Arc::clone(why));
                let said = self.0.tasks.spawn_blocking(move || roster.end_sign_in(id, &tokens, &why));
                if let Ok(Err(error)) = said.await {
                    tracing::warn!(%error, "that an account needs a sign-in could not be written down");
                }
            }
            _ => {}
        }
    }
}

impl Renewals {
    /// What a refusal of a token that is seconds old comes to: upstreams have been slow to learn of new ones, so the
    /// account rests ([`NotRenewed::Young`]), and where it is no good the renewal that comes next says so. Only where that
    /// has gone on for a while there is nothing that would help ([`NotRenewed::Nothing`]).
    pub fn refused_while_fresh(&self, id: AccountId, refused: &Arc<Sensitive<String>>) -> NotRenewed {
        let tokens = self.0.roster.tokens(id).filter(|tokens| Arc::ptr_eq(&tokens.access, refused));
        match tokens {
            // A refusal of tokens that are gone says nothing of those that there are.
            Some(tokens) if !self.0.roster.rest_fresh(id, &tokens) => NotRenewed::Nothing,
            _ => NotRenewed::Young,
        }
    }
}

fn is_refused(roster: &Roster, id: AccountId) -> bool {
    roster.snapshot().get(id).is_none_or(|known| known.account.refused.is_some())
}

impl Roster {
    /// Has an account rest, if it still has these tokens. A longer rest is not cut short.
    fn rest_sign_in(&self, id: AccountId, tokens: &Arc<Tokens>, until: Timestamp, why: &str) {
        let (inner, snapshot) = (self.inner(), self.snapshot());
        let now = inner.clock.now();
        let is_known = |known: &Contender| {
            known.account.bench.as_ref().is_some_and(|bench| bench.holds(now) && bench.until >= until)
        };
        if until <= now || snapshot.get(id).is_none_or(|known| is_known(known)) {
            return;
        }
        let rest = |known: &mut Contender| {
            if self.has_tokens(id, tokens) && !is_known(known) {
                let reason = format!("{RESTS}: {why}").into();
                known.account.bench = Some(Bench { since: now, until, reason, streak: 1 });
            }
        };
        self.changed_health(id, rest);
    }

    /// Has an account rest whose tokens are new, if it still has them; false where it has rested often enough. Whoever was
    /// refused at the same time finds it resting, and counts as the same time.
    fn rest_fresh(&self, id: AccountId, tokens: &Arc<Tokens>) -> bool {
        let now = self.inner().clock.now();
        let rested = |known: &Contender| match &known.account.bench {
            Some(bench) if bench.holds(now) => None,
            Some(bench) if &*bench.reason == FRESH => Some(bench.streak),
            _ => Some(0),
        };
        match self.snapshot().get(id).and_then(|known| rested(known)) {
            None => return true,
            Some(MOST_FRESH..) => return false,
            Some(_) => {}
        }
        let rest = |known: &mut Contender| {
            if let Some(streak) = rested(known).filter(|_| self.has_tokens(id, tokens)) {
                let until = now.checked_add(MOMENT * (1 << streak.min(MOST_FRESH))).unwrap_or(Timestamp::MAX);
                let bench = Bench { since: now, until, reason: FRESH.into(), streak: streak + 1 };
                known.account.bench = Some(bench);
            }
        };
        self.changed_health(id, rest);
        true
    }

    /// Ends such a rest; `wholly` also whatever else kept the account out because of its last tokens.
    pub(super) fn revive_sign_in(&self, id: AccountId, wholly: bool) {
        let is_fresh = |bench: &Bench| &*bench.reason == FRESH;
        let is_ours = |known: &Contender| {
            let bench = known.account.bench.as_ref();
            bench.is_some_and(|bench| bench.reason.starts_with(RESTS) || (wholly && is_fresh(bench)))
        };
        let is_out = |known: &Contender| is_ours(known) || (wholly && known.account.refused.is_some());
        if !self.snapshot().get(id).is_some_and(|known| is_out(known)) {
            return;
        }
        let revive = |known: &mut Contender| {
            if is_ours(known) {
                known.account.bench = None;
            }
            if wholly && known.account.refused.is_some() {
                (known.account.refused, known.account.bench) = (None, None);
            }
        };
        self.changed_health(id, revive);
    }

    fn changed_health(&self, id: AccountId, change: impl FnOnce(&mut Contender)) {
        let inner = self.inner();
        if let Some(known) = inner.update(id, change) {
            inner.store.save_health(id, known.account.bench.clone(), known.account.refused.clone());
            inner.events.tell(|| Event::Accounts);
        }
    }
}

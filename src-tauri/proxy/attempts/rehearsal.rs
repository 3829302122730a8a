//! What would become of a request that nobody has sent: it is decided on as any other, and that is all. Nothing is
//! asked, spent, bound, counted or written down.

use std::sync::Arc;

use crate::{
    domain::{Ask, DecisionRecord, Endpoint},
    keys::Holder,
    proxy::{Gateway, answer::failure::Failure, arrival::keyholder::Denied},
    routing::{Snapshot, explain},
};

/// What nobody has said of a dry run.
const ASSUMED: &str = "It is taken to come with Claude Code's own sign-in, as there is an account that passes one on; \
    `--login false` (`\"login\": false`) asks about one without.";

/// What becomes of a count that no account can give.
const ESTIMATED: &str =
    "Where no account can count, the answer is an estimate of Headgate's own, and marked as one.";

impl Gateway {
    /// The decision as it would be now. Without `login`, it comes with a sign-in where there is an account that
    /// passes one on and no key speaks for it, as Claude Code's requests do; that is the one that was used last.
    pub fn rehearse(&self, mut ask: Ask, holder: Option<&Holder>, login: Option<bool>) -> DecisionRecord {
        let now = self.clock.now();
        ask.login = login.unwrap_or(holder.is_none()) && self.roster.passes_logins();
        let is_assumed = ask.login && login.is_none();
        ask.key = holder.map(|holder| holder.key.id);
        if let Some(holder) = holder {
            self.roster.narrow(&mut ask, &holder.key.grant);
        }
        let model = ask.model.as_deref().filter(|_| ask.session.is_some());
        ask.cache_price = model.and_then(|model| self.prices.of_cache(model));
        let denied = |holder: &Holder| {
            let why = holder.would_let_in(&ask, true, now).err()?;
            Some(Denied::to(holder, why))
        };
        let refusal = if self.is_paused() { Some(Failure::Paused) } else { holder.and_then(denied) };
        // No account is looked at for what is refused before.
        let snapshot = if refusal.is_some() { Arc::<Snapshot>::default() } else { self.roster.shown() };
        let bound = self.roster.bound(&ask, now);
        let counts = ask.endpoint == Endpoint::Counts;
        let unable = if counts { self.counting.unable(self) } else { Vec::new() };
        let mut record = explain(&ask, &snapshot, bound.as_ref(), &unable, now);
        if counts && record.account.is_none() && refusal.is_none() {
            record.notes.push(ESTIMATED.into());
        }
        if is_assumed {
            record.notes.push(ASSUMED.into());
        }
        if snapshot.contenders.is_empty() && refusal.is_none() {
            record.notes.push(Failure::NoAccount.message(now).into());
        }
        record.notes.extend(refusal.map(|refusal| refusal.message(now).into()));
        record
    }
}

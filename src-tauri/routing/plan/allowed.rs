//! Which accounts a request may be served by at all, however they stand: those that its key allows, and the
//! ones that can pay for it without a surprise. A sign-in that came with a request stays with the accounts
//! that pass sign-ins on; anybody else serves it only where a person allowed that path.

use std::sync::Arc;

use crate::domain::{AccountId, Ask};
use crate::routing::{Contender, Snapshot};

/// The terms of one request.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    ask: &'a Ask,
    snapshot: &'a Snapshot,
    /// It came with a sign-in, and there is an account to pass it through.
    is_bound: bool,
}

impl<'a> Allowed<'a> {
    /// The terms of this request among these accounts.
    pub fn to(ask: &'a Ask, snapshot: &'a Snapshot) -> Self {
        let unbound = Self { ask, snapshot, is_bound: false };
        Self { is_bound: ask.login && unbound.passers().next().is_some(), ..unbound }
    }

    /// Whether this account may serve it.
    pub fn lets(&self, contender: &Contender) -> bool {
        if !self.key_lets(contender) {
            return false;
        }
        if contender.provider.passes_logins() { self.ask.login } else { self.is_open_to(contender) }
    }

    /// Why this account may not serve it; `None` if it may.
    pub fn why_not(&self, contender: &Contender) -> Option<Arc<str>> {
        if self.lets(contender) {
            return None;
        }
        if !self.key_lets(contender) {
            return Some("the key of this request does not allow it".into());
        }
        let Some(passer) = self.home_of() else {
            return Some("this request came without a sign-in that could be passed on".into());
        };
        let (mine, other) = (&passer.account.name, &contender.account.name);
        Some(
            format!(
                "a request that came with a sign-in stays on {mine}, unless you let it spill over, which may cost money \
                 (`headgate accounts set \"{mine}\" --spill-to \"{other}\"`)"
            )
            .into(),
        )
    }

    /// Whether nobody may serve it but accounts that pass its own sign-in on.
    pub fn is_for_logins_alone(&self) -> bool {
        self.is_bound
            && self.snapshot.contenders.iter().all(|one| one.provider.passes_logins() || !self.lets(one))
    }

    /// Whether nothing keeps it from this account but that it might cost money, and nobody has allowed that path.
    pub fn is_path_closed(&self, contender: &Contender) -> bool {
        self.is_bound
            && !contender.provider.passes_logins()
            && self.key_lets(contender)
            && !self.is_open_to(contender)
    }

    /// The account that the request's own sign-in belongs to, where that binds it.
    pub fn home(&self) -> Option<AccountId> {
        self.home_of().map(|passer| passer.account.id)
    }

    fn home_of(&self) -> Option<&'a Arc<Contender>> {
        if self.is_bound { self.passers().min_by_key(|passer| passer.account.id) } else { None }
    }

    fn key_lets(&self, contender: &Contender) -> bool {
        self.ask.only.as_ref().is_none_or(|only| only.contains(&contender.account.id))
    }

    fn is_open_to(&self, contender: &Contender) -> bool {
        let leads_here = |passer: &Arc<Contender>| {
            passer.account.spill.as_ref().is_some_and(|spill| spill.reaches(contender.account.id))
        };
        !self.is_bound || self.passers().any(leads_here)
    }

    /// The accounts that may pass a sign-in on for this request, paused ones too: a pause is no leave to pay.
    fn passers(&self) -> impl Iterator<Item = &'a Arc<Contender>> {
        let this = *self;
        self.snapshot.contenders.iter().filter(move |one| one.provider.passes_logins() && this.key_lets(one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Spill, SpillTo};
    use crate::routing::pick::tests::{account, login_account, now};

    fn lets(ask: &Ask, spill: Option<SpillTo>) -> Vec<i64> {
        let mut mine = login_account(1);
        mine.account.spill = spill.map(|to| Spill::allowed(&to, None, now()));
        let snapshot = Snapshot::of([mine, account(2), account(3)]);
        let allowed = Allowed::to(ask, &snapshot);
        let (let_in, kept_out): (Vec<_>, Vec<_>) =
            snapshot.contenders.iter().partition(|one| allowed.lets(one));
        assert!(let_in.iter().all(|one| allowed.why_not(one).is_none()));
        assert!(kept_out.iter().all(|one| allowed.why_not(one).is_some()), "each has its reason");
        let_in.iter().map(|one| one.account.id.0).collect()
    }

    #[test]
    fn a_sign_in_stays_with_the_accounts_that_pass_it_on_unless_a_path_is_allowed() {
        let with = Ask { login: true, ..Ask::default() };
        assert_eq!(lets(&with, None), [1]);
        assert_eq!(lets(&with, Some(SpillTo::Only([AccountId(3)].into()))), [1, 3]);
        assert_eq!(lets(&with, Some(SpillTo::All)), [1, 2, 3]);
        assert_eq!(lets(&Ask::default(), Some(SpillTo::All)), [2, 3], "nothing to pass on");
    }

    #[test]
    fn a_key_that_allows_no_sign_in_account_binds_the_request_to_its_own_accounts() {
        let only = |ids: &[i64]| Some(ids.iter().copied().map(AccountId).collect());
        let ask = |ids| Ask { login: true, only: only(ids), ..Ask::default() };
        assert_eq!(lets(&ask(&[2]), None), [2], "somebody chose that account for this key");
        assert_eq!(lets(&ask(&[1, 2]), None), [1]);
        assert_eq!(lets(&ask(&[1, 2]), Some(SpillTo::All)), [1, 2]);
    }
}

//! What has become of a request so far: who has failed it, and what the client is told if nobody is left.

use std::{sync::Arc, time::Duration};

use http::{Method, Response, StatusCode};
use jiff::Timestamp;

use super::hold::Hold;
use crate::{
    domain::{AccountId, AccountName, Verdict},
    providers,
    proxy::{
        AnswerBody,
        answer::{failure::Failure, record::Record, relay::Answer},
    },
    routing::{Aside, Pick, Snapshot, Wait},
};

/// The tries of one request.
#[derive(Default)]
pub struct Tries {
    /// Who is not asked again.
    pub set_aside: Vec<Aside>,
    /// How long it was held already.
    pub hold: Hold,
    /// The last answer that another account might better, and how long it may be silent.
    answer: Option<(Box<Answer>, Duration)>,
    /// Why the last one without an answer had none.
    trouble: Option<Failure>,
    own_limits: u8,
    /// Who has answered it with a limit. Short: an account stands at few places.
    limited: Vec<AccountId>,
    /// Whose sign-in was renewed for it.
    renewed: Vec<AccountId>,
}

impl Tries {
    /// Nobody was tried, and these need not be.
    pub fn but(set_aside: Vec<Aside>) -> Self {
        Self { set_aside, ..Self::default() }
    }

    /// Somebody is back: whoever has failed may be asked again.
    pub fn start_anew(&mut self) {
        *self = Self { hold: std::mem::take(&mut self.hold), ..Self::default() };
    }

    /// Whether another account is worth a try. A limit of the request's own goes with it from account to
    /// account: one other is asked, and no more.
    pub fn may_go_on(&mut self, verdict: &Verdict) -> bool {
        self.own_limits = self.own_limits.saturating_add(u8::from(*verdict == Verdict::OwnLimit));
        verdict.is_worth_another_account() && self.own_limits <= 1
    }

    /// Whether the account may be asked once more under a new token. Once.
    pub fn may_renew(&mut self, id: AccountId) -> bool {
        let is_first = !self.renewed.contains(&id);
        if is_first {
            self.renewed.push(id);
        }
        is_first
    }

    /// An account gave this answer. It may show it later, but is no longer busy with it.
    pub fn answered(&mut self, pick: &Pick, answer: Answer, idle_limit: Duration) {
        self.keep(answer, idle_limit);
        self.set_aside.push(pick.aside());
    }

    /// As `answered`, but the account may be asked again.
    pub fn keep(&mut self, mut answer: Answer, idle_limit: Duration) {
        answer.lease = None;
        if answer.head.status == StatusCode::TOO_MANY_REQUESTS && !self.limited.contains(&answer.account) {
            self.limited.push(answer.account);
        }
        self.answer = Some((Box::new(answer), idle_limit));
    }

    /// An account gave none.
    pub fn failed(&mut self, pick: &Pick, why: Arc<str>, verdict: &Verdict) {
        self.set_aside.push(pick.aside());
        match verdict {
            // The roster knows it and names it among the reasons.
            Verdict::CredentialRefused => {}
            Verdict::RequestFault => self.trouble = Some(Failure::Unfit { why }),
            _ => {
                let why = format!("{}: {why}", pick.contender.account.name).into();
                self.trouble = Some(Failure::Unreachable { why });
            }
        }
    }

    /// Nobody is left: the last upstream's own answer, or a refusal where that tells more than one account can.
    pub fn give_up(
        self,
        wait: Wait,
        accounts: &Snapshot,
        now: Timestamp,
        record: Box<Record>,
        method: &Method,
    ) -> Response<AnswerBody> {
        // Somebody comes back by himself: the client should wait for that, not sign in anew.
        let several = self.limited.len() > 1;
        let worth_showing = |answer: &Answer| {
            wait.until.is_none()
                || (!answer.blames_the_credential() && !is_outdone(answer, several, &wait, accounts, now))
        };
        match self.answer.filter(|(answer, _)| worth_showing(answer)) {
            Some((answer, idle_limit)) => answer.relay(record, method, idle_limit),
            None => record.refuse(&self.trouble.unwrap_or_else(|| Failure::of_wait(wait))),
        }
    }
}

/// Whether the pool knows better than an account's own answer when to come again: somebody else is back before that
/// one, or it is one of several that have told their limits, and the client would hear of one alone. A client that
/// is told more than a minute gives up, although in twenty seconds it could be served.
fn is_outdone(answer: &Answer, several: bool, wait: &Wait, accounts: &Snapshot, now: Timestamp) -> bool {
    let name = accounts.get(answer.account).map(|contender| &contender.account.name);
    let back = |is: &dyn Fn(&AccountName) -> bool| {
        wait.why.iter().filter(|one| is(&one.account)).filter_map(|one| one.standing.until).min()
    };
    let told = providers::retry_after(&answer.head.headers, now);
    let own = back(&|one| Some(one) == name).or_else(|| now.checked_add(told?).ok());
    // A limit of the request's own benches nobody, and passes as it came.
    let Some(own) = own else { return false };
    let others = back(&|one| Some(one) != name);
    several || others.is_some_and(|others| others < own)
}

//! The second try under a new token: where the upstream refuses an account's access token, its sign-in is renewed, and
//! the same account asked once more. Once for each request; accounts without a sign-in are none of its business.

use super::tries::Tries;
use crate::{
    accounts::renewal::NotRenewed,
    domain::{StandingState, Verdict},
    proxy::{
        Gateway,
        answer::relay::Answer,
        arrival::{login::learn, request::Arrival},
    },
    routing::{Contender, Lesson, Pick, standing_for},
};

/// Whether a refusal of this account's credential is the sign-in's, which can be renewed.
pub fn may_be_renewed(gateway: &Gateway, account: &Contender, verdict: &Verdict) -> bool {
    *verdict == Verdict::CredentialRefused
        && account.account.sign_in.is_some()
        && gateway.roster.tokens(account.account.id).is_some()
}

/// The same pick, once the account has a newer token; `None` if somebody else should be asked. An account whose new
/// token is refused too rests, and needs a sign-in if that goes on.
pub async fn second_try(
    gateway: &Gateway,
    arrival: &Arrival,
    tries: &mut Tries,
    answer: &mut Answer,
    tried: &Pick,
) -> Option<Pick> {
    let id = tried.contender.account.id;
    // It is not busy with this request while that waits.
    answer.lease = None;
    let renewed = if tries.may_renew(id) {
        gateway.renewals.renew_refused(id, &answer.key).await
    } else {
        Err(gateway.renewals.refused_while_fresh(id, &answer.key))
    };
    match renewed {
        Ok(()) => {
            let accounts = arrival.accounts(gateway);
            let contender = accounts.get(id)?.clone();
            let standing = standing_for(&contender, tried.need(&arrival.ask), gateway.clock.now());
            (standing.state == StandingState::Ready).then(|| Pick { contender, ..tried.clone() })
        }
        Err(NotRenewed::Nothing) if gateway.roster.is_current(id, &answer.key) => {
            let (verdict, need) = (Verdict::CredentialRefused, tried.need(&arrival.ask));
            learn(
                gateway,
                arrival,
                &tried.contender,
                &Lesson { verdict: Some(&verdict), windows: &[], need },
            );
            None
        }
        Err(_) => None,
    }
}

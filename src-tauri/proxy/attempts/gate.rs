//! Holds a stream back until its answer begins, so that one that fails before its first word can still move
//! to another account. Bounded in bytes and in time; what it held goes on unchanged, whatever it was.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body_util::BodyExt;

use super::attempt::notice;
use crate::{
    domain::{AccountId, Verdict},
    metering::Tally,
    proxy::{
        Gateway,
        answer::relay::{Answer, listener},
        arrival::{login::learn, request::Arrival},
        upstream::UpstreamBody,
    },
    routing::{Aside, Decision, Lesson, Pick, Sign, pick},
};

/// As much of a stream is held back. The events before the first word are a few hundred bytes.
const MOST: usize = 16 * 1024;
/// As long is a stream held back after its head: a client shows nothing yet of what comes in that time.
const LONGEST: Duration = Duration::from_secs(1);

/// Waits for the first word of a stream that another account could still give, and says what it means for
/// this account if the stream fails instead. `None` where it does not, or where nobody could take over.
pub async fn early_verdict(
    gateway: &Gateway,
    arrival: &Arrival,
    pick: &Pick,
    set_aside: &[Aside],
    answer: &mut Answer,
) -> Option<Verdict> {
    if !gateway.limits.early_failover || answer.head.status != StatusCode::OK {
        return None;
    }
    let mut tally = listener(&Method::POST, answer.head.status, &answer.head.headers);
    if !tally.is_before_content() || !has_another(gateway, arrival, set_aside, answer.account) {
        return None;
    }
    answer.begun = until_its_first_word(&mut answer.body, &mut tally).await;
    let error = tally.heard().error.filter(|_| !tally.has_content());
    answer.tally = Some(tally);
    let (kind, message) = error?;
    let verdict = verdict_of(&kind)?;
    let need = pick.need(&arrival.ask);
    if verdict == Verdict::Weather {
        let sign = if &*kind == "overloaded_error" { Sign::Overloaded } else { Sign::Failing };
        notice(&pick.contender, need, sign, gateway.clock.now());
    }
    learn(gateway, arrival, &pick.contender, &Lesson { verdict: Some(&verdict), windows: &[], need });
    answer.early_error = Some(answer.in_short(&kind, &message));
    Some(verdict)
}

/// Whether the request could still move on from this account.
fn has_another(gateway: &Gateway, arrival: &Arrival, set_aside: &[Aside], from: AccountId) -> bool {
    let snapshot = arrival.accounts(gateway);
    if snapshot.contenders.len() <= set_aside.len() + 1 {
        return false;
    }
    let without = [set_aside, &[Aside::wholly(from)]].concat();
    matches!(pick(&arrival.ask, &snapshot, None, &without, gateway.clock.now()), Decision::Take(_))
}

/// Reads a stream up to its first word, its end or its failure; `tally` hears it.
async fn until_its_first_word(body: &mut UpstreamBody, tally: &mut Tally) -> Bytes {
    let (mut first, mut held) = (Bytes::new(), BytesMut::new());
    let reading = async {
        while tally.is_before_content() && first.len().max(held.len()) < MOST {
            match body.frame().await {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    tally.hear(&data);
                    // Mostly there is but one piece, and that is not copied.
                    if first.is_empty() {
                        first = data;
                        continue;
                    }
                    if held.is_empty() {
                        held.extend_from_slice(&first);
                    }
                    held.extend_from_slice(&data);
                }
                // It is passed on as far as it came, and then cut as it was.
                Some(Err(error)) => return body.fail_later(error),
                None => return,
            }
        }
    };
    // Late or not, what came is passed on.
    let _ = tokio::time::timeout(LONGEST, reading).await;
    if held.is_empty() { first } else { held.freeze() }
}

/// What an error event before the first word says of the account: what the same error would say as a status
/// (Anthropic's API reference, "Errors"). `None` where another account would say the same.
fn verdict_of(error: &str) -> Option<Verdict> {
    match error {
        "overloaded_error" | "api_error" | "timeout_error" => Some(Verdict::Weather),
        "rate_limit_error" => Some(Verdict::Throttled { retry_after: None }),
        _ => None,
    }
}

//! When nobody can take a request: it is held while that is worth it, counted here, or ended with the reasons.
//! Rare, so that the walk of a request stays short and its future small.

use std::{ops::ControlFlow, sync::Arc};

use http::Response;

use super::{decisions::Made, hold::Held, tries::Tries};
use crate::{
    proxy::{
        AnswerBody, Gateway,
        answer::{counting::estimate, record::Record},
        arrival::request::Arrival,
    },
    routing::{Pick, Snapshot, Wait, last_resort},
};

/// Waits it out. Goes on with whoever takes it all the same, or with `None` where it is time to look again; or breaks
/// off with the answer that ends it.
pub async fn wait_out(
    gateway: &Gateway,
    arrival: &Arrival,
    accounts: &Arc<Snapshot>,
    tries: &mut Tries,
    made: Made,
    wait: Wait,
    mut record: Box<Record>,
) -> ControlFlow<Response<AnswerBody>, (Box<Record>, Option<Pick>)> {
    match tries.hold.out(gateway, arrival, &tries.set_aside, &wait).await {
        Held::HasRoom => return ControlFlow::Continue((record, None)),
        Held::IsReady => {
            tries.start_anew();
            return ControlFlow::Continue((record, None));
        }
        // A count costs nothing: an estimate is better than an error.
        Held::Over if arrival.counts_tokens() => {
            return ControlFlow::Break(estimate(gateway, arrival, record).await);
        }
        Held::Over if wait.is_busy => {
            record.decided(made);
            return ControlFlow::Break(record.refuse(&gateway.admission.full()));
        }
        Held::Over => {}
    }
    if let Some(pick) = last_resort(&arrival.ask, accounts, &tries.set_aside, made.at()) {
        record.decided(made.takes(&pick));
        return ControlFlow::Continue((record, Some(pick)));
    }
    let now = made.at();
    record.decided(made);
    ControlFlow::Break(std::mem::take(tries).give_up(wait, accounts, now, record, &arrival.method))
}

//! Opens a usage window of an account by the smallest honest request that does: one token of the cheapest model that
//! it has, under Headgate's own name (`errand`). Opens none that is open, and none of an account that has no such window.

use std::sync::Arc;

use http::{Method, uri::PathAndQuery};

use super::{
    errand::{self, Errand},
    one_token,
};
use crate::{
    accounts::KeptBack,
    domain::{AccountId, Ask, Family},
    proxy::{Gateway, arrival::request::Arrival},
    routing::Contender,
    tasks::Tasks,
};

/// What Headgate calls itself then.
const CLIENT: &str = concat!("headgate/", env!("CARGO_PKG_VERSION"), " (+opens a usage window)");
/// What it says, so that whoever reads it knows.
const WORDS: &str = "This request opens a usage window. Headgate sent it because the owner of this account asked for \
                     that; no answer is needed.";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It was asked, and answered.
    Done,
    /// There is nothing to open: why.
    Needless(Arc<str>),
    /// Nothing was sent.
    KeptBack(KeptBack),
    /// It was asked, or tried to: what went wrong.
    Failed(Arc<str>),
}

/// Opens a window of this account, over a connection that ends with it: because it is due, or because a person says so.
pub async fn open_window(gateway: &Gateway, tasks: &Tasks, id: AccountId, by_hand: bool) -> Opened {
    let roster = &gateway.roster;
    let _turn = roster.opening_turn().await;
    let found = roster.snapshot().get(id).filter(|known| by_hand || roster.is_due_to_open(known)).cloned();
    let Some(contender) = found else { return Opened::Needless("somebody was quicker".into()) };
    let opened = open(gateway, tasks, &contender, by_hand).await;
    match &opened {
        // What a person asked for in vain says nothing of what is due.
        _ if by_hand => {}
        Opened::Needless(_) => roster.leave_opening(id),
        Opened::KeptBack(kept_back) => roster.keep_opening_back(id, kept_back.clone()),
        Opened::Done | Opened::Failed(_) => {}
    }
    opened
}

async fn open(gateway: &Gateway, tasks: &Tasks, contender: &Arc<Contender>, by_hand: bool) -> Opened {
    let (roster, id) = (&gateway.roster, contender.account.id);
    if let Some(why) = roster.why_not_open(contender) {
        return Opened::Needless(why);
    }
    let Some(model) = smallest(gateway, contender) else {
        return Opened::Needless("none of its models is known to be a small one".into());
    };
    let arrival = arrival(contender, &model);
    let noting = roster.clone();
    // Before anything is sent: a start after a crash does not do it again.
    let noted = async {
        let begun = tasks.spawn_blocking(move || noting.begin_opening(id)).await;
        begun.is_ok_and(|begun| begun.is_ok())
    };
    let unwanted = |known: &Contender, _| {
        let is_wanted = by_hand || known.account.timed.opens().is_some();
        (!is_wanted).then(|| "its owner has taken that back".into())
    };
    let errand = Errand { arrival: &arrival, contender, change: None, unwanted: &unwanted };
    match errand::send(gateway, tasks, errand, noted).await {
        Ok(Ok(_)) => Opened::Done,
        Ok(Err(why)) => Opened::Failed(why),
        Err(kept_back) => Opened::KeptBack(kept_back),
    }
}

/// The cheapest by the price list; of those that it does not know, one of the smallest family.
fn smallest(gateway: &Gateway, contender: &Contender) -> Option<Arc<str>> {
    let models = gateway.roster.models_of(contender);
    let priced = models.iter().filter_map(|model| Some((gateway.prices.of_input(model)?, model)));
    let cheapest = priced.min().map(|(_, model)| model);
    cheapest.or_else(|| models.iter().find(|model| Family::of(model) == Some(Family::Haiku))).cloned()
}

fn arrival(contender: &Contender, model: &Arc<str>) -> Arrival {
    let body = one_token::body(model, WORDS);
    let ask = Ask {
        model: Some(Arc::clone(model)),
        client: Some(CLIENT.into()),
        bytes: body.len() as u64,
        only: Some([contender.account.id].into()),
        pools: Some([contender.account.pool].into()),
        ..Ask::default()
    };
    Arrival {
        method: Method::POST,
        target: PathAndQuery::from_static(one_token::PATH),
        headers: one_token::headers(CLIENT),
        body,
        ask,
        is_model_ambiguous: false,
        login: None,
        is_ours: true,
    }
}

impl Opened {
    /// What came of it, as a sentence about an account.
    pub fn says(&self, name: &str) -> String {
        match self {
            Self::Done => format!("A window of {name} was opened."),
            Self::Needless(why) => format!("{name} was left alone: {why}."),
            Self::KeptBack(KeptBack { why, .. }) => format!("{name} is kept back: {why}."),
            Self::Failed(why) => format!("The request that was to open a window of {name} failed: {why}."),
        }
    }
}

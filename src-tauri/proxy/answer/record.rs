//! The story of one request while it is being lived. It owns everything that must be given back at the
//! end, and whatever happens to the request, its drop writes the one ending.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Instant,
};

use http::{Method, Response, StatusCode};
use jiff::Timestamp;

use super::failure::Failure;
use crate::{
    domain::{
        AccountId, Ask, Attempt, Ending, Exchange, ExchangeId, ExchangeStart, Verdict, VerdictKind,
        looks_secret,
    },
    keys::Holder,
    ledger::{Entry, Slot},
    metering::Heard,
    proxy::{
        AnswerBody, Gateway,
        arrival::{
            admission::Permit,
            request::{COUNTS, MESSAGES},
        },
        attempts::decisions::Made,
        door::meant::unescaped,
        own::warm::Prompt,
    },
    settings::Limits,
};

/// As much of a path is written down; what is longer names nothing that a person would read.
const MAX_PATH: usize = 512;

/// The paths of nearly all requests, of which nothing has to be left out.
const USUAL: [&str; 2] = [MESSAGES, COUNTS];

/// A path as it is written down: without a key that somebody has put there.
fn kept(path: &str) -> Arc<str> {
    let is_secret = |segment: &str| unescaped(segment).split(['/', '=', ':', ';', '&']).any(looks_secret);
    if USUAL.contains(&path) || !path.split('/').any(is_secret) {
        return path.get(..MAX_PATH).unwrap_or(path).into();
    }
    let segments = path.split('/').map(|segment| if is_secret(segment) { "…" } else { segment });
    let path = segments.collect::<Vec<_>>().join("/");
    path[..path.floor_char_boundary(MAX_PATH)].into()
}

/// One open request. It goes through many hands, so it lives in a box.
pub struct Record {
    gateway: Gateway,
    exchange: Exchange,
    holder: Option<Arc<Holder>>,
    entry: Option<Entry>,
    slot: Option<Slot>,
    arrived: Instant,
    attempt: Option<(AccountId, Instant)>,
    made: Option<Made>,
    /// What is to be kept warm of it, if somebody has asked for that.
    prompt: Option<Box<Prompt>>,
    permit: Option<Permit>,
    /// Nobody waits for the answer but we.
    is_ours: bool,
    /// What a test finds wrong with an answer that came whole.
    fault: Option<Fault>,
}

/// What is wrong with an answer, by whoever looks at all of it; said before that is let go. Clones are the same.
pub type Fault = Arc<OnceLock<&'static str>>;

/// When a request's head was there, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// For a person.
    pub at: Timestamp,
    /// For durations.
    pub instant: Instant,
}

impl Record {
    /// Opens the story of a request that was admitted.
    ///
    /// # Errors
    /// [`Failure::NotRecorded`] once nothing can be written down any more, [`Failure::Full`] while the disk is
    /// so far behind that nothing more may be held for it: such a request must not go on.
    pub async fn open(
        gateway: &Gateway,
        arrived: Arrived,
        permit: Permit,
        holder: Option<Arc<Holder>>,
        method: &Method,
        path: &str,
    ) -> Result<Box<Self>, Failure> {
        let slot = if let Some(slot) = gateway.ledger.try_admit() {
            slot
        } else {
            let waiting = Box::pin(gateway.ledger.admit());
            let slot = tokio::time::timeout(gateway.limits.wait(), waiting).await;
            slot.map_err(|_| Failure::disk_behind())?
        };
        let slot = slot.map_err(|_| Failure::NotRecorded)?;
        let start = ExchangeStart {
            id: gateway.ledger.next_id(arrived.at),
            started_at: arrived.at,
            method: method.as_str().into(),
            path: kept(path),
            ask: Ask::default(),
            key: holder.as_ref().map(|holder| holder.key.id),
        };
        Ok(Box::new(Self {
            arrived: arrived.instant,
            gateway: gateway.clone(),
            exchange: Exchange::open(start),
            holder,
            entry: None,
            slot: Some(slot),
            attempt: None,
            made: None,
            prompt: None,
            permit: Some(permit),
            is_ours: false,
            fault: None,
        }))
    }

    /// Writes down what it asks for: from here on a crash leaves a trace.
    pub fn begin(&mut self, ask: &Ask) {
        Arc::make_mut(&mut self.exchange.start).ask = ask.clone();
        if let Some(slot) = self.slot.take() {
            self.entry = Some(slot.begin(Arc::clone(&self.exchange.start)));
        }
    }

    /// Under which it is found.
    pub fn id(&self) -> ExchangeId {
        self.exchange.start.id
    }

    /// Whether a model is to answer.
    pub fn asks_a_model(&self) -> bool {
        self.exchange.start.ask.model.is_some()
    }

    /// The bounds that it is served within.
    pub fn limits(&self) -> &Limits {
        &self.gateway.limits
    }

    /// It has no client that could leave: whoever breaks it off is Headgate.
    pub fn is_of_ours(&mut self) {
        self.is_ours = true;
    }

    /// Somebody judges the answer, and may find a fault with it until this record is dropped.
    pub fn is_judged(&mut self) -> Fault {
        Arc::clone(self.fault.get_or_insert_default())
    }

    /// It was decided who takes it, or that nobody can. The last decision is the one that is told.
    pub fn decided(&mut self, made: Made) {
        self.made = Some(made);
    }

    /// An account is being tried.
    pub fn try_account(&mut self, account: AccountId) {
        self.attempt = Some((account, self.gateway.clock.instant()));
    }

    /// What the try came to. `error` says why there was no head.
    pub fn learn(&mut self, status: Option<u16>, verdict: &Verdict, error: Option<Arc<str>>) {
        self.end_attempt(status, verdict.kind(), error, self.gateway.clock.instant());
        self.tell();
    }

    fn end_attempt(
        &mut self,
        status: Option<u16>,
        verdict: VerdictKind,
        error: Option<Arc<str>>,
        now: Instant,
    ) {
        let Some((account, began)) = self.attempt.take() else { return };
        self.exchange.attempts.push(Attempt {
            account,
            status,
            verdict,
            error,
            began: began.duration_since(self.arrived),
            took: now.duration_since(began),
        });
    }

    /// The answer of this account goes to the client.
    pub fn answers(&mut self, account: AccountId, status: u16) {
        self.exchange.account = Some(account);
        self.exchange.status = Some(status);
    }

    /// Its prompt may be worth keeping warm.
    pub fn keep_warm(&mut self, prompt: Box<Prompt>) {
        self.prompt = Some(prompt);
    }

    /// Something that we changed in the request that was answered, or in its answer.
    pub fn changed(&mut self, what: impl Into<Arc<str>>) {
        self.exchange.changes.push(what.into());
    }

    /// The first byte of the answer's body leaves for the client.
    pub fn first_byte(&mut self) {
        if self.exchange.first_byte.is_none() {
            self.exchange.first_byte = Some(self.gateway.clock.instant().duration_since(self.arrived));
            self.tell();
        }
    }

    /// How it ends. Only the first ending counts.
    pub fn end(&mut self, ending: Ending, error: Option<Arc<str>>) {
        if self.exchange.ending.is_none() {
            self.exchange.ending = Some(ending);
            self.exchange.error = error;
        }
    }

    /// What the listener heard of the answer, and what that costs.
    pub fn hear(&mut self, heard: Heard) {
        self.exchange.usage = heard.usage;
        self.exchange.served_model = heard.model;
        if let Some(account) = self.exchange.account {
            let now = self.gateway.clock.now();
            self.gateway.roster.has_cached(&self.exchange.start.ask, account, &heard.usage, now);
        }
        let model = self.exchange.served_model.as_deref().or(self.exchange.start.ask.model.as_deref());
        let prices = &self.gateway.prices;
        self.exchange.cost = model.and_then(|model| prices.cost(model, &heard.usage));
        self.exchange.at_most = match self.exchange.cost {
            Some(_) => None,
            None => prices.at_most(model.unwrap_or_default(), &heard.usage),
        };
    }

    /// Ends it well, with an answer that we made ourselves; `how` says so.
    pub fn answer_here(mut self: Box<Self>, status: StatusCode, how: Arc<str>) {
        self.exchange.status = Some(status.as_u16());
        self.end(Ending::Complete, Some(how));
    }

    /// Ends it with an answer of our own.
    pub fn refuse(mut self: Box<Self>, failure: &Failure) -> Response<AnswerBody> {
        let now = self.gateway.clock.now();
        let answer = failure.answer(Some(self.exchange.start.id), now);
        let ending = match failure {
            Failure::Unreachable { .. } => Ending::UpstreamError,
            Failure::BodyCut => Ending::ClientLeft,
            _ => Ending::Refused,
        };
        self.exchange.status = Some(answer.status().as_u16());
        self.end(ending, Some(failure.message(now).into()));
        answer
    }

    fn tell(&self) {
        if let Some(entry) = &self.entry {
            entry.moved(&self.exchange);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let now = self.gateway.clock.instant();
        self.end_attempt(None, VerdictKind::Abandoned, None, now);
        if let Some(fault) = self.fault.as_ref().and_then(|fault| fault.get())
            && self.exchange.ending.is_none_or(|ending| ending == Ending::Complete)
        {
            (self.exchange.ending, self.exchange.error) =
                (Some(Ending::UpstreamError), Some((*fault).into()));
        }
        let ending = if self.is_ours || self.gateway.stopping.load(Ordering::Relaxed) {
            Ending::Interrupted
        } else {
            Ending::ClientLeft
        };
        self.end(ending, None);
        self.exchange.duration = Some(now.duration_since(self.arrived));
        if let Some(holder) = &self.holder {
            holder.spend(&self.exchange.usage, self.exchange.paid(), self.exchange.start.started_at);
        }
        if let Some(account) = self.exchange.account {
            let (usage, began) = (&self.exchange.usage, self.exchange.start.started_at);
            self.gateway.roster.spend(account, usage, self.exchange.paid(), began);
        }
        if let Some(prompt) = self.prompt.take()
            && self.exchange.ending == Some(Ending::Complete)
        {
            self.gateway.warm.put(
                &self.gateway,
                *prompt,
                &self.exchange.usage,
                self.exchange.start.started_at,
            );
        }
        let made = self.made.take();
        self.exchange.decision = made.map(|made| self.gateway.decisions.keep(&self.exchange.start.ask, made));
        // Whoever hears of the end may count on its place being free.
        if let Some(permit) = self.permit.take() {
            permit.leave(now);
        }
        let begun =
            self.entry.take().or_else(|| Some(self.slot.take()?.begin(Arc::clone(&self.exchange.start))));
        if let Some(entry) = begun {
            let open = Exchange::open(Arc::clone(&self.exchange.start));
            entry.finish(std::mem::replace(&mut self.exchange, open));
        }
    }
}

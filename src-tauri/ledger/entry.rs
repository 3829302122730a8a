//! One exchange's place in the ledger, from its slot to its end. Finishing never waits and never fails, so
//! it can happen in a `Drop`; an entry that is dropped without an end writes one itself.

use std::sync::Arc;

use super::Ledger;
use crate::{
    domain::{Ending, Exchange, ExchangeId, ExchangeStart},
    events::Event,
    store::Permit,
};

/// The right to begin one exchange. Dropped unused, it is given back.
#[derive(Debug)]
#[must_use = "the slot is held as long as this lives"]
pub struct Slot {
    ledger: Ledger,
    permit: Permit,
}

impl Slot {
    pub(super) fn new(ledger: Ledger, permit: Permit) -> Self {
        Self { ledger, permit }
    }

    /// Writes down that the exchange has begun, so that a crash leaves a trace of it.
    pub fn begin(self, start: impl Into<Arc<ExchangeStart>>) -> Entry {
        let (Self { ledger, permit }, start) = (self, start.into());
        ledger.0.store.begin(Arc::clone(&start));
        ledger.0.events.tell(|| Event::Request(Arc::new(Exchange::open(Arc::clone(&start)))));
        Entry { ledger, id: start.id, open: Some((start, permit)) }
    }
}

/// An exchange that has begun and has not ended.
#[derive(Debug)]
#[must_use = "an entry that is dropped writes the exchange as interrupted"]
pub struct Entry {
    ledger: Ledger,
    id: ExchangeId,
    /// `None` only while `finish` has it.
    open: Option<(Arc<ExchangeStart>, Permit)>,
}

impl Entry {
    /// Which exchange this is.
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// Shows watchers how far the exchange has come. Writes nothing, and costs nothing if nobody watches.
    pub fn moved(&self, exchange: &Exchange) {
        self.ledger.0.events.tell(|| Event::Request(Arc::new(exchange.clone())));
    }

    /// Hands the ended exchange to the writer. Its slot is free again once it is on disk.
    pub fn finish(mut self, exchange: Exchange) {
        if let Some((_, permit)) = self.open.take() {
            self.write(exchange, permit);
        }
    }

    fn write(&self, mut exchange: Exchange, permit: Permit) {
        // Nothing is left open for ever: whoever finishes without an ending did not know of one.
        exchange.ending.get_or_insert(Ending::Interrupted);
        let exchange = Arc::new(exchange);
        self.ledger.0.events.tell(|| Event::Request(Arc::clone(&exchange)));
        self.ledger.0.store.finish(exchange, Some(permit));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Some((start, permit)) = self.open.take() else { return };
        let exchange = Exchange {
            ending: Some(Ending::Interrupted),
            error: Some(
                "Headgate gave this request up without an ending; this is a fault of Headgate".into(),
            ),
            ..Exchange::open(start)
        };
        self.write(exchange, permit);
    }
}

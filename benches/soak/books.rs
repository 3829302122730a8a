//! The books: whether every request that the clients sent whole has exactly one record, and each record the
//! ending that its client knows. Read from the database once Headgate has stopped.

use std::{io, path::Path};

use headgate::{
    domain::{Ending, Exchange},
    store::{self, RequestFilter, Store},
};
use serde_json::{Value, json};

use crate::{
    mixture::{KINDS, named},
    told::Told,
};

/// What stands in the books about one kind of request.
#[derive(Debug, Default, Clone)]
pub struct Page {
    asked: usize,
    recorded: usize,
    /// Requests with a known ending that have no record, or more than one.
    missing: usize,
    doubled: usize,
    /// Records that never ended, that a stop interrupted, and those that ended otherwise than their client knows.
    open: usize,
    wrong: usize,
    /// Complete by a second or later account.
    rescued: usize,
    /// The first thing that is wrong, for whoever looks for the reason.
    example: Option<String>,
}

/// Reads them all; one page for each kind.
pub fn read(database: &Path, told: &Told) -> io::Result<Vec<Page>> {
    let store = Store::open(database, store::Options::default()).map_err(io::Error::other)?;
    let endings: Vec<Vec<Option<Ending>>> = (0..KINDS.len()).map(|kind| told.endings(kind)).collect();
    let mut seen: Vec<Vec<u8>> = endings.iter().map(|of| vec![0; of.len()]).collect();
    let mut pages = vec![Page::default(); KINDS.len()];
    let mut filter = RequestFilter { limit: store::MOST_REQUESTS, ..RequestFilter::default() };
    loop {
        let records = store.requests(&filter).map_err(io::Error::other)?;
        let Some(last) = records.last() else { break };
        filter.before = Some(last.start.id);
        for record in &records {
            let (kind, number) = whose(record)?;
            let expected = match number {
                Some(number) => endings[kind].get(number).copied().flatten(),
                None => Some(KINDS[kind].outcomes[0].2),
            };
            if let Some(times) = number.and_then(|number| seen[kind].get_mut(number)) {
                *times = times.saturating_add(1);
            }
            pages[kind].take(record, expected);
        }
    }
    for (kind, page) in pages.iter_mut().enumerate() {
        page.asked = endings[kind].iter().flatten().count();
        page.count(&endings[kind], &seen[kind], kind);
    }
    Ok(pages)
}

/// Whose record it is. A body that never came whole leaves its name unread; its ending tells the kind.
fn whose(record: &Exchange) -> io::Result<(usize, Option<usize>)> {
    if let Some((kind, number)) = record.start.ask.session.as_deref().and_then(named) {
        return Ok((kind, Some(number)));
    }
    let fits = KINDS.iter().position(|kind| {
        !kind.is_named()
            && kind.outcomes.iter().any(|(status, _, ending)| {
                Some(*ending) == record.ending && (!kind.is_sent_whole() || Some(*status) == record.status)
            })
    });
    let unknown = || io::Error::other(format!("nobody knows of this record: {record:?}"));
    fits.map(|kind| (kind, None)).ok_or_else(unknown)
}

impl Page {
    fn take(&mut self, record: &Exchange, expected: Option<Ending>) {
        self.recorded += 1;
        let is_rescued = record.ending == Some(Ending::Complete) && record.attempts.len() > 1;
        self.rescued += usize::from(is_rescued);
        match record.ending {
            None | Some(Ending::Interrupted) => self.open += 1,
            Some(ending) if Some(ending) != expected => self.wrong += 1,
            Some(_) => return,
        }
        self.example.get_or_insert_with(|| format!("expected {expected:?}: {record:?}"));
    }

    fn count(&mut self, endings: &[Option<Ending>], seen: &[u8], kind: usize) {
        if KINDS[kind].is_named() {
            let told = endings.iter().zip(seen).enumerate().filter(|(_, (ending, _))| ending.is_some());
            for (number, (ending, times)) in told {
                self.missing += usize::from(*times == 0);
                self.doubled += usize::from(*times > 1);
                if *times != 1 {
                    self.example
                        .get_or_insert_with(|| format!("number {number}, {ending:?}: {times} records"));
                }
            }
            return;
        }
        self.doubled = self.recorded.saturating_sub(self.asked);
        if KINDS[kind].is_sent_whole() {
            self.missing = self.asked.saturating_sub(self.recorded);
        }
    }

    /// How many were asked.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// Whether all is as it should be. A kind that nobody asked shows nothing.
    pub fn is_right(&self) -> bool {
        self.asked > 0 && self.missing + self.doubled + self.open + self.wrong == 0
    }

    /// Its line in the table.
    pub fn line(&self, name: &str) -> String {
        let Self { asked, recorded, missing, doubled, open, wrong, rescued, .. } = self;
        let verdict = if self.is_right() { "right" } else { "WRONG" };
        let mut line = format!(
            "  {name:<14}{asked:>9}{recorded:>9}{rescued:>9}{missing:>9}{doubled:>9}{open:>9}{wrong:>9}   {verdict}"
        );
        if let Some(example) = &self.example {
            line += &format!("\n    {example}");
        }
        line
    }

    /// The same for programs.
    pub fn json(&self, name: &str) -> Value {
        json!({
            "kind": name, "asked": self.asked, "recorded": self.recorded, "rescued": self.rescued,
            "missing": self.missing, "doubled": self.doubled, "open": self.open, "wrong": self.wrong,
            "right": self.is_right(),
        })
    }
}

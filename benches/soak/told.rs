//! What the clients know: for each request the ending that its record must have, and whatever came
//! otherwise than its kind allows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use headgate::domain::Ending;

use crate::mixture::KINDS;

/// As many surprises are told in words; the rest is counted.
const IN_WORDS: usize = 20;

/// What all clients were told.
#[derive(Debug, Default)]
pub struct Told(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By kind and number; `None` where it is not known.
    endings: [Vec<Option<Ending>>; KINDS.len()],
    surprises: usize,
    words: Vec<String>,
}

impl Told {
    /// The request of this kind and number was answered so.
    pub fn tell(&self, kind: usize, number: usize, status: u16, is_whole: bool) {
        let allowed = KINDS[kind].outcomes;
        let Some((.., ending)) = allowed.iter().find(|(of, whole, _)| (*of, *whole) == (status, is_whole))
        else {
            let how = if is_whole { "whole" } else { "broken off" };
            return self.surprise(kind, &format!("number {number}: status {status}, {how}"));
        };
        let endings = &mut self.inner().endings[kind];
        if endings.len() <= number {
            endings.resize(number + 1, None);
        }
        endings[number] = Some(*ending);
    }

    /// Something came otherwise.
    pub fn surprise(&self, kind: usize, what: &str) {
        let mut inner = self.inner();
        inner.surprises += 1;
        if inner.words.len() < IN_WORDS {
            inner.words.push(format!("{}, {what}", KINDS[kind].name));
        }
    }

    /// The endings that are known, by number.
    pub fn endings(&self, kind: usize) -> Vec<Option<Ending>> {
        self.inner().endings[kind].clone()
    }

    /// How often a request came to what it must not, and the first of them.
    pub fn surprises(&self) -> (usize, Vec<String>) {
        let inner = self.inner();
        (inner.surprises, inner.words.clone())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

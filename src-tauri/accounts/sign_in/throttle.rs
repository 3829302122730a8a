//! How many answers to sign-ins are listened to, for each way that they come: a page could send any number. Knows no
//! time but what it is told.

use std::time::Duration;

use jiff::Timestamp;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Asked for on a port of this machine.
    Loopback,
    /// Handed over by the system.
    DeepLink,
    /// Copied by a person.
    Paste,
}

/// So many answers are read in a minute, and so many of them may be wrong; the others are refused unread. One source
/// that is flooded leaves the others open.
const MOST_ANSWERS: u32 = 60;
const MOST_FAILURES: u32 = 20;
const SPAN: Duration = Duration::from_mins(1);

/// What came from each source in its minute.
#[derive(Debug, Default)]
pub struct Throttle([Minute; 3]);

#[derive(Debug, Default, Clone, Copy)]
struct Minute {
    since: Option<Timestamp>,
    answers: u32,
    failures: u32,
}

impl Throttle {
    /// Counts an answer; false if it is one too many, and is not to be read.
    pub fn lets_in(&mut self, source: Source, now: Timestamp) -> bool {
        let minute = &mut self.0[source as usize];
        // A clock that was set back begins a new minute too.
        let is_over = |since: Timestamp| since > now || now.duration_since(since).unsigned_abs() >= SPAN;
        if minute.since.is_none_or(is_over) {
            *minute = Minute { since: Some(now), ..Minute::default() };
        }
        let is_in = minute.answers < MOST_ANSWERS && minute.failures < MOST_FAILURES;
        minute.answers = minute.answers.saturating_add(1);
        is_in
    }

    /// Counts an answer that was wrong.
    pub fn count_failure(&mut self, source: Source) {
        let minute = &mut self.0[source as usize];
        minute.failures = minute.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flooded_source_is_not_read_for_the_rest_of_its_minute_and_the_others_are() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let mut throttle = Throttle::default();
        for _ in 0..MOST_FAILURES {
            assert!(throttle.lets_in(Source::DeepLink, now));
            throttle.count_failure(Source::DeepLink);
        }
        assert!(!throttle.lets_in(Source::DeepLink, now));
        assert!(throttle.lets_in(Source::Paste, now) && throttle.lets_in(Source::Loopback, now));
        assert!(throttle.lets_in(Source::DeepLink, now + SPAN), "a minute later");
    }

    #[test]
    fn even_good_answers_are_no_more_than_so_many() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let mut throttle = Throttle::default();
        let read = (0..100).filter(|_| throttle.lets_in(Source::Loopback, now)).count();
        assert_eq!(read, MOST_ANSWERS as usize);
    }
}

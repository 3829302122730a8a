//! The course of one account's renewals, for as long as it has the same tokens: whether one is begun, and what stays of
//! how it ended. Pure: what happened, the time and chance are arguments, and the doing is somebody else's.

use std::sync::Arc;

use jiff::Timestamp;

use super::timing::{Life, pause};
use crate::{
    accounts::sign_in::Failure,
    domain::{Mending, RenewalTrouble},
};

/// What is known between two renewals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    /// Why the last one failed.
    pub trouble: Option<RenewalTrouble>,
    /// One is under way.
    pub is_under_way: bool,
    /// The next tokens are here, and the vault has not taken them yet.
    pub has_unkept: bool,
}

/// Who wants a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Its time has come.
    Time,
    /// The upstream has refused the access token.
    Refusal,
    /// A person does.
    Person,
}

/// What a renewal begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Ask the authorisation server for the next tokens.
    Ask,
    /// Have the vault keep the next tokens, which are here.
    Keep,
    /// Say that the tokens have ended, for nothing can renew them.
    End,
}

/// What comes of a want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One is under way: wait for it.
    Join,
    /// Begin one.
    Begin(Act),
    /// There is nothing to renew them with.
    Nothing,
    /// It is not time yet.
    NotYet,
    /// They have just been given.
    Young,
    /// It has failed, and is left alone until then.
    Rests(Timestamp, Arc<str>),
    /// A person has to do something first.
    Needs(Arc<str>),
}

/// How a renewal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The next tokens are kept and in use.
    Renewed,
    /// The account has other tokens by now: a person has signed in, or removed it. What came back is worth nothing.
    Overtaken,
    /// The next tokens are here, and the vault did not take them.
    Unkept(Arc<str>),
    /// Nobody said that the tokens are no good; it may work another time.
    Weather(Arc<str>),
    /// A person has to do something.
    Needs(Mending, Arc<str>),
}

impl Course {
    /// Of tokens that it has just met, with what is known of them from before a restart.
    pub fn of(life: Life, known: Option<RenewalTrouble>) -> Self {
        let is_same = |trouble: &RenewalTrouble| {
            // The disk keeps whole milliseconds.
            trouble.tokens_at.as_millisecond() == life.from.as_millisecond()
        };
        Self { trouble: known.filter(is_same), ..Self::default() }
    }

    /// When time itself wants the next renewal; `None` if nothing but an event can.
    pub fn due(&self, life: Life, part: u32, now: Timestamp) -> Option<Timestamp> {
        if self.is_under_way || self.needs().is_some() {
            return None;
        }
        let rests =
            self.trouble.as_ref().filter(|trouble| trouble.holds(now)).map(|trouble| trouble.again_at);
        if self.has_unkept {
            return Some(rests.unwrap_or(now));
        }
        if !life.is_renewable {
            return life.to;
        }
        let due = life.renewed_at(part, now)?;
        Some(rests.map_or(due, |rests| rests.max(due)))
    }

    /// What comes of somebody's want. Whoever begins one says so by [`Course::begins`].
    pub fn wants(&self, want: Want, life: Life, part: u32, now: Timestamp) -> Answer {
        if self.is_under_way {
            return Answer::Join;
        }
        if !life.is_renewable && !self.has_unkept {
            let is_over = want == Want::Time && self.due(life, part, now).is_some_and(|due| due <= now);
            return if is_over { Answer::Begin(Act::End) } else { Answer::Nothing };
        }
        // A person who says it wants it asked, whatever was said before.
        if let Some(trouble) = self.trouble.as_ref().filter(|_| want != Want::Person) {
            let why = Arc::clone(&trouble.why);
            if trouble.needs.is_some() {
                return Answer::Needs(why);
            }
            if trouble.holds(now) {
                return Answer::Rests(trouble.again_at, why);
            }
        }
        match want {
            _ if self.has_unkept => Answer::Begin(Act::Keep),
            Want::Time if self.due(life, part, now).is_none_or(|due| due > now) => Answer::NotYet,
            Want::Refusal if life.is_young(now) => Answer::Young,
            _ => Answer::Begin(Act::Ask),
        }
    }

    /// One is under way from now on.
    pub fn begins(&mut self) {
        self.is_under_way = true;
    }

    /// The next tokens have come. They are the only ones that are good, whatever happens to whoever brought them.
    pub fn brings(&mut self) {
        self.has_unkept = true;
    }

    /// It has ended so. What stays is kept before the next one begins, so it is still under way.
    pub fn ends(&mut self, ended: &Ended, tokens_at: Timestamp, part: u32, now: Timestamp) {
        let (needs, why) = match ended {
            Ended::Renewed | Ended::Overtaken => {
                *self = Self { is_under_way: self.is_under_way, ..Self::default() };
                return;
            }
            Ended::Unkept(why) | Ended::Weather(why) => (None, why),
            Ended::Needs(needs, why) => (Some(*needs), why),
        };
        let failures = self.trouble.as_ref().map_or(0, |trouble| trouble.failures).saturating_add(1);
        let again_at = now.checked_add(pause(failures, part)).unwrap_or(Timestamp::MAX);
        self.trouble =
            Some(RenewalTrouble { tokens_at, failures, why: Arc::clone(why), at: now, again_at, needs });
    }

    /// A person has put the account back into service: what was said before keeps nobody from asking once more.
    pub fn is_resumed(&mut self) {
        if let Some(trouble) = self.trouble.as_mut().filter(|_| !self.is_under_way) {
            (trouble.needs, trouble.again_at) = (None, trouble.at);
        }
    }

    /// Nothing is under way any more.
    pub fn lands(&mut self) {
        self.is_under_way = false;
    }

    fn needs(&self) -> Option<Mending> {
        self.trouble.as_ref()?.needs
    }
}

/// Codes by which a server says that the client is no good, whatever it shows (RFC 6749, section 5.2).
const CLIENT: [&str; 3] = ["invalid_client", "unauthorized_client", "unsupported_grant_type"];

impl Ended {
    /// What a failure amounts to. Its code alone decides.
    pub fn by(failure: &Failure) -> Self {
        let why = failure.to_string().into();
        if failure.is_final() {
            Self::Needs(Mending::SignIn, why)
        } else if failure.code().is_some_and(|code| CLIENT.contains(&code)) {
            Self::Needs(Mending::Client, why)
        } else {
            Self::Weather(why)
        }
    }
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;

//! The sign-ins that are open, and those that have just ended. In memory alone; knows no time but what it is told,
//! and asks nobody. What each was begun with is given out once.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use url::Url;

use super::{
    answer::{Answer, BadAnswer, check_bare},
    failure::Failure,
    server::Server,
};
use crate::{
    domain::{AccountId, SignIn},
    providers::{Definition, PlainHttp, Way},
    secrets::Sensitive,
};

/// As many may be open at once; one more is refused until one of them ends.
pub const MOST_OPEN: usize = 16;
/// How long one stays open.
pub const LIFE: Duration = Duration::from_mins(10);
/// How long nobody may ask about one that is attended: a command that was killed asks no more, and what it began must
/// not be taken by whoever finds its address.
pub const UNASKED: Duration = Duration::from_secs(30);
/// As many are remembered that have ended, for whoever asks how it went; the oldest goes first.
const MOST_ENDED: usize = 64;

/// A sign-in, for as long as it is remembered. No secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignInId(pub Arc<str>);

/// Whose sign-in it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// An account that is added when it is done.
    New { name: String, provider: String, base_url: Option<String>, plain_http: PlainHttp, priority: i32 },
    /// An account that there is; its row, its id and its history stay.
    Again(AccountId),
}

/// How far a sign-in has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A person has to act.
    Waiting,
    /// The answer is here, and is being exchanged and kept.
    Exchanging,
    /// Signed in.
    Done(AccountId),
    /// It did not work; a sentence.
    Failed(String),
    /// Nobody answered in time.
    Expired,
    /// Somebody called it off.
    Cancelled,
}

/// What a person is shown of a sign-in by a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub user_code: String,
    pub at: Url,
    pub at_once: Option<Url>,
}

/// What is told of a sign-in.
#[derive(Debug, Clone)]
pub struct Look {
    pub id: SignInId,
    pub whom: Whom,
    pub definition: Arc<Definition>,
    pub way: Way,
    pub progress: Progress,
    /// The address to open. It says the state and nothing else that is secret, and only while one waits.
    pub open: Option<Url>,
    pub shown: Option<Shown>,
    /// Whether an answer has come that waits for a person's yes.
    pub is_answered: bool,
    pub until: Timestamp,
}

/// What an answer is exchanged with. Given out once.
pub struct Secrets {
    pub state: Sensitive<String>,
    pub verifier: Sensitive<String>,
    pub redirect: Url,
}

/// One that is open.
pub struct Entry {
    pub look: Look,
    pub server: Server,
    pub terms: Arc<SignIn>,
    /// Until the answer is here; a sign-in by a device's code has none.
    pub secrets: Option<Secrets>,
    /// What the system handed over, until a person says yes to it.
    pub answer: Option<Answer>,
    /// Whether what it brought is on its way into the vault.
    pub is_kept: bool,
    /// When somebody last asked how it stands; of one that is attended.
    pub asked: Option<Timestamp>,
}

/// An answer's code, with what it is exchanged with.
pub struct Exchange {
    pub id: SignInId,
    pub code: Sensitive<String>,
    pub secrets: Secrets,
    pub server: Server,
}

/// Why an answer was not taken. Each is a sentence; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("no open sign-in waits for this answer: it is used, cut short, too late, or of somebody else")]
    Foreign,
    #[error("this sign-in is over; begin a new one")]
    Over,
    #[error("this sign-in waits for a code that is entered at the provider, not here")]
    ByDevice,
    #[error("the answer comes from another provider than the one that was asked")]
    OtherIssuer,
    #[error(
        "the answer does not say whose it is, as all answers of this provider do; if you copied it, copy the whole address"
    )]
    NoIssuer,
    #[error("no answer has come back for this sign-in; open its address first")]
    NoAnswer,
    #[error("there is no such sign-in; it may have ended long ago")]
    NoSuch,
    #[error("it is being kept at this moment; remove the account if it was not meant to be")]
    TooLate,
    #[error(transparent)]
    Answer(#[from] BadAnswer),
}

/// The sign-ins.
#[derive(Default)]
pub struct Book {
    entries: VecDeque<Entry>,
}

impl Book {
    /// Ends those whose time is up or that were left, and forgets the oldest of those that are over.
    pub fn sweep(&mut self, now: Timestamp) {
        for entry in self.entries.iter_mut().filter(|entry| entry.look.progress == Progress::Waiting) {
            if entry.look.until <= now {
                entry.end(Progress::Expired);
            } else if entry.asked.is_some_and(|asked| asked + UNASKED <= now) {
                entry.end(Progress::Cancelled);
            }
        }
        while self.entries.iter().filter(|entry| !entry.is_open()).count() > MOST_ENDED {
            let Some(oldest) = self.entries.iter().position(|entry| !entry.is_open()) else { break };
            self.entries.remove(oldest);
        }
    }

    /// Calls off what waits for the same account, or for one of the same name: who begins again has given that up.
    fn supersede(&mut self, whom: &Whom) {
        let same = |open: &Whom| match (open, whom) {
            (Whom::Again(one), Whom::Again(other)) => one == other,
            (Whom::New { name: one, .. }, Whom::New { name: other, .. }) => {
                one.trim().to_lowercase() == other.trim().to_lowercase()
            }
            _ => false,
        };
        for entry in self.entries.iter_mut().filter(|entry| entry.look.progress == Progress::Waiting) {
            if same(&entry.look.whom) {
                entry.end(Progress::Cancelled);
            }
        }
    }

    /// Puts one in, in place of one that waits for the same account.
    ///
    /// # Errors
    /// Where there is no room: when the next one ends at the latest.
    pub fn open(&mut self, entry: Entry) -> Result<(), Timestamp> {
        self.supersede(&entry.look.whom);
        let open = || self.entries.iter().filter(|entry| entry.is_open());
        match open().map(|entry| entry.look.until).min() {
            Some(next) if open().count() >= MOST_OPEN => Err(next),
            _ => {
                self.entries.push_back(entry);
                Ok(())
            }
        }
    }

    /// Whether it is neither over nor unknown.
    pub fn is_open(&self, id: &SignInId) -> bool {
        self.entries.iter().any(|entry| entry.look.id == *id && entry.is_open())
    }

    /// Whether it ends once nobody asks about it.
    pub fn is_attended(&self, id: &SignInId) -> bool {
        self.entries.iter().any(|entry| entry.look.id == *id && entry.asked.is_some())
    }

    /// Ends one for which nobody has answered.
    pub fn end_waiting(&mut self, id: &SignInId) {
        let waits = |entry: &&mut Entry| entry.look.id == *id && entry.look.progress == Progress::Waiting;
        if let Some(entry) = self.entries.iter_mut().find(waits) {
            entry.end(Progress::Expired);
        }
    }

    /// Somebody asks about this one: whoever began it is still there.
    pub fn is_asked(&mut self, id: &SignInId, now: Timestamp) {
        let entry = self.entries.iter_mut().find(|entry| entry.look.id == *id);
        if let Some(asked) = entry.and_then(|entry| entry.asked.as_mut()) {
            *asked = now;
        }
    }

    /// How one stands.
    pub fn look(&self, id: &SignInId) -> Option<&Look> {
        self.entries.iter().find(|entry| entry.look.id == *id).map(|entry| &entry.look)
    }

    /// Those that are open or remembered, the one begun last at the end.
    pub fn looks(&self) -> impl Iterator<Item = &Look> {
        self.entries.iter().map(|entry| &entry.look)
    }

    /// Lays the answer aside for whichever sign-in was begun with its state. The first one stays; another is refused.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing has changed then.
    pub fn lay_aside(&mut self, answer: Answer) -> Result<SignInId, NotTaken> {
        let state = answer.state.as_ref().ok_or(NotTaken::Foreign)?;
        // All of them are compared, each in the same time, so that nothing tells how near a guess was.
        let mut found = None;
        for (at, entry) in self.entries.iter().enumerate() {
            let is_it = entry.secrets.as_ref().is_some_and(|secrets| are_same(&secrets.state, state));
            if is_it && entry.look.progress == Progress::Waiting {
                found = Some(at);
            }
        }
        let entry = &mut self.entries[found.ok_or(NotTaken::Foreign)?];
        entry.is_of(&answer)?;
        if entry.answer.is_some() {
            return Err(NotTaken::Foreign);
        }
        (entry.answer, entry.look.is_answered) = (Some(answer), true);
        Ok(entry.look.id.clone())
    }

    /// Takes the answer that was laid aside: a person has said yes to it.
    ///
    /// # Errors
    /// [`NotTaken`] if there is none.
    pub fn finish(&mut self, id: &SignInId) -> Result<(SignInId, Option<Exchange>), NotTaken> {
        let at = self.entries.iter().position(|entry| entry.look.id == *id).ok_or(NotTaken::NoSuch)?;
        if self.entries[at].look.progress != Progress::Waiting {
            return Err(NotTaken::Over);
        }
        let answer = self.entries[at].answer.take().ok_or(NotTaken::NoAnswer)?;
        self.take_at(at, answer)
    }

    /// Takes the answer to this sign-in; a state that it says has to be the right one. Without a state it has to be able to
    /// be a code, for whoever is shown one that is none ends the sign-in.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing has changed then.
    pub fn take_for(
        &mut self,
        id: &SignInId,
        answer: Answer,
    ) -> Result<(SignInId, Option<Exchange>), NotTaken> {
        let at = self.entries.iter().position(|entry| entry.look.id == *id).ok_or(NotTaken::NoSuch)?;
        let entry = &self.entries[at];
        if entry.look.progress != Progress::Waiting {
            return Err(NotTaken::Over);
        }
        let secrets = entry.secrets.as_ref().ok_or(NotTaken::ByDevice)?;
        match (&answer.state, &answer.outcome) {
            (Some(state), _) if !are_same(&secrets.state, state) => return Err(NotTaken::Foreign),
            // Its page shows both.
            (None, _) if entry.look.definition.repeats_state() => return Err(BadAnswer::Truncated.into()),
            (None, Ok(code)) => check_bare(code.expose(), secrets.state.expose(), &secrets.redirect)?,
            _ => {}
        }
        self.take_at(at, answer)
    }

    fn take_at(&mut self, at: usize, answer: Answer) -> Result<(SignInId, Option<Exchange>), NotTaken> {
        let entry = &mut self.entries[at];
        entry.is_of(&answer)?;
        let id = entry.look.id.clone();
        match answer.outcome {
            Ok(code) => {
                let secrets = entry.secrets.take().ok_or(NotTaken::Foreign)?;
                entry.exchanging();
                let exchange = Exchange { id: id.clone(), code, secrets, server: entry.server.clone() };
                Ok((id, Some(exchange)))
            }
            Err(code) => {
                let failure = Failure::Refused { host: entry.server.host(), code };
                entry.end(Progress::Failed(failure.to_string()));
                Ok((id, None))
            }
        }
    }

    /// A device's code was answered: its tokens are being kept. False if it is over.
    pub fn exchanging(&mut self, id: &SignInId) -> bool {
        match self.entries.iter_mut().find(|entry| entry.look.id == *id) {
            Some(entry) if entry.look.progress == Progress::Waiting => {
                entry.exchanging();
                true
            }
            _ => false,
        }
    }

    /// What is to be kept, if nobody has called it off. It can't be called off any more.
    pub fn keep(&mut self, id: &SignInId) -> Option<(Whom, Arc<SignIn>)> {
        let entry = self.entries.iter_mut().find(|entry| entry.look.id == *id)?;
        if entry.look.progress != Progress::Exchanging {
            return None;
        }
        entry.is_kept = true;
        Some((entry.look.whom.clone(), Arc::clone(&entry.terms)))
    }

    /// How it ended. One that is over stays as it is.
    pub fn end(&mut self, id: &SignInId, progress: Progress) {
        let is_it = |entry: &&mut Entry| entry.look.id == *id && entry.is_open();
        if let Some(entry) = self.entries.iter_mut().find(is_it) {
            entry.end(progress);
        }
    }

    /// Calls one off.
    ///
    /// # Errors
    /// [`NotTaken`] if there is none, or it is over.
    pub fn cancel(&mut self, id: &SignInId) -> Result<(), NotTaken> {
        let entry = self.entries.iter_mut().find(|entry| entry.look.id == *id).ok_or(NotTaken::NoSuch)?;
        match entry.look.progress {
            Progress::Waiting => {}
            Progress::Exchanging if !entry.is_kept => {}
            Progress::Exchanging => return Err(NotTaken::TooLate),
            _ => return Err(NotTaken::Over),
        }
        entry.end(Progress::Cancelled);
        Ok(())
    }
}

impl Entry {
    fn is_open(&self) -> bool {
        matches!(self.look.progress, Progress::Waiting | Progress::Exchanging)
    }

    /// Whether it comes from the provider that was asked.
    fn is_of(&self, answer: &Answer) -> Result<(), NotTaken> {
        match (&answer.issuer, &self.terms.issuer) {
            (Some(said), Some(asked))
                if said.trim_end_matches('/') != asked.as_str().trim_end_matches('/') =>
            {
                Err(NotTaken::OtherIssuer)
            }
            // RFC 9207, section 2.4: it may come from somebody else who knows that nobody compares what is not there.
            (None, _) if self.server.places().names_itself => Err(NotTaken::NoIssuer),
            _ => Ok(()),
        }
    }

    fn exchanging(&mut self) {
        self.look.progress = Progress::Exchanging;
        (self.look.open, self.look.shown, self.look.is_answered) = (None, None, false);
        self.answer = None;
    }

    fn end(&mut self, progress: Progress) {
        self.exchanging();
        (self.look.progress, self.secrets) = (progress, None);
    }
}

fn are_same(one: &Sensitive<String>, other: &Sensitive<String>) -> bool {
    one.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
}

//! A scripted account as it stands: its windows, and where it is in its script. Decides what happens to
//! a request, and does nothing of it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;

use super::{
    scenario::{Answer, Behaviour, ScriptedAccount, Step},
    windows::{Windows, until},
};

/// One account of the sandbox.
#[derive(Debug)]
pub struct Account {
    pub key: String,
    /// What every reply carries.
    pub headers: HeaderMap,
    usage: Mutex<Option<UsageReply>>,
    playing: Mutex<Playing>,
}

#[derive(Debug)]
struct Playing {
    windows: Windows,
    script: Vec<Step>,
    cycle: bool,
    /// The step that is played, and how often it was.
    at: (usize, u32),
    /// Scripted while it runs; goes first.
    next: VecDeque<Behaviour>,
}

/// What the usage endpoint of an account says.
#[derive(Debug, Clone)]
pub struct UsageReply {
    pub status: StatusCode,
    /// JSON, if all is well.
    pub body: String,
    /// It comes once this gate lets it pass.
    pub gate: Option<String>,
}

/// What is to be done with a request, and what the headers say of the windows then.
pub struct Cue {
    pub windows: HeaderMap,
    pub then: Then,
}

/// See [`Cue`].
pub enum Then {
    /// A window is spent for this long.
    Spent(Duration),
    /// The script has this.
    Play(Behaviour),
}

impl Account {
    pub fn new(scripted: &ScriptedAccount, now: Timestamp) -> Self {
        let header = |(name, value): (&String, &String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        Self {
            key: scripted.key.clone(),
            headers: scripted.headers.iter().filter_map(header).collect(),
            usage: Mutex::new(scripted.usage.clone().map(UsageReply::well)),
            playing: Mutex::new(Playing {
                windows: Windows::start(&scripted.windows, now),
                script: scripted.script.clone(),
                cycle: scripted.cycle,
                at: (0, 0),
                next: VecDeque::new(),
            }),
        }
    }

    /// What its usage endpoint says; `None` where it has none.
    pub fn usage(&self) -> Option<UsageReply> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it says this.
    pub fn tell_usage(&self, reply: UsageReply) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
    }

    /// Adds to what comes next.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.playing().next.extend(behaviours);
    }

    /// Takes the next behaviour for a request to this model; a spent window stands before the script.
    pub fn cue(&self, model: &str, now: Timestamp) -> Cue {
        let mut playing = self.playing();
        playing.windows.roll(now);
        let then = playing.decide(model, now);
        let mut windows = HeaderMap::new();
        let refused = matches!(then, Then::Spent(_) | Then::Play(Behaviour::QuotaSpent { .. }));
        playing.windows.tell(model, refused, &mut windows);
        Cue { windows, then }
    }

    fn playing(&self) -> std::sync::MutexGuard<'_, Playing> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UsageReply {
    /// All is well.
    pub fn well(body: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, body: body.into(), gate: None }
    }
}

impl Playing {
    fn decide(&mut self, model: &str, now: Timestamp) -> Then {
        if let Some(reset) = self.windows.spent_until(model) {
            return Then::Spent(until(reset, now));
        }
        let behaviour = self.next_behaviour();
        if let Behaviour::QuotaSpent { window, resets_in } = &behaviour {
            self.windows.spend(window, now + *resets_in, *resets_in);
        } else if behaviour.answer().is_some() {
            self.windows.add(model);
        }
        Then::Play(behaviour)
    }

    fn next_behaviour(&mut self) -> Behaviour {
        if let Some(behaviour) = self.next.pop_front() {
            return behaviour;
        }
        if self.cycle && self.at.0 == self.script.len() {
            self.at = (0, 0);
        }
        let Some(step) = self.script.get(self.at.0) else { return Behaviour::Answer(Answer::default()) };
        let (at, played) = self.at;
        self.at = if played + 1 < step.times { (at, played + 1) } else { (at + 1, 0) };
        step.behaviour.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(account: &Account) -> &'static str {
        match account.cue("claude-opus-5-5", Timestamp::UNIX_EPOCH).then {
            Then::Spent(_) | Then::Play(Behaviour::QuotaSpent { .. }) => "spent",
            Then::Play(Behaviour::Answer(_)) => "answer",
            Then::Play(Behaviour::Overloaded) => "overloaded",
            Then::Play(_) => "other",
        }
    }

    fn scripted(steps: &[(u32, Behaviour)], cycle: bool) -> Account {
        let mut scripted = ScriptedAccount::new("One", "key");
        scripted.cycle = cycle;
        scripted.script = steps
            .iter()
            .map(|(times, behaviour)| Step { times: *times, behaviour: behaviour.clone() })
            .collect();
        Account::new(&scripted, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_script_is_played_in_order_and_then_plain_answers_follow() {
        let account = scripted(&[(2, Behaviour::Overloaded)], false);
        assert_eq!([(); 4].map(|()| word(&account)), ["overloaded", "overloaded", "answer", "answer"]);
    }

    #[test]
    fn a_cycle_starts_anew_at_its_end() {
        let steps = [(1, Behaviour::Overloaded), (2, Behaviour::Answer(Answer::default()))];
        let account = scripted(&steps, true);
        let words = [(); 5].map(|()| word(&account));
        assert_eq!(words, ["overloaded", "answer", "answer", "overloaded", "answer"]);
    }

    #[test]
    fn what_is_scripted_while_it_runs_goes_first() {
        let account = scripted(&[(1, Behaviour::CredentialRefused)], false);
        account.script([Behaviour::Overloaded]);
        assert_eq!([(); 3].map(|()| word(&account)), ["overloaded", "other", "answer"]);
    }

    #[test]
    fn a_spent_quota_stays_spent_until_its_reset() {
        let resets_in = Duration::from_mins(1);
        let account = scripted(&[(1, Behaviour::QuotaSpent { window: "5h".into(), resets_in })], false);
        assert_eq!([(); 3].map(|()| word(&account)), ["spent"; 3]);
        let later = Timestamp::UNIX_EPOCH + resets_in;
        let cue = account.cue("claude-opus-5-5", later);
        assert!(matches!(cue.then, Then::Play(Behaviour::Answer(_))), "the window started anew");
    }
}

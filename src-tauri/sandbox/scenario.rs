//! What a sandbox plays: accounts, their windows and how they behave, request after request. Data that
//! anybody can write in TOML; refuses fields it does not know, so that a typing error is no surprise.

use std::{collections::BTreeMap, time::Duration};

use http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The scenarios that come with the program.
const BUILT_IN: &str = include_str!("scenarios.toml");

/// How many arrivals a sandbox remembers unless the scenario says otherwise.
const KEEPS: usize = 512;

/// One play.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One sentence for the list of scenarios.
    pub about: String,
    /// How many arrivals are remembered, the newest ones. 0 for plays that never end.
    #[serde(default = "keeps")]
    pub keeps: usize,
    /// Told apart by their keys.
    pub accounts: Vec<ScriptedAccount>,
}

/// One account of a play.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedAccount {
    /// What Headgate may call it.
    pub name: String,
    /// The credential that clients send, as `x-api-key` or as a bearer.
    pub key: String,
    /// The priority it may be given in Headgate; lower goes first.
    #[serde(default)]
    pub priority: i32,
    /// Its usage limits. None means that no limit is ever stated.
    #[serde(default)]
    pub windows: Vec<ScriptedWindow>,
    /// Headers that every reply carries besides.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What its usage endpoint, `/v1/key`, says: a JSON text. It has none if left out.
    #[serde(default)]
    pub usage: Option<String>,
    /// What it does with each request to `/v1/messages`, in order.
    #[serde(default)]
    pub script: Vec<Step>,
    /// Whether the script starts anew at its end. Otherwise plain answers follow.
    #[serde(default)]
    pub cycle: bool,
}

/// A usage limit that fills with each answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedWindow {
    /// As it stands in the headers: `5h`, `7d`, `7d_opus`.
    pub name: String,
    /// Used share at the start.
    #[serde(default)]
    pub used: f64,
    /// What each answer adds.
    #[serde(default)]
    pub per_request: f64,
    /// Until its first reset.
    #[serde(deserialize_with = "span")]
    pub resets_in: Duration,
    /// From one reset to the next; as long as the first if left out.
    #[serde(default, deserialize_with = "some_span")]
    pub every: Option<Duration>,
}

/// A behaviour, so many times.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Step {
    /// At least once.
    pub times: u32,
    /// What is done.
    pub behaviour: Behaviour,
}

/// What the upstream does with one request.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// 200 and an answer.
    Answer(Answer),
    /// 429 for a short while.
    RateLimited {
        /// The `retry-after` header; none if left out.
        #[serde(default, deserialize_with = "some_span")]
        retry_after: Option<Duration>,
        /// Whether the state of the windows is told with it.
        #[serde(default = "yes")]
        unified: bool,
    },
    /// 429 until a window's reset; the window stays spent until then.
    QuotaSpent {
        /// Which one.
        #[serde(default = "five_hours")]
        window: String,
        /// From now.
        #[serde(deserialize_with = "span")]
        resets_in: Duration,
    },
    /// 529.
    Overloaded,
    /// Any other refusal.
    Error {
        /// 400 to 599.
        #[serde(deserialize_with = "status")]
        status: StatusCode,
        /// What Anthropic's error body says.
        #[serde(default = "trouble")]
        message: String,
        /// A whole body instead of Anthropic's.
        #[serde(default)]
        body: Option<String>,
    },
    /// 401.
    CredentialRefused,
    /// The connection ends before a byte of the reply.
    DropBeforeHead {
        /// With a TCP reset rather than a close.
        #[serde(default)]
        reset: bool,
    },
    /// The connection ends in the middle of the answer.
    CutMidStream {
        /// After so many events (of a reply that is not streamed: quarters).
        after: usize,
        /// With a TCP reset rather than a close.
        #[serde(default)]
        reset: bool,
        /// The answer that is cut.
        #[serde(default)]
        answer: Answer,
    },
    /// Nothing more comes, until the client leaves.
    Stall {
        /// After so many events.
        after: usize,
        /// The answer that stalls.
        #[serde(default)]
        answer: Answer,
    },
    /// An SSE `error` event says `overloaded_error`, and the stream ends in order.
    InStreamError {
        /// After so many events.
        after: usize,
        /// The answer that fails.
        #[serde(default)]
        answer: Answer,
    },
    /// Held before the head of the reply, until the gate is released.
    SlowHead {
        /// Its name.
        gate: String,
        /// What follows then.
        #[serde(default)]
        answer: Answer,
    },
    /// Held within the answer, until the gate is released.
    Hold {
        /// Its name.
        gate: String,
        /// After so many events.
        after: usize,
        /// The answer that is held.
        #[serde(default)]
        answer: Answer,
    },
}

/// What an answer consists of. Whatever is left out follows from the request.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// The text itself, instead of one of `tokens` words.
    pub text: Option<String>,
    /// Length of the text.
    pub tokens: u32,
    /// Length of the thinking before it.
    pub thinking: u32,
    /// Tools that are called after it, by name.
    pub tools: Vec<String>,
    /// Tokens read from outside the cache; a quarter of the request's bytes if left out.
    pub input: Option<u32>,
    /// Tokens read from the prompt cache.
    pub cache_read: u32,
    /// Tokens written to the prompt cache.
    pub cache_write: u32,
    /// Words to an event.
    pub words: usize,
    /// Between two events.
    #[serde(deserialize_with = "span")]
    pub pace: Duration,
    /// Before the head of the reply.
    #[serde(deserialize_with = "span")]
    pub delay: Duration,
}

impl Behaviour {
    /// The answer that begins, whether or not it comes to its end. It counts against the windows.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answer(answer)
            | Self::CutMidStream { answer, .. }
            | Self::Stall { answer, .. }
            | Self::InStreamError { answer, .. }
            | Self::SlowHead { answer, .. }
            | Self::Hold { answer, .. } => Some(answer),
            _ => None,
        }
    }

    /// Whether the reply states how full the windows are.
    pub fn tells_windows(&self) -> bool {
        let limited = matches!(self, Self::RateLimited { unified: true, .. } | Self::QuotaSpent { .. });
        limited || self.answer().is_some()
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            text: None,
            tokens: 24,
            thinking: 0,
            tools: Vec::new(),
            input: None,
            cache_read: 0,
            cache_write: 0,
            words: 4,
            pace: Duration::ZERO,
            delay: Duration::ZERO,
        }
    }
}

/// There is no such scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario {name}; there are {known}")]
pub struct UnknownScenario {
    name: String,
    known: String,
}

impl Scenario {
    /// One of those that come with the program.
    ///
    /// # Errors
    /// `UnknownScenario`, which names those there are.
    pub fn named(name: &str) -> Result<Self, UnknownScenario> {
        let mut all = Self::built_in();
        all.remove(name).ok_or_else(|| UnknownScenario {
            name: name.to_owned(),
            known: all.into_keys().collect::<Vec<_>>().join(", "),
        })
    }

    /// What those are called.
    pub const NAMES: [&str; 7] = ["demo", "calm", "tools", "limits", "weather", "cuts", "load"];

    fn built_in() -> BTreeMap<String, Self> {
        toml::from_str(BUILT_IN).expect("a test reads the file that is built in")
    }

    /// A play of these accounts, for tests that write their own.
    pub fn of(accounts: impl IntoIterator<Item = ScriptedAccount>) -> Self {
        Self { about: String::new(), keeps: KEEPS, accounts: accounts.into_iter().collect() }
    }
}

impl ScriptedAccount {
    /// An account without limits that answers everything.
    pub fn new(name: &str, key: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: key.to_owned(),
            priority: 0,
            windows: Vec::new(),
            headers: BTreeMap::new(),
            usage: None,
            script: Vec::new(),
            cycle: false,
        }
    }

    /// The same with a usage endpoint that says this.
    pub fn with_usage(self, usage: &str) -> Self {
        Self { usage: Some(usage.to_owned()), ..self }
    }

    /// The same with one more window, of which each answer takes a hundredth.
    pub fn with_window(mut self, name: &str, used: f64, resets_in: Duration) -> Self {
        self.windows.push(ScriptedWindow {
            name: name.to_owned(),
            used,
            per_request: 0.01,
            resets_in,
            every: None,
        });
        self
    }
}

impl From<Behaviour> for Step {
    fn from(behaviour: Behaviour) -> Self {
        Self { times: 1, behaviour }
    }
}

impl TryFrom<toml::Table> for Step {
    type Error = toml::de::Error;

    // By hand, because serde's `flatten` would let unknown fields pass.
    fn try_from(mut table: toml::Table) -> Result<Self, toml::de::Error> {
        let times = table.remove("times").map_or(Ok(1), u32::deserialize)?;
        let fields = table.len();
        let behaviour = Behaviour::deserialize(table)?;
        // Serde lets anything stand beside a tag that has no fields of its own.
        if matches!(behaviour, Behaviour::Overloaded | Behaviour::CredentialRefused) && fields > 1 {
            return Err(toml::de::Error::custom("overloaded and credential_refused take no further fields"));
        }
        Ok(Self { times: times.max(1), behaviour })
    }
}

fn keeps() -> usize {
    KEEPS
}

fn yes() -> bool {
    true
}

fn five_hours() -> String {
    "5h".to_owned()
}

fn trouble() -> String {
    "the sandbox was told to fail".to_owned()
}

/// `20ms`, `5h 30m`, as jiff writes durations.
fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from(SignedDuration::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn some_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    span(deserializer).map(Some)
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
    let code = u16::deserialize(deserializer)?;
    StatusCode::from_u16(code)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .ok_or_else(|| D::Error::custom("a refusal has a status from 400 to 599"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_comes_with_the_program_can_be_read() {
        let all: BTreeMap<String, Scenario> = toml::from_str(BUILT_IN).unwrap();
        for (name, scenario) in &all {
            assert!(!scenario.accounts.is_empty(), "{name} has an account");
            assert!(scenario.about.ends_with('.'), "{name} says what it is about in a sentence");
        }
        let mut names = Scenario::NAMES.to_vec();
        names.sort_unstable();
        assert_eq!(all.into_keys().collect::<Vec<_>>(), names, "the help names each");
    }

    #[test]
    fn the_demo_has_an_account_that_runs_out_one_that_is_overloaded_and_one_that_is_fine() {
        let demo = Scenario::named("demo").unwrap();
        let [work, overflow, spare] = &demo.accounts[..] else { panic!("three accounts") };
        assert!(work.priority < overflow.priority && overflow.priority < spare.priority);
        assert!(work.windows[0].used > 0.8, "{} soon runs out", work.name);
        assert!(overflow.script.iter().any(|step| matches!(step.behaviour, Behaviour::Overloaded)));
        assert!(spare.script.iter().all(|step| matches!(step.behaviour, Behaviour::Answer(_))));
        assert_eq!(demo.keeps, 0, "a play without an end remembers nothing");
    }

    #[test]
    fn an_unknown_scenario_is_answered_with_the_names_there_are() {
        let said = Scenario::named("nope").unwrap_err().to_string();
        assert!(said.contains("nope") && said.contains("demo"), "{said}");
    }

    #[test]
    fn a_typing_error_in_a_scenario_is_refused() {
        let wrong = ["do = 'answer'\ntoken = 3", "do = 'overlaoded'", "do = 'overloaded'\nfor = 3"];
        for text in wrong {
            let table: toml::Table = toml::from_str(text).unwrap();
            assert!(Step::try_from(table).is_err(), "{text}");
        }
    }
}

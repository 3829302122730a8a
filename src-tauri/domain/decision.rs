//! Why a request went where it went. The few words that each decision carries, and the whole record that is
//! made from the same inputs when somebody wants to read it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountId, Micros, Policy};

/// What made the difference, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Nobody else could. Said where a decision is written down; the policy puts such an account first, too.
    Sole,
    /// The policy put it first.
    Policy,
    /// Its conversation is bound to it, and the policy agrees.
    Bound,
    /// Its conversation stays, for moving would cost more than it gains.
    Kept,
    /// Its conversation moves, for that gains more than it costs.
    Moved,
    /// The account of its conversation can't take it now; the conversation stays bound to it.
    Spilled,
    /// The account of its conversation is away for longer than the cache lives there; it is bound anew.
    Rebound,
    /// Nobody else may serve it, so it was asked although its window is spent.
    LastResort,
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Sole,
        Self::Policy,
        Self::Bound,
        Self::Kept,
        Self::Moved,
        Self::Spilled,
        Self::Rebound,
        Self::LastResort,
    ];

    /// The word for SQL, the wire and the screen. Written rows hold it: it never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sole => "sole",
            Self::Policy => "policy",
            Self::Bound => "bound",
            Self::Kept => "kept",
            Self::Moved => "moved",
            Self::Spilled => "spilled",
            Self::Rebound => "rebound",
            Self::LastResort => "last_resort",
        }
    }

    /// The choice that is written as this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.word() == word)
    }

    /// Whether nobody would ask why.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Sole | Self::Policy | Self::Bound)
    }
}

/// What a move would gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gain {
    /// Nothing that the policy minds.
    Nothing,
    /// The order that a person set: an earlier place, a better priority, an account that is not to be spared.
    Order,
    /// An account that is known to have the model, and to read that much.
    Fit,
    /// From an account that is paid by use to one whose use is paid for already.
    Included,
    /// More room in its fullest window.
    Headroom,
    /// A week that would end unspent.
    Expiring,
}

/// A move, weighed: what the cold prefix costs on the other account against what is gained there. Both in
/// tokens of plain input, so that they can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Weighed {
    /// Tokens that the cache holds here and would have to be written there.
    pub cold_tokens: u64,
    /// What that costs in dollars by the list, where the price is known.
    #[serde(with = "dollars")]
    #[schema(value_type = Option<f64>)]
    pub cold_cost: Option<Micros>,
    /// The same as so many tokens of plain input.
    pub charge: u64,
    /// What would be gained.
    pub gain: Gain,
    /// What that is worth, as tokens of plain input.
    pub worth: u64,
}

impl Weighed {
    /// Whether it is worth its price.
    pub fn is_worth_it(&self) -> bool {
        self.worth > self.charge
    }
}

/// Money as the wire has it.
mod dollars {
    use super::Micros;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
    pub fn serialize<S: Serializer>(money: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
        money.map(Micros::dollars).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Micros>, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.and_then(Micros::of_dollars))
    }
}

/// A path to money that nobody has allowed, and that a request would have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Prevented {
    /// The account that its sign-in belongs to.
    #[schema(value_type = i64)]
    pub from: AccountId,
    /// The one that would have been asked next.
    #[schema(value_type = i64)]
    pub to: AccountId,
}

/// A decision with everything that went into it. Bounded: a few kilobytes however many accounts there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecisionRecord {
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who was chosen; `None` if nobody could take it.
    #[schema(value_type = Option<i64>)]
    pub account: Option<AccountId>,
    /// What made the difference; `None` if nobody could take it.
    pub choice: Option<Choice>,
    /// The policy of the place from which the account was chosen.
    pub policy: Option<Policy>,
    /// The pool that the request went to, outside of a route's slots.
    #[schema(value_type = Option<String>)]
    pub pool: Option<Arc<str>>,
    /// The route that it took.
    #[schema(value_type = Option<String>)]
    pub route: Option<Arc<str>>,
    /// The binding that led it to its pool, in words.
    #[schema(value_type = Option<String>)]
    pub binding: Option<Arc<str>>,
    /// The account that its conversation was bound to.
    #[schema(value_type = Option<i64>)]
    pub bound_to: Option<AccountId>,
    /// The move that was weighed.
    pub weighed: Option<Weighed>,
    /// What was kept from costing money.
    pub prevented: Option<Prevented>,
    /// When somebody is expected back, if nobody could take it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// What else was found, in words: slots that point at nothing, settings that contradict.
    #[schema(value_type = Vec<String>)]
    pub notes: Vec<Arc<str>>,
    /// Who was considered: the chosen one, who would have been next, then who could not. At most
    /// [`MOST_CANDIDATES`].
    pub candidates: Vec<Candidate>,
    /// So many more were considered and are left out here.
    pub left_out: u32,
}

/// A decision as it is written down: once, however many requests were decided so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDecision {
    /// By its text: equal decisions have the same.
    pub id: DecisionId,
    /// The [`DecisionRecord`] as JSON. Its time is that of no request; who reads it puts that in.
    pub record: Arc<str>,
    /// What was kept from costing money, to be counted.
    pub prevented: Option<Prevented>,
}

/// A decision's place in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecisionId(pub i64);

/// As many candidates as a record names.
pub const MOST_CANDIDATES: usize = 32;

/// One account that was considered, at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// Who.
    #[schema(value_type = i64)]
    pub account: AccountId,
    /// What it was called then.
    #[schema(value_type = String)]
    pub name: Arc<str>,
    /// The slot of the route, counted from 0; `None` outside of them.
    pub slot: Option<u8>,
    /// The model that it would be asked for, where that is not the one that the client named.
    #[schema(value_type = Option<String>)]
    pub model: Option<Arc<str>>,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in half a sentence.
    #[schema(value_type = String)]
    pub why: Arc<str>,
    /// Until when, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// What came of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It takes the request.
    Chosen,
    /// It could, and comes after the chosen one.
    Next,
    /// It can't.
    PassedOver,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_known_again_by_its_word_on_the_wire_and_in_rows() {
        for choice in Choice::ALL {
            assert_eq!(Choice::of(choice.word()), Some(choice));
            assert_eq!(serde_json::to_value(choice).unwrap(), choice.word());
        }
        assert_eq!(Choice::of("luck"), None);
    }

    #[test]
    fn what_was_weighed_survives_being_written_down() {
        let weighed = Weighed {
            cold_tokens: 180_000,
            cold_cost: Some(Micros(621_000)),
            charge: 207_000,
            gain: Gain::Order,
            worth: 50_000,
        };
        let text = serde_json::to_string(&weighed).unwrap();
        assert!(text.contains(r#""cold_cost":0.621"#), "{text}");
        assert_eq!(serde_json::from_str::<Weighed>(&text).unwrap(), weighed);
        assert!(!weighed.is_worth_it());
    }
}

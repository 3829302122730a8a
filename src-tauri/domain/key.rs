//! A client's key: what its holder may do, and how much of it. The secret itself is never here, only the
//! few characters by which a person knows it again.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccountId, Cost, KeyName, Micros, PoolId};

/// One key, for life: a new secret, name or grant keeps the id and the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct KeyId(pub i64);

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientKey {
    /// Stable for life.
    pub id: KeyId,
    /// Chosen by the user, unique without regard to case among keys that are not revoked.
    pub name: KeyName,
    /// The beginning of the secret: `hg_Ab3d`.
    pub prefix: Arc<str>,
    /// What it allows.
    pub grant: Grant,
    /// Switched off by a person until it is switched on again.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last got a new secret.
    pub rotated_at: Option<Timestamp>,
    /// Since when it is void for ever.
    pub revoked_at: Option<Timestamp>,
}

/// What a key allows. `None` in a limit means that there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grant {
    /// Which doors it opens.
    pub scopes: Scopes,
    /// Void from then on.
    pub expires_at: Option<Timestamp>,
    /// The accounts that may serve it. With neither these nor pools, all may.
    pub accounts: Option<Arc<[AccountId]>>,
    /// The pools whose accounts may serve it, those of `accounts` besides, and that lead it in this order.
    pub pools: Option<Arc<[PoolId]>>,
    /// The only models that it may ask for.
    pub models: Option<Arc<[ModelRule]>>,
    /// Requests within any minute.
    pub per_minute: Option<u32>,
    /// From midnight to midnight, UTC.
    pub daily: Budget,
    /// From the first of a month to the next, UTC.
    pub monthly: Budget,
}

/// How much may be used within one period. What runs when it is reached goes on to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Tokens of every kind: input, output, cache reads and cache writes.
    pub tokens: Option<u64>,
    /// List price of the exchanges that have a known one; the others are not counted.
    pub money: Option<Micros>,
}

/// What was used within one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens of every kind.
    pub tokens: u64,
    /// Of the exchanges that have a known price.
    pub money: Micros,
    /// Exchanges that used tokens at a price that nobody knows.
    pub unpriced: u64,
    /// What these would cost at the dearest prices of their families.
    pub at_most: Micros,
}

impl Spent {
    /// Adds what one exchange used. One that has no known price is numbered, and not taken for free.
    pub fn add(&mut self, tokens: u64, cost: impl Into<Cost>) {
        let Cost { known, at_most } = cost.into();
        self.tokens = self.tokens.saturating_add(tokens);
        match known {
            Some(cost) => self.money += cost,
            None if tokens > 0 => {
                self.unpriced += 1;
                self.at_most += at_most.unwrap_or_default();
            }
            None => {}
        }
    }

    /// What a cap in money counts: the price of what has one, and of all else the most that it may have cost.
    pub fn counted(&self) -> Micros {
        Micros(self.money.0.saturating_add(self.at_most.0))
    }
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.money += more.money;
        self.unpriced = self.unpriced.saturating_add(more.unpriced);
        self.at_most += more.at_most;
    }
}

/// What a key can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `/v1/…`: asking models.
    Proxy,
    /// GET of `/api/v1/…`: looking.
    Read,
    /// All of `/api/v1/…`: looking and changing, keys included.
    Manage,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Proxy, Self::Read, Self::Manage];

    /// The word for SQL, the wire and the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }

    /// The scope of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes([bool; 3]);

impl Scopes {
    /// Whether it opens this.
    pub fn has(self, scope: Scope) -> bool {
        self.0[scope as usize]
    }

    /// Whether it opens nothing at all.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// In a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            set.0[scope as usize] = true;
        }
        set
    }
}

/// A model's exact id, or the beginning of one with `*` behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ModelRule(Arc<str>);

/// The text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a model is named by its id or by the beginning of one with a `*` at its end, without blanks, as in `claude-haiku-*`"
)]
pub struct BadModelRule;

impl ModelRule {
    /// Takes a rule as typed.
    ///
    /// # Errors
    /// `BadModelRule` if it is empty or long, has blanks in it, or a `*` anywhere but at its end.
    pub fn new(text: &str) -> Result<Self, BadModelRule> {
        let text = text.trim();
        let body = text.strip_suffix('*').unwrap_or(text);
        let fits = (1..=256).contains(&text.len()) && body.bytes().all(|b| b.is_ascii_graphic() && b != b'*');
        if fits { Ok(Self(text.into())) } else { Err(BadModelRule) }
    }

    /// Whether it allows this model.
    pub fn allows(&self, model: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => model == &*self.0,
        }
    }

    /// The rule as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_an_exact_id_or_a_beginning() {
        let exact = ModelRule::new("claude-haiku-4-5").unwrap();
        assert!(exact.allows("claude-haiku-4-5"));
        assert!(!exact.allows("claude-haiku-4-5-20251001") && !exact.allows("claude-haiku-4"));
        let all_haikus = ModelRule::new(" claude-haiku-* ").unwrap();
        assert!(all_haikus.allows("claude-haiku-4-5-20251001") && !all_haikus.allows("claude-opus-5"));
        assert!(ModelRule::new("*").unwrap().allows("anything"));
        for text in ["", " ", "a*b", "**", "a b", "claude-*-5", &"x".repeat(300)] {
            assert_eq!(ModelRule::new(text), Err(BadModelRule), "{text:?}");
        }
    }

    #[test]
    fn scopes_are_a_set() {
        let scopes: Scopes = [Scope::Manage, Scope::Proxy, Scope::Manage].into_iter().collect();
        assert_eq!(scopes.iter().collect::<Vec<_>>(), [Scope::Proxy, Scope::Manage]);
        assert!(!scopes.has(Scope::Read) && !scopes.is_empty() && Scopes::default().is_empty());
    }
}

//! Identifiers that cannot be mistaken for each other. They carry no meaning beyond identity, but for
//! the exchange's, which sorts by time so that the newest row is also the last one on disk.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One account, for life: renames and new sign-ins keep it, and a removed account's is never given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct AccountId(pub i64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One client request. 42 bits of milliseconds since 1970 over 21 bits of sequence, so ids sort by time
/// and need no index of their own. Written as `req_` and 13 characters of Crockford's base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub i64);

/// The text is not an exchange id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id looks like req_01HZY3M5QK7PW")]
pub struct BadId;

const SEQUENCE_BITS: u32 = 21;
const DIGITS: usize = 13;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl ExchangeId {
    /// The first id of a millisecond.
    pub fn first_of(unix_ms: i64) -> Self {
        Self(unix_ms.max(0) << SEQUENCE_BITS)
    }

    /// The millisecond that it is of.
    pub fn unix_ms(self) -> i64 {
        self.0 >> SEQUENCE_BITS
    }

    /// The next id after `last`: of this millisecond, or one further where the clock stood still or went back.
    pub fn after(last: Self, unix_ms: i64) -> Self {
        Self(Self::first_of(unix_ms).0.max(last.0 + 1))
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; DIGITS];
        let mut rest = self.0.cast_unsigned();
        for slot in text.iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        write!(f, "req_{}", str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for ExchangeId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let digits = text.strip_prefix("req_").ok_or(BadId)?;
        if digits.len() != DIGITS {
            return Err(BadId);
        }
        let mut value: i64 = 0;
        for byte in digits.bytes() {
            let digit = ALPHABET.iter().position(|known| *known == byte.to_ascii_uppercase()).ok_or(BadId)?;
            value = value
                .checked_mul(32)
                .and_then(|shifted| shifted.checked_add(i64::try_from(digit).ok()?))
                .ok_or(BadId)?;
        }
        Ok(Self(value))
    }
}

impl Serialize for ExchangeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExchangeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_exchange_id_survives_being_written_down(value in 0..=i64::MAX) {
            let id = ExchangeId(value);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn ids_only_move_forward_whatever_the_clock_does(clock in proptest::collection::vec(0i64..1 << 42, 1..50)) {
            let mut last = ExchangeId(0);
            for now in clock {
                let next = ExchangeId::after(last, now);
                prop_assert!(next > last);
                last = next;
            }
        }

        #[test]
        fn any_other_text_is_refused_without_a_panic(text in ".{0,20}") {
            if let Ok(id) = text.parse::<ExchangeId>() {
                prop_assert_eq!(id.to_string(), text.to_ascii_uppercase().replace("REQ_", "req_"));
            }
        }
    }
}

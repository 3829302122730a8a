//! What exchanges used, summed from `exchanges` by the key that they came with or by the account that served them.
//! Each sum is read from an index that holds all it needs.

use jiff::Timestamp;
use rusqlite::{Params, Row, params};

use super::{
    Store, StoreError,
    columns::{Count, Ms},
};
use crate::domain::{AccountId, ExchangeId, KeyId, Micros, Period, Spent};

// Summed as floats, since an integer sum that overflows is an error and upstreams may say any number.
macro_rules! sums {
    ($from:literal) => {
        concat!(
            "SELECT
                CAST(coalesce(sum(coalesce(input, 0) * 1.0 + coalesce(output, 0) + coalesce(cache_read, 0)
                    + coalesce(cache_write, 0)), 0) AS INTEGER) AS tokens,
                CAST(coalesce(sum(cost_micros * 1.0), 0) AS INTEGER) AS micros,
                count(*) FILTER (WHERE cost_micros IS NULL
                    AND coalesce(input, output, cache_read, cache_write) > 0) AS unpriced
            FROM exchanges INDEXED BY ",
            $from
        )
    };
}

pub(super) const BY_KEY: &str =
    sums!("exchanges_key WHERE key_id = ?1 AND started_at >= ?2 AND started_at < ?3");

// An id is never smaller than the time at which its exchange began would make it.
pub(super) const BY_ACCOUNT: &str =
    sums!("exchanges_account WHERE account_id = ?1 AND started_at >= ?2 AND started_at < ?3 AND id >= ?4");

impl Store {
    /// What a key has used in exchanges that began from `since` until before `until`. Their ids would not tell:
    /// they never go back, not even when the clock does.
    pub fn spent(&self, key: KeyId, since: Timestamp, until: Timestamp) -> Result<Spent, StoreError> {
        self.sum(BY_KEY, params![key.0, Ms(since), Ms(until)])
    }

    /// What was used in exchanges that began in a period and that this account served.
    pub fn spent_by(&self, account: AccountId, period: Period) -> Result<Spent, StoreError> {
        let first = ExchangeId::first_of(period.since.as_millisecond());
        self.sum(BY_ACCOUNT, params![account.0, Ms(period.since), Ms(period.until), first.0])
    }

    fn sum(&self, sql: &str, values: impl Params) -> Result<Spent, StoreError> {
        self.read(|conn| {
            let sums = |row: &Row<'_>| {
                Ok(Spent {
                    tokens: row.get::<_, Count>("tokens")?.0,
                    money: Micros(row.get::<_, Count>("micros")?.0),
                    unpriced: row.get::<_, Count>("unpriced")?.0,
                })
            };
            Ok(conn.prepare_cached(sql)?.query_row(values, sums)?)
        })
    }
}

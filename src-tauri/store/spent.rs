//! The table `spent`: what exchanges used, by the hour that they began in, and by the account and the key that it
//! counts for. It is written in the commit that ends them, so the sums over it are those over `exchanges`.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Params, Row, params};

use super::{
    Store, StoreError,
    columns::{Count, Ms},
};
use crate::domain::{AccountId, Exchange, ExchangeId, KeyId, Micros, Period, Spent};

const HOUR: i64 = 3_600_000;
/// Where an exchange has no account or came with no key.
const NONE: i64 = 0;

// As floats, since an integer sum that overflows is an error and upstreams may say any number.
const ADD: &str = "INSERT INTO spent (hour, account_id, key_id, tokens, micros, unpriced, at_most)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (hour, account_id, key_id) DO UPDATE SET
        tokens = CAST(tokens * 1.0 + excluded.tokens AS INTEGER),
        micros = CAST(micros * 1.0 + excluded.micros AS INTEGER),
        unpriced = unpriced + excluded.unpriced,
        at_most = CAST(at_most * 1.0 + excluded.at_most AS INTEGER)";

macro_rules! sums {
    ($of:literal) => {
        concat!(
            "SELECT CAST(coalesce(sum(tokens * 1.0), 0) AS INTEGER) AS tokens,
                CAST(coalesce(sum(micros * 1.0), 0) AS INTEGER) AS micros, coalesce(sum(unpriced), 0) AS unpriced,
                CAST(coalesce(sum(at_most * 1.0), 0) AS INTEGER) AS at_most
            FROM spent WHERE hour >= ?2 AND hour < ?3 AND ",
            $of,
            " = ?1"
        )
    };
}

pub(super) const BY_KEY: &str = sums!("key_id");
pub(super) const BY_ACCOUNT: &str = sums!("account_id");

// A part of an hour, from the exchanges themselves. Their ids never go back, so they are looked for from the first id of
// that time to a day behind it.
pub(super) const PART: &str = "SELECT CAST(coalesce(sum(coalesce(input, 0) * 1.0 + coalesce(output, 0)
            + coalesce(cache_read, 0) + coalesce(cache_write, 0)), 0) AS INTEGER) AS tokens,
        CAST(coalesce(sum(cost_micros * 1.0), 0) AS INTEGER) AS micros,
        count(*) FILTER (WHERE cost_micros IS NULL AND coalesce(input, 0) * 1.0 + coalesce(output, 0)
            + coalesce(cache_read, 0) + coalesce(cache_write, 0) > 0) AS unpriced,
        0 AS at_most
    FROM exchanges INDEXED BY exchanges_account
    WHERE account_id = ?1 AND id >= ?4 AND id < ?5 AND ending IS NOT NULL AND started_at >= ?2 AND started_at < ?3";
/// A clock that was set back by less than this hides nothing.
const BACK: i64 = 24 * HOUR;

impl Store {
    /// What a key has used in exchanges that began in a period, which begins and ends with an hour. Their ids would
    /// not tell: they never go back, not even when the clock does.
    pub fn spent(&self, key: KeyId, period: Period) -> Result<Spent, StoreError> {
        self.sum(BY_KEY, params![key.0, Ms(period.since), Ms(period.until)])
    }

    /// The same of what an account served.
    pub fn spent_by(&self, account: AccountId, period: Period) -> Result<Spent, StoreError> {
        self.sum(BY_ACCOUNT, params![account.0, Ms(period.since), Ms(period.until)])
    }

    /// What an account served from the beginning of a period, which begins with an hour, to a moment within it: whole
    /// hours as they were summed up, and of the last one what began before that moment.
    pub fn spent_until(
        &self,
        account: AccountId,
        since: Timestamp,
        moment: Timestamp,
    ) -> Result<Spent, StoreError> {
        let hour = hour_of(moment);
        let begin = Timestamp::from_millisecond(hour).unwrap_or(since).max(since);
        let mut spent = self.spent_by(account, Period { since, until: begin })?;
        let (first, last) = (ExchangeId::first_of(hour), ExchangeId::first_of(hour + HOUR + BACK));
        spent += self.sum(PART, params![account.0, Ms(begin), Ms(moment), first.0, last.0])?;
        Ok(spent)
    }

    fn sum(&self, sql: &str, values: impl Params) -> Result<Spent, StoreError> {
        self.read(|conn| {
            let sums = |row: &Row<'_>| {
                Ok(Spent {
                    tokens: row.get::<_, Count>("tokens")?.0,
                    money: Micros(row.get::<_, Count>("micros")?.0),
                    unpriced: row.get::<_, Count>("unpriced")?.0,
                    at_most: Micros(row.get::<_, Count>("at_most")?.0),
                })
            };
            Ok(conn.prepare_cached(sql)?.query_row(values, sums)?)
        })
    }
}

/// Adds what exchanges used that are being written, in as many rows as there are hours, accounts and keys among them.
pub(super) fn write<'a>(
    conn: &Connection,
    finished: impl Iterator<Item = &'a Exchange>,
) -> rusqlite::Result<()> {
    let mut sums: HashMap<(i64, i64, i64), Spent> = HashMap::new();
    for exchange in finished {
        let (tokens, cost) = (exchange.usage.total(), exchange.paid());
        if tokens == 0 && cost.known.is_none() {
            continue;
        }
        let account = exchange.account.map_or(NONE, |id| id.0);
        let key = exchange.start.key.map_or(NONE, |id| id.0);
        sums.entry((hour_of(exchange.start.started_at), account, key)).or_default().add(tokens, cost);
    }
    let mut add = conn.prepare_cached(ADD)?;
    for ((hour, account, key), Spent { tokens, money, unpriced, at_most }) in sums {
        let amounts = [tokens, money.0, unpriced, at_most.0].map(Count);
        let [tokens, money, unpriced, at_most] = amounts;
        add.execute(params![hour, account, key, tokens, money, unpriced, at_most])?;
    }
    Ok(())
}

fn hour_of(moment: Timestamp) -> i64 {
    moment.as_millisecond().div_euclid(HOUR) * HOUR
}

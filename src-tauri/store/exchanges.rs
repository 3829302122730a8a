//! The table `exchanges`: one row per client request, written when it begins and again when it ends.
//! Rows are never scanned in the order of anything but their id, and every filter has its index.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, ToSql, types::FromSqlError};

use super::{
    Permit, Store, StoreError, attempts,
    columns::{Count, Ms, Us, unknown_word},
};
use crate::domain::{
    AccountId, Ask, Ending, Exchange, ExchangeId, ExchangeStart, KeyId, Micros, Role, Usage,
};

/// As many requests as one question may bring.
pub const MOST_REQUESTS: u32 = 1000;

/// Which requests are wanted, newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// At most so many, and never more than [`MOST_REQUESTS`].
    pub limit: u32,
    /// Only older ones than this.
    pub before: Option<ExchangeId>,
    /// Only those this account answered.
    pub account: Option<AccountId>,
    /// Only those that ended so.
    pub ending: Option<Ending>,
    /// Only those that still run.
    pub running: bool,
}

/// Sums over requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// All of them, running ones too.
    pub requests: u64,
    /// Those whose answer was delivered whole.
    pub complete: u64,
    /// Those delivered whole by a second or later try.
    pub rescued: u64,
    /// The tokens of those that said; `None` if none did.
    pub usage: Usage,
}

pub(super) const INTERRUPT: &str = "UPDATE exchanges INDEXED BY exchanges_running
    SET ending = 'interrupted', error = 'Headgate stopped before this request had ended' WHERE ending IS NULL";

pub(super) const ONE: &str = "SELECT * FROM exchanges WHERE id = ?1";

pub(super) const LAST: &str = "SELECT max(id) FROM exchanges";

// Summed as floats, since an integer sum that overflows is an error and upstreams may say any number.
pub(super) const TOTALS: &str = "SELECT count(*) AS requests,
        count(*) FILTER (WHERE ending = 'complete') AS complete,
        count(*) FILTER (WHERE ending = 'complete' AND attempts > 1 AND EXISTS (SELECT 1 FROM attempts AS tried
            WHERE tried.exchange_id = exchanges.id AND tried.account_id <> exchanges.account_id)) AS rescued,
        CAST(sum(input * 1.0) AS INTEGER) AS input, CAST(sum(output * 1.0) AS INTEGER) AS output,
        CAST(sum(cache_read * 1.0) AS INTEGER) AS cache_read,
        CAST(sum(cache_write * 1.0) AS INTEGER) AS cache_write,
        CAST(sum(cache_write_1h * 1.0) AS INTEGER) AS cache_write_1h
    FROM exchanges WHERE id >= ?1";

impl Store {
    /// Notes that a request has begun, soon; does not wait.
    pub fn begin(&self, start: impl Into<Arc<ExchangeStart>>) {
        let start = start.into();
        self.queue(|batch| batch.begun.push(start));
    }

    /// Writes how a request went, soon; does not wait. The permit is given back once it is on disk.
    pub fn finish(&self, exchange: Arc<Exchange>, permit: Option<Permit>) {
        self.queue(|batch| batch.finished.push((exchange, permit)));
    }

    /// Gives requests that an earlier run left open their ending, and says how many there were.
    /// To be called once, before the first request of this run.
    pub fn interrupt_open(&self) -> Result<usize, StoreError> {
        self.write(|tx| Ok(tx.execute(INTERRUPT, [])?))
    }

    /// The requests that pass the filter with their attempts, newest first.
    pub fn requests(&self, filter: &RequestFilter) -> Result<Vec<Exchange>, StoreError> {
        self.read(|conn| {
            let before = filter.before.map_or(i64::MAX, |id| id.0);
            let limit = filter.limit.min(MOST_REQUESTS);
            let (account, ending) = (filter.account.map(|id| id.0), filter.ending.map(Ending::word));
            let mut values: Vec<(&str, &dyn ToSql)> = vec![(":before", &before), (":limit", &limit)];
            values.extend(account.as_ref().map(|id| (":account", id as &dyn ToSql)));
            values.extend(ending.as_ref().map(|word| (":ending", word as &dyn ToSql)));
            let mut page = conn.prepare_cached(&requests_sql(filter))?;
            let mut found = page.query_map(&*values, exchange)?.collect::<Result<Vec<_>, _>>()?;
            attempts::fill(conn, &mut found)?;
            Ok(found)
        })
    }

    /// One request with its attempts.
    pub fn request(&self, id: ExchangeId) -> Result<Option<Exchange>, StoreError> {
        self.read(|conn| {
            let mut found = conn.prepare_cached(ONE)?.query_row([id.0], exchange).optional()?;
            attempts::fill(conn, found.as_mut_slice())?;
            Ok(found)
        })
    }

    /// Sums over all requests from `since` on.
    pub fn totals_since(&self, since: ExchangeId) -> Result<Totals, StoreError> {
        self.read(|conn| {
            let sums = |row: &Row<'_>| {
                Ok(Totals {
                    requests: row.get::<_, Count>("requests")?.0,
                    complete: row.get::<_, Count>("complete")?.0,
                    rescued: row.get::<_, Count>("rescued")?.0,
                    usage: usage(row)?,
                })
            };
            Ok(conn.prepare_cached(TOTALS)?.query_row([since.0], sums)?)
        })
    }

    /// The newest id that was ever written.
    pub fn last_exchange_id(&self) -> Result<Option<ExchangeId>, StoreError> {
        self.read(|conn| {
            let last: Option<i64> = conn.prepare_cached(LAST)?.query_row([], |row| row.get(0))?;
            Ok(last.map(ExchangeId))
        })
    }
}

/// The index is named, so that no statistics ever lead the planner to sort or to scan.
pub(super) fn requests_sql(filter: &RequestFilter) -> String {
    let rare = filter.ending.is_some_and(|ending| ending != Ending::Complete);
    let index = match filter {
        RequestFilter { running: true, .. } => "INDEXED BY exchanges_running",
        _ if rare => "INDEXED BY exchanges_troubled",
        RequestFilter { account: Some(_), .. } => "INDEXED BY exchanges_account",
        _ => "NOT INDEXED",
    };
    let mut sql = format!("SELECT * FROM exchanges {index} WHERE id < :before");
    let terms = [
        (filter.running, " AND ending IS NULL"),
        (rare, " AND ending <> 'complete'"),
        (filter.ending.is_some(), " AND ending = :ending"),
        (filter.account.is_some(), " AND account_id = :account"),
    ];
    sql.extend(terms.into_iter().filter_map(|(wanted, term)| wanted.then_some(term)));
    sql + " ORDER BY id DESC LIMIT :limit"
}

fn exchange(row: &Row<'_>) -> rusqlite::Result<Exchange> {
    Ok(Exchange {
        start: Arc::new(ExchangeStart {
            id: ExchangeId(row.get("id")?),
            started_at: row.get::<_, Ms>("started_at")?.0,
            method: row.get("method")?,
            path: row.get("path")?,
            ask: Ask {
                model: row.get("model")?,
                session: row.get("session")?,
                agent: row.get("agent")?,
                client: row.get("client")?,
                stream: row.get("stream")?,
                bytes: row.get::<_, Count>("request_bytes")?.0,
                // A class that a later version knows is none.
                role: row.get_ref("role")?.as_str_or_null()?.and_then(Role::of),
                agent_type: row.get("agent_type")?,
                project: row.get("project")?,
                ..Ask::default()
            },
            key: row.get::<_, Option<i64>>("key_id")?.map(KeyId),
        }),
        ending: row.get_ref("ending")?.as_str_or_null()?.map(ending).transpose()?,
        error: row.get("error")?,
        status: row.get("status")?,
        account: row.get::<_, Option<i64>>("account_id")?.map(AccountId),
        served_model: row.get("served_model")?,
        usage: usage(row)?,
        cost: row.get::<_, Option<Count>>("cost_micros")?.map(|count| Micros(count.0)),
        at_most: None,
        first_byte: row.get::<_, Option<Us>>("first_byte_us")?.map(|us| us.0),
        duration: row.get::<_, Option<Us>>("duration_us")?.map(|us| us.0),
        changes: changes(row)?,
        decision: None,
        attempts: attempts::sole_of(row)?.into_iter().collect(),
    })
}

fn changes(row: &Row<'_>) -> rusqlite::Result<Vec<Arc<str>>> {
    let Some(text) = row.get_ref("changes")?.as_str_or_null()? else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(|err| FromSqlError::other(err).into())
}

pub(super) fn usage(row: &Row<'_>) -> rusqlite::Result<Usage> {
    let tokens = |column| row.get::<_, Option<Count>>(column).map(|count| count.map(|count| count.0));
    Ok(Usage {
        input: tokens("input")?,
        output: tokens("output")?,
        cache_read: tokens("cache_read")?,
        cache_write: tokens("cache_write")?,
        cache_write_1h: tokens("cache_write_1h")?,
        is_off_list: false,
    })
}

pub(super) fn ending(word: &str) -> Result<Ending, FromSqlError> {
    Ending::ALL.into_iter().find(|ending| ending.word() == word).ok_or_else(|| unknown_word(word))
}

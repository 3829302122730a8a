//! How domain values stand in columns: times as whole milliseconds, durations as microseconds, counts
//! clamped to what a column holds. A value never makes a row unwritable. And what tables say no to alike.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{
    Connection, ErrorCode, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::StoreError;

/// A moment.
pub(super) struct Ms(pub Timestamp);

/// A span of time.
pub(super) struct Us(pub Duration);

/// A number of tokens or bytes.
pub(super) struct Count(pub u64);

impl ToSql for Ms {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_millisecond().into())
    }
}

impl FromSql for Ms {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let ms = value.as_i64()?;
        Timestamp::from_millisecond(ms).map(Self).map_err(|_| FromSqlError::OutOfRange(ms))
    }
}

impl ToSql for Us {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Us {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let us = value.as_i64()?;
        u64::try_from(us).map(|us| Self(Duration::from_micros(us))).map_err(|_| FromSqlError::OutOfRange(us))
    }
}

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let count = value.as_i64()?;
        u64::try_from(count).map(Self).map_err(|_| FromSqlError::OutOfRange(count))
    }
}

/// A word that no known value is written as: the row comes from elsewhere.
pub(super) fn unknown_word(word: &str) -> FromSqlError {
    FromSqlError::Other(format!("`{word}` is not a word of this column").into())
}

/// A name as it is compared: in lower case, by Unicode's rules.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// For tables in which a constraint can only be broken by a name that somebody else has.
pub(super) fn name_taken(err: rusqlite::Error) -> StoreError {
    match err.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::NameTaken,
        _ => err.into(),
    }
}

/// One row was changed, and not none.
pub(super) fn one(changed: usize, what: &'static str) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::NotThere(what)) } else { Ok(()) }
}

/// Nobody claims an id that was not his: what is put back had it before.
pub(super) fn was_given(conn: &Connection, table: &'static str, id: Option<i64>) -> Result<(), StoreError> {
    let Some(id) = id else { return Ok(()) };
    let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?1";
    let last: i64 = conn.prepare_cached(last)?.query_row([table], |row| row.get(0))?;
    if (1..=last).contains(&id) { Ok(()) } else { Err(StoreError::NotThere("id")) }
}

//! How domain values stand in columns: times as whole milliseconds, durations as microseconds, counts
//! clamped to what a column holds. A value never makes a row unwritable.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

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

//! The column `guards` of `accounts`: what is kept back of an account, as one JSON object. Amounts are whole
//! numbers, money in millionths of a dollar.

use rusqlite::types::FromSqlError;
use serde::{Deserialize, Serialize};

use crate::domain::{Budget, Caps, Guards, Micros, Peak, Reserve};

#[derive(Serialize, Deserialize)]
struct GuardsRow {
    reserves: Vec<Reserve>,
    caps: CapsRow,
    peaks: Vec<Peak>,
}

#[derive(Serialize, Deserialize)]
struct CapsRow {
    day: CapRow,
    week: CapRow,
    month: CapRow,
}

#[derive(Serialize, Deserialize)]
struct CapRow {
    tokens: Option<u64>,
    micros: Option<u64>,
}

pub(super) fn read(text: &str) -> Result<Guards, FromSqlError> {
    let GuardsRow { reserves, caps, peaks } = serde_json::from_str(text).map_err(FromSqlError::other)?;
    let budget = |cap: CapRow| Budget { tokens: cap.tokens, money: cap.micros.map(Micros) };
    let caps = Caps { day: budget(caps.day), week: budget(caps.week), month: budget(caps.month) };
    Ok(Guards { reserves, caps, peaks })
}

pub(super) fn text(guards: &Guards) -> String {
    let cap = |budget: Budget| CapRow { tokens: budget.tokens, micros: budget.money.map(|money| money.0) };
    let Caps { day, week, month } = guards.caps;
    let row = GuardsRow {
        reserves: guards.reserves.clone(),
        caps: CapsRow { day: cap(day), week: cap(week), month: cap(month) },
        peaks: guards.peaks.clone(),
    };
    serde_json::to_string(&row).expect("numbers and texts are JSON")
}

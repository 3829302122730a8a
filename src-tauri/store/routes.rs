//! The table `routes`: named chains of places to try. A slot may point at what is gone: it is kept as it is, so
//! that it points there again once that is put back.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, params, types::FromSqlError};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    columns::{Ms, fold, name_taken, one, was_given},
};
use crate::domain::{Route, RouteId, RouteIdle, RouteModels, RouteName, Slot, Target};

/// A route before it has an id, or one that is put back under the id that it had.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRouteRow {
    /// Of one that was removed.
    pub id: Option<RouteId>,
    /// Free, without regard to case.
    pub name: RouteName,
    /// Whether it is taken.
    pub enabled: bool,
    /// What it is for.
    pub models: RouteModels,
    /// Where it leads, in order.
    pub slots: Vec<Slot>,
    /// Whether the usual selection follows.
    pub falls_through: bool,
    /// How long its answers may be silent.
    pub idle: Option<RouteIdle>,
    /// Now, or when it was made.
    pub created_at: Timestamp,
}

/// A slot in the column's JSON: `{"pool":2,"model":"claude-haiku-4-5"}`.
#[derive(Serialize, Deserialize)]
struct SlotRow {
    #[serde(flatten)]
    target: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<Arc<str>>,
}

const INSERT: &str =
    "INSERT INTO routes (id, name, folded, enabled, models, slots, falls_through, created_at, idle_seconds)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const SAVE: &str = "UPDATE routes SET name = ?2, folded = ?3, enabled = ?4, models = ?5, slots = ?6,
        falls_through = ?7, idle_seconds = ?8
    WHERE id = ?1";

impl Store {
    /// Every route, in the order in which they were made.
    pub fn routes(&self) -> Result<Vec<Route>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT * FROM routes ORDER BY id")?;
            all.query_map([], route)?.map(|row| Ok(row?)).collect()
        })
    }

    /// Adds a route; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` if another one is called so, in whatever case; `NotThere` if the id that it had was never one.
    pub fn add_route(&self, new: &NewRouteRow) -> Result<Route, StoreError> {
        let new = new.clone();
        self.write(move |tx| {
            let (id, name) = (new.id.map(|id| id.0), new.name.as_str());
            was_given(tx, "routes", id)?;
            let (slots, created_at) = (slots_text(&new.slots), Ms(new.created_at));
            let values = params![
                id,
                name,
                fold(name),
                new.enabled,
                new.models.as_str(),
                slots,
                new.falls_through,
                created_at,
                new.idle.map(RouteIdle::seconds),
            ];
            tx.execute(INSERT, values).map_err(name_taken)?;
            let id = tx.last_insert_rowid();
            Ok(tx.query_row("SELECT * FROM routes WHERE id = ?1", [id], route)?)
        })
    }

    /// Writes all that can change of a route; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` as for adding; `NotThere` if it was removed meanwhile.
    pub fn save_route(&self, route: &Route) -> Result<(), StoreError> {
        let route = route.clone();
        self.write(move |tx| {
            let (name, slots) = (route.name.as_str(), slots_text(&route.slots));
            let changed = tx.execute(
                SAVE,
                params![
                    route.id.0,
                    name,
                    fold(name),
                    route.enabled,
                    route.models.as_str(),
                    slots,
                    route.falls_through,
                    route.idle.map(RouteIdle::seconds),
                ],
            );
            one(changed.map_err(name_taken)?, "route")
        })
    }

    /// Removes a route; returns once that is committed.
    ///
    /// # Errors
    /// `NotThere` if there is no such route.
    pub fn remove_route(&self, id: RouteId) -> Result<(), StoreError> {
        self.write(move |tx| one(tx.execute("DELETE FROM routes WHERE id = ?1", [id.0])?, "route"))
    }
}

fn route(row: &Row<'_>) -> rusqlite::Result<Route> {
    Ok(Route {
        id: RouteId(row.get("id")?),
        name: RouteName::kept(row.get_ref("name")?.as_str()?).map_err(FromSqlError::other)?,
        enabled: row.get("enabled")?,
        models: RouteModels::new(row.get_ref("models")?.as_str()?).map_err(FromSqlError::other)?,
        slots: slots(row.get_ref("slots")?.as_str()?)?,
        falls_through: row.get("falls_through")?,
        idle: row.get::<_, Option<u32>>("idle_seconds")?.and_then(RouteIdle::new),
        created_at: row.get::<_, Ms>("created_at")?.0,
    })
}

fn slots(text: &str) -> Result<Vec<Slot>, FromSqlError> {
    let rows: Vec<SlotRow> = serde_json::from_str(text).map_err(FromSqlError::other)?;
    Ok(rows.into_iter().map(|SlotRow { target, model }| Slot { target, model }).collect())
}

fn slots_text(slots: &[Slot]) -> String {
    let row = |slot: &Slot| SlotRow { target: slot.target, model: slot.model.clone() };
    let rows: Vec<SlotRow> = slots.iter().map(row).collect();
    serde_json::to_string(&rows).expect("ids and texts are JSON")
}

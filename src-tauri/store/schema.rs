//! The shape of the database: how it only moves forward, and the marks by which we know it as ours.
//! Refuses to go back; an older Headgate does not open a newer database.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::open::OpenError;

/// `HGTE` in the file's header tells our database from anybody else's.
pub(super) const APPLICATION_ID: i32 = 0x4847_5445;

const STEPS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_first.sql")),
    M::up(include_str!("migrations/0002_keys.sql")),
    M::up(include_str!("migrations/0003_sole_attempts.sql")),
    M::up(include_str!("migrations/0004_models.sql")),
    M::up(include_str!("migrations/0005_changes.sql")),
    M::up(include_str!("migrations/0006_spill.sql")),
    M::up(include_str!("migrations/0007_spent.sql")),
    M::up(include_str!("migrations/0008_windows.sql")),
    M::up(include_str!("migrations/0009_plan.sql")),
    M::up(include_str!("migrations/0010_decisions.sql")),
    M::up(include_str!("migrations/0011_hours.sql")),
    M::up(include_str!("migrations/0012_sign_in.sql")),
    M::up(include_str!("migrations/0013_renewals.sql")),
    M::up(include_str!("migrations/0014_jobs.sql")),
    M::up(include_str!("migrations/0015_profiles.sql")),
    M::up(include_str!("migrations/0016_timed.sql")),
    M::up(include_str!("migrations/0017_route_idle.sql")),
    M::up(include_str!("migrations/0018_trouble.sql")),
    M::up(include_str!("migrations/0019_lacks_and_caps.sql")),
    M::up(include_str!("migrations/0020_paid.sql")),
];

/// The `user_version` that this program writes; a higher one comes from a newer program.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a handful of steps")]
pub(super) const KNOWN: i32 = STEPS.len() as i32;

/// Sets what can only be set while the file is still empty.
pub(super) fn mark_as_ours(conn: &Connection) -> rusqlite::Result<()> {
    // Space freed by retention can go back to the disk step by step only if this stands before any table.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Brings the database to [`KNOWN`], each step in its own transaction.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), OpenError> {
    Migrations::from_slice(STEPS).to_latest(conn).map_err(|err| match err {
        rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
        other => OpenError::Io(std::io::Error::other(other)),
    })
}

//! The table `accounts`: who pays, without what they pay with. A removed account keeps its row, so that
//! history keeps its name, and gives its name free. A person's edits wait for their commit; what a
//! verdict says of an account is queued and touches other columns, so neither undoes the other.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params, types::FromSqlError};
use url::Url;

use super::{
    Store, StoreError, affinities,
    columns::{Ms, fold, name_taken, unknown_word},
    guards,
};
use crate::domain::{
    Account, AccountId, AccountName, Bench, Guards, Lacks, ModelMap, Paid, Pause, PausedBy, PoolId,
    ProviderId, SignIn, Spill, Timed,
};

/// An account before it has an id.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAccountRow {
    /// Free among live accounts, without regard to case.
    pub name: AccountName,
    /// A key of the catalog.
    pub provider: ProviderId,
    /// In place of the provider's own address.
    pub base_url: Option<Url>,
    /// Lower goes first.
    pub priority: i32,
    /// How it was signed in.
    pub sign_in: Option<Arc<SignIn>>,
    /// Now.
    pub created_at: Timestamp,
}

/// What verdicts taught us about an account, on its way to disk.
#[derive(Debug)]
pub(super) struct Taught {
    bench: Option<Bench>,
    refused: Option<Arc<str>>,
}

/// The latest lesson of each account.
pub(super) type WaitingLessons = HashMap<AccountId, Taught>;

const INSERT: &str = "INSERT INTO accounts (name, folded, provider, base_url, priority, created_at, sign_in)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const SAVE: &str = "UPDATE accounts SET name = ?2, folded = ?3, provider = ?4, base_url = ?5, priority = ?6,
        pause_reason = ?7, paused_by = ?8, paused_at = ?9,
        bench_until = ?10, bench_reason = ?11, bench_streak = ?12, refused = ?13, models = ?14,
        spill_to = ?15, paid = ?16, bench_since = ?17, pool_id = ?18, guards = ?19, sign_in = ?20, timed = ?21,
        lacks = ?22
    WHERE id = ?1 AND removed_at IS NULL";

const TEACH: &str =
    "UPDATE accounts SET bench_until = ?2, bench_reason = ?3, bench_streak = ?4, refused = ?5,
        bench_since = ?6
    WHERE id = ?1 AND removed_at IS NULL";

impl Store {
    /// The live accounts, in the order in which they were added.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read(|conn| {
            let mut live =
                conn.prepare_cached("SELECT * FROM accounts WHERE removed_at IS NULL ORDER BY id")?;
            live.query_map([], account)?.map(|row| Ok(row?)).collect()
        })
    }

    /// The name of every account there ever was, for history's sake.
    pub fn account_names(&self) -> Result<HashMap<AccountId, AccountName>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached("SELECT id, name FROM accounts")?;
            all.query_map([], |row| Ok((AccountId(row.get("id")?), name(row)?)))?
                .map(|row| Ok(row?))
                .collect()
        })
    }

    /// Adds an account; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` if a live account has this name, in whatever case.
    pub fn add_account(&self, new: &NewAccountRow) -> Result<Account, StoreError> {
        let new = new.clone();
        self.write(move |tx| {
            tx.execute(
                INSERT,
                params![
                    new.name.as_str(),
                    fold(new.name.as_str()),
                    new.provider.0,
                    new.base_url.as_ref().map(Url::as_str),
                    new.priority,
                    Ms(new.created_at),
                    new.sign_in.as_deref().map(sign_in_text),
                ],
            )
            .map_err(name_taken)?;
            let id = tx.last_insert_rowid();
            Ok(tx.query_row("SELECT * FROM accounts WHERE id = ?1", [id], account)?)
        })
    }

    /// Writes all that can change of an account; returns once it is committed.
    ///
    /// # Errors
    /// `NameTaken` as for adding; `NoSuchAccount` if it has been removed meanwhile.
    pub fn save_account(&self, account: &Account) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(move |tx| {
            let (pause, bench, spill) =
                (account.pause.as_ref(), account.bench.as_ref(), account.spill.as_ref());
            let changed = tx.execute(
                SAVE,
                params![
                    account.id.0,
                    account.name.as_str(),
                    fold(account.name.as_str()),
                    account.provider.0,
                    account.base_url.as_ref().map(Url::as_str),
                    account.priority,
                    pause.map(|pause| &pause.reason),
                    pause.map(|pause| by_word(&pause.by)),
                    pause.map(|pause| Ms(pause.at)),
                    bench.map(|bench| Ms(bench.until)),
                    bench.map(|bench| &bench.reason),
                    bench.map(|bench| bench.streak),
                    account.refused,
                    models_text(&account.models),
                    spill.map(spill_text),
                    account.paid.map(Paid::word),
                    bench.map(|bench| Ms(bench.since)),
                    account.pool.0,
                    account.guards.as_deref().map(guards::text),
                    account.sign_in.as_deref().map(sign_in_text),
                    (account.timed != Timed::default()).then(|| timed_text(&account.timed)),
                    (account.lacks != Lacks::default()).then(|| lacks_text(&account.lacks)),
                ],
            );
            one(changed.map_err(name_taken)?)
        })
    }

    /// Takes an account out of service for good and frees its name; returns once it is committed.
    ///
    /// # Errors
    /// `NoSuchAccount` if it was not there.
    pub fn remove_account(&self, id: AccountId, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute("DELETE FROM windows WHERE account_id = ?1", [id.0])?;
            tx.execute("DELETE FROM models WHERE account_id = ?1", [id.0])?;
            tx.execute("DELETE FROM renewals WHERE account_id = ?1", [id.0])?;
            affinities::forget(tx, id)?;
            one(tx.execute(
                "UPDATE accounts SET removed_at = ?2 WHERE id = ?1 AND removed_at IS NULL",
                params![id.0, Ms(now)],
            )?)
        })
    }

    /// When a window of each live account was opened last.
    pub fn openings(&self) -> Result<Vec<(AccountId, Timestamp)>, StoreError> {
        self.read(|conn| {
            let mut all = conn.prepare_cached(
                "SELECT id, opened_at FROM accounts WHERE removed_at IS NULL AND opened_at IS NOT NULL",
            )?;
            all.query_map([], |row| Ok((AccountId(row.get(0)?), row.get::<_, Ms>(1)?.0)))?
                .map(|row| Ok(row?))
                .collect()
        })
    }

    /// Notes that a window of an account is being opened; returns once it is committed.
    ///
    /// # Errors
    /// `NoSuchAccount` if it has been removed meanwhile.
    pub fn save_opening(&self, id: AccountId, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| {
            one(tx.execute(
                "UPDATE accounts SET opened_at = ?2 WHERE id = ?1 AND removed_at IS NULL",
                params![id.0, Ms(at)],
            )?)
        })
    }

    /// Keeps what verdicts say of an account soon; does not wait, and the latest word wins. Touches
    /// neither its name nor its pause, whatever happened to them in between.
    pub fn save_health(&self, id: AccountId, bench: Option<Bench>, refused: Option<Arc<str>>) {
        self.queue(|batch| {
            batch.lessons.insert(id, Taught { bench, refused });
        });
    }
}

pub(super) fn write(conn: &Connection, waiting: &WaitingLessons) -> rusqlite::Result<()> {
    let mut teach = conn.prepare_cached(TEACH)?;
    for (id, Taught { bench, refused }) in waiting {
        let bench = bench.as_ref();
        teach.execute(params![
            id.0,
            bench.map(|bench| Ms(bench.until)),
            bench.map(|bench| &bench.reason),
            bench.map(|bench| bench.streak),
            refused,
            bench.map(|bench| Ms(bench.since)),
        ])?;
    }
    Ok(())
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId(row.get("id")?),
        name: name(row)?,
        provider: ProviderId(row.get("provider")?),
        base_url: base_url(row)?,
        priority: row.get("priority")?,
        pool: PoolId(row.get("pool_id")?),
        guards: guards(row)?,
        models: models(row)?,
        lacks: lacks(row)?,
        pause: pause(row)?,
        bench: bench(row)?,
        refused: row.get("refused")?,
        paid: row.get_ref("paid")?.as_str_or_null()?.and_then(Paid::of),
        spill: spill(row)?,
        sign_in: sign_in(row)?,
        timed: timed(row)?,
        created_at: row.get::<_, Ms>("created_at")?.0,
    })
}

fn name(row: &Row<'_>) -> rusqlite::Result<AccountName> {
    AccountName::kept(row.get_ref("name")?.as_str()?).map_err(|err| FromSqlError::other(err).into())
}

fn base_url(row: &Row<'_>) -> rusqlite::Result<Option<Url>> {
    let text: Option<String> = row.get("base_url")?;
    text.map(|text| Url::parse(&text).map_err(|err| FromSqlError::other(err).into())).transpose()
}

fn models(row: &Row<'_>) -> rusqlite::Result<ModelMap> {
    let text = row.get_ref("models")?.as_str()?;
    let pairs: HashMap<String, String> = serde_json::from_str(text).map_err(FromSqlError::other)?;
    ModelMap::new(pairs).map_err(|err| FromSqlError::other(err).into())
}

fn models_text(models: &ModelMap) -> String {
    let pairs: HashMap<&str, &str> = models.iter().map(|(asked, sent)| (&**asked, &**sent)).collect();
    serde_json::to_string(&pairs).expect("texts are JSON")
}

/// In the column `spill_to`, each path as the id that it leads to, null for all, and the milliseconds since which it is
/// allowed.
type Paths = Vec<(Option<i64>, i64)>;

fn spill(row: &Row<'_>) -> rusqlite::Result<Option<Spill>> {
    let Some(text) = row.get_ref("spill_to")?.as_str_or_null()? else { return Ok(None) };
    let paths: Paths = serde_json::from_str(text).map_err(FromSqlError::other)?;
    let read = |(to, since): (Option<i64>, i64)| {
        Ok((to.map(AccountId), Timestamp::from_millisecond(since).map_err(FromSqlError::other)?))
    };
    let paths: Vec<(Option<AccountId>, Timestamp)> =
        paths.into_iter().map(read).collect::<rusqlite::Result<_>>()?;
    Ok(Some(Spill {
        all: paths.iter().find(|(to, _)| to.is_none()).map(|(_, since)| *since),
        only: paths.iter().filter_map(|(to, since)| Some(((*to)?, *since))).collect(),
    }))
}

fn spill_text(spill: &Spill) -> String {
    let all = spill.all.map(|since| (None, since.as_millisecond()));
    let only = spill.only.iter().map(|(to, since)| (Some(to.0), since.as_millisecond()));
    let paths: Paths = all.into_iter().chain(only).collect();
    serde_json::to_string(&paths).expect("numbers are JSON")
}

fn sign_in(row: &Row<'_>) -> rusqlite::Result<Option<Arc<SignIn>>> {
    let text = row.get_ref("sign_in")?.as_str_or_null()?;
    Ok(text.map(serde_json::from_str).transpose().map_err(FromSqlError::other)?.map(Arc::new))
}

fn sign_in_text(sign_in: &SignIn) -> String {
    serde_json::to_string(sign_in).expect("texts and addresses are JSON")
}

fn timed(row: &Row<'_>) -> rusqlite::Result<Timed> {
    let text = row.get_ref("timed")?.as_str_or_null()?;
    Ok(text.map(serde_json::from_str).transpose().map_err(FromSqlError::other)?.unwrap_or_default())
}

fn timed_text(timed: &Timed) -> String {
    serde_json::to_string(timed).expect("days and times are JSON")
}

fn lacks(row: &Row<'_>) -> rusqlite::Result<Lacks> {
    let text = row.get_ref("lacks")?.as_str_or_null()?;
    Ok(text.map(serde_json::from_str).transpose().map_err(FromSqlError::other)?.unwrap_or_default())
}

fn lacks_text(lacks: &Lacks) -> String {
    serde_json::to_string(lacks).expect("words are JSON")
}

fn guards(row: &Row<'_>) -> rusqlite::Result<Option<Arc<Guards>>> {
    let text = row.get_ref("guards")?.as_str_or_null()?;
    Ok(text.map(guards::read).transpose()?.map(Arc::new))
}

fn pause(row: &Row<'_>) -> rusqlite::Result<Option<Pause>> {
    let Some(Ms(at)) = row.get("paused_at")? else { return Ok(None) };
    let by = match row.get_ref("paused_by")?.as_str()? {
        "user" => PausedBy::User,
        "page" => PausedBy::Page,
        "program" => PausedBy::Program,
        other if other.starts_with(KEY) => PausedBy::Key(other[KEY.len()..].into()),
        other => return Err(unknown_word(other).into()),
    };
    Ok(Some(Pause { reason: row.get("pause_reason")?, by, at }))
}

fn bench(row: &Row<'_>) -> rusqlite::Result<Option<Bench>> {
    let Some(Ms(until)) = row.get("bench_until")? else { return Ok(None) };
    let since = row.get::<_, Option<Ms>>("bench_since")?.map_or(Timestamp::UNIX_EPOCH, |ms| ms.0);
    Ok(Some(Bench { since, until, reason: row.get("bench_reason")?, streak: row.get("bench_streak")? }))
}

/// In the column `paused_by`, before the name of a client's key.
const KEY: &str = "key ";

fn by_word(by: &PausedBy) -> Cow<'static, str> {
    match by {
        PausedBy::User => "user".into(),
        PausedBy::Page => "page".into(),
        PausedBy::Program => "program".into(),
        PausedBy::Key(name) => format!("{KEY}{name}").into(),
    }
}

fn one(changed: usize) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::NoSuchAccount) } else { Ok(()) }
}

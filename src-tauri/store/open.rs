//! Looks at a database before anything may write to it: newer, damaged and foreign files are refused as
//! they are, byte for byte. Never repairs; moving a damaged one aside is a person's decision.

use std::{
    ffi::OsString,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use url::Url;

use super::schema::{APPLICATION_ID, KNOWN};

/// Why the database was not opened. In every case the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer Headgate wrote it.
    #[error(
        "a newer Headgate wrote this database (version {found}; this one knows {known}): update Headgate, \
         or point it to another data folder"
    )]
    Newer {
        /// The version in the file.
        found: i32,
        /// The newest one that this program can read.
        known: i32,
    },
    /// It is damaged.
    #[error(
        "the database is damaged ({detail}): `headgate serve --repair` moves it aside, whole, and starts a new one"
    )]
    Corrupt {
        /// What we stumbled over.
        detail: String,
    },
    /// The database of some other program.
    #[error("the database belongs to another program: point Headgate to another data folder")]
    NotOurs,
    /// The disk, the folder or the permissions.
    #[error("the database can't be opened")]
    Io(#[from] io::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(err: rusqlite::Error) -> Self {
        match err.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { detail: err.to_string() }
            }
            _ => Self::Io(io::Error::other(err)),
        }
    }
}

/// What stands at the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet, or an empty file that waits for its first page.
    Nothing,
    /// A database that we may open for writing.
    Ours,
}

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// A write-ahead log of this size holds its header and no frame.
const EMPTY_WAL: u64 = 32;
/// Reads something of every table, and the newest end of the large ones: damage there shows at once.
const PROBE: &str = "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM windows),
    (SELECT count(*) FROM meta), (SELECT max(started_at) FROM (SELECT * FROM exchanges ORDER BY id DESC LIMIT 1)),
    (SELECT max(n) FROM (SELECT * FROM attempts ORDER BY exchange_id DESC LIMIT 1))";

/// Judges the file at `path` without changing it or leaving anything beside it.
pub(super) fn look(path: &Path) -> Result<Found, OpenError> {
    let wal_size = size(&beside(path, "-wal"))?.unwrap_or(0);
    let size = size(path)?.unwrap_or(0);
    if size == 0 && wal_size > EMPTY_WAL {
        return Err(OpenError::Corrupt { detail: "the file is empty but its log is not".into() });
    }
    if size == 0 {
        return Ok(Found::Nothing);
    }
    check_magic(path)?;
    if wal_size <= EMPTY_WAL {
        // `immutable` reads the file alone: no lock, no log, nothing left behind.
        return judge(path, "immutable=1");
    }
    // The log may hold a newer first page, so SQLite has to read both. That maps the log in a -shm file.
    let map = beside(path, "-shm");
    let map_was_there = map.exists();
    let verdict = judge(path, "mode=ro");
    if verdict.is_err() && !map_was_there {
        let _ = std::fs::remove_file(map);
    }
    verdict
}

/// Creates the file, and the folders above it, for this user alone.
pub(super) fn create(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    let mut file = OpenOptions::new();
    file.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder.create(parent)?;
    }
    file.open(path).map(drop)
}

/// Moves the database with its log aside, keeping every byte, and says where it is now.
pub(super) fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut target = beside(path, &format!(".damaged-{stamp}"));
    for n in 2.. {
        if !target.exists() {
            break;
        }
        target = beside(path, &format!(".damaged-{stamp}-{n}"));
    }
    // The log goes first: SQLite deletes a log that it finds without its database.
    for part in ["-wal", "-shm", ""] {
        match std::fs::rename(beside(path, part), beside(&target, part)) {
            Err(err) if err.kind() == ErrorKind::NotFound && !part.is_empty() => {}
            done => done?,
        }
    }
    Ok(target)
}

/// Opens `path` and nothing else: a path is never read as a URI.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn judge(path: &Path, how: &str) -> Result<Found, OpenError> {
    let conn = Connection::open_with_flags(
        uri(path, how)?,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    let mark: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match (mark, version) {
        (APPLICATION_ID, found) if found > KNOWN => Err(OpenError::Newer { found, known: KNOWN }),
        // The first start was cut short between the mark and the tables.
        (APPLICATION_ID, 0) => Ok(Found::Ours),
        (APPLICATION_ID, 1..) => Ok(conn.query_row(PROBE, [], |_| Ok(Found::Ours))?),
        _ => Err(OpenError::NotOurs),
    }
}

fn check_magic(path: &Path) -> Result<(), OpenError> {
    let mut head = Vec::with_capacity(MAGIC.len());
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut head)?;
    if head == MAGIC {
        return Ok(());
    }
    Err(OpenError::Corrupt { detail: "it does not begin as a SQLite file does".into() })
}

fn uri(path: &Path, how: &str) -> io::Result<String> {
    let mut uri = Url::from_file_path(std::path::absolute(path)?)
        .map_err(|()| io::Error::new(ErrorKind::InvalidInput, "the database's path is not a file's"))?;
    uri.set_query(Some(how));
    Ok(uri.into())
}

fn size(path: &Path) -> io::Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(found) => Ok(Some(found.len())),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

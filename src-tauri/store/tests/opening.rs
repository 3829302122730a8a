//! What is refused stays as it was; what is ours opens, whatever happened to it before.

use std::fs;

use rusqlite::Connection;

use super::{Folder, add, at, begun, ended, finish};
use crate::{
    domain::{Ending, ExchangeId},
    store::{OpenError, Options, Store, schema::KNOWN},
};

fn open(folder: &Folder) -> Result<Store, OpenError> {
    Store::open(&folder.file(), Options::default())
}

/// A database in which there is something to lose, closed.
fn used(folder: &Folder) {
    let store = folder.open();
    add(&store, "work");
    for id in 1..500 {
        finish(&store, ended(id, Ending::Complete, 1));
    }
    store.close().unwrap();
}

fn assert_refused_untouched(folder: &Folder, expected: fn(&OpenError) -> bool) {
    let (names, bytes) = (folder.names(), fs::read(folder.file()).unwrap());

    let refusal = open(folder).expect_err("it has to be refused");

    assert!(expected(&refusal), "refused for another reason: {refusal:?}");
    assert_eq!(folder.names(), names, "no file may come or go");
    assert!(fs::read(folder.file()).unwrap() == bytes, "not a byte may change");
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_untouched() {
    let folder = Folder::new();
    used(&folder);
    Connection::open(folder.file()).unwrap().pragma_update(None, "user_version", KNOWN + 1).unwrap();

    assert_refused_untouched(
        &folder,
        |err| matches!(err, OpenError::Newer { found, known } if *found == KNOWN + 1 && *known == KNOWN),
    );
}

#[test]
fn a_database_of_the_first_version_is_brought_up_to_date_with_what_is_in_it() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    std::fs::remove_file(folder.file()).unwrap();
    let old = Connection::open(folder.file()).unwrap();
    crate::store::schema::mark_as_ours(&old).unwrap();
    old.execute_batch(include_str!("../migrations/0001_first.sql")).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
        INSERT INTO exchanges (id, started_at, ending, account_id, input, output, stream, request_bytes, method, path)
        VALUES (7, 5, 'complete', 1, 3, NULL, 1, 9, 'POST', '/v1/messages'),
            (8, 3600005, 'complete', 1, 4, 40, 1, 9, 'POST', '/v1/messages'),
            (9, 6, 'client_left', 1, NULL, NULL, 1, 9, 'POST', '/v1/messages'),
            (10, 7, 'complete', 1, 9223372036854775807, 5, 1, 9, 'POST', '/v1/messages');",
    )
    .unwrap();
    drop(old);

    let store = folder.open();
    let kept = store.request(crate::domain::ExchangeId(7)).unwrap().unwrap();
    assert_eq!((kept.usage.input, kept.start.key, kept.cost), (Some(3), None, None));
    assert_eq!(store.keys().unwrap(), []);
    let hour = |hour: i64| super::at(hour * 3_600);
    let spent = |since, until| {
        let period = crate::domain::Period { since: hour(since), until: hour(until) };
        store.spent_by(crate::domain::AccountId(1), period).unwrap()
    };
    assert_eq!((spent(1, 2).tokens, spent(1, 2).unpriced), (44, 1), "what was used before is summed too");
    assert_eq!((spent(0, 1).tokens, spent(0, 1).unpriced), (i64::MAX as u64, 2), "however much was told");
}

#[test]
fn a_newer_version_is_seen_in_the_log_too() {
    let (folder, killed) = (Folder::new(), Folder::new());
    used(&folder);
    let newer = Connection::open(folder.file()).unwrap();
    newer.pragma_update(None, "user_version", KNOWN + 1).unwrap();
    copy_as_killed(&folder, &killed);

    assert_refused_untouched(&killed, |err| matches!(err, OpenError::Newer { .. }));
    assert_eq!(killed.names(), ["headgate.db", "headgate.db-wal"]);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_untouched() {
    let folder = Folder::new();
    fs::write(folder.file(), "these are not the bytes you are looking for").unwrap();

    assert_refused_untouched(&folder, |err| matches!(err, OpenError::Corrupt { .. }));
}

#[test]
fn a_truncated_database_is_refused_and_untouched() {
    let folder = Folder::new();
    used(&folder);
    let file = fs::OpenOptions::new().write(true).open(folder.file()).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();

    assert_refused_untouched(&folder, |err| matches!(err, OpenError::Corrupt { .. }));
}

#[test]
fn a_database_with_a_page_of_rubbish_is_refused_and_untouched() {
    let folder = Folder::new();
    used(&folder);
    let root = root_of(&folder, "accounts");
    let mut bytes = fs::read(folder.file()).unwrap();
    bytes[root..root + PAGE].fill(0xA5);
    fs::write(folder.file(), bytes).unwrap();

    assert_refused_untouched(&folder, |err| matches!(err, OpenError::Corrupt { .. }));
}

#[test]
fn a_database_of_another_program_is_refused_and_untouched() {
    let folder = Folder::new();
    Connection::open(folder.file()).unwrap().execute_batch("CREATE TABLE cookies (host TEXT)").unwrap();

    assert_refused_untouched(&folder, |err| matches!(err, OpenError::NotOurs));
}

#[test]
fn an_empty_file_with_a_full_log_is_not_taken_for_a_new_start() {
    let (folder, killed) = (Folder::new(), Folder::new());
    let store = folder.open();
    add(&store, "work");
    copy_as_killed(&folder, &killed);
    fs::write(killed.file(), "").unwrap();

    assert_refused_untouched(&killed, |err| matches!(err, OpenError::Corrupt { .. }));
}

#[test]
fn a_damaged_database_is_set_aside_with_every_byte() {
    let folder = Folder::new();
    fs::write(folder.file(), "damaged").unwrap();
    fs::write(folder.file().with_extension("db-wal"), "its log").unwrap();

    let aside = Store::set_aside(&folder.file(), at(1_763_937_480)).unwrap();

    assert_eq!(aside.file_name().unwrap(), "headgate.db.damaged-20251123T223800Z");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "damaged");
    let log = aside.with_file_name("headgate.db.damaged-20251123T223800Z-wal");
    assert_eq!(fs::read_to_string(log).unwrap(), "its log");
    assert!(open(&folder).is_ok(), "its place is free");
}

#[test]
fn setting_aside_twice_in_a_second_overwrites_nothing() {
    let folder = Folder::new();
    let aside = ["first", "second"].map(|bytes| {
        fs::write(folder.file(), bytes).unwrap();
        Store::set_aside(&folder.file(), at(0)).unwrap()
    });

    assert_eq!(aside.map(|path| fs::read_to_string(path).unwrap()), ["first", "second"]);
}

#[test]
fn a_start_cut_short_before_its_tables_is_taken_up_again() {
    let folder = Folder::new();
    crate::store::schema::mark_as_ours(&Connection::open(folder.file()).unwrap()).unwrap();

    assert_eq!(open(&folder).unwrap().accounts().unwrap(), []);
}

#[cfg(unix)]
#[test]
fn a_new_database_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.file().with_file_name("new").join("headgate.db");

    let store = Store::open(&path, Options::default()).unwrap();
    add(&store, "work");

    let mode = |name: &str| fs::metadata(path.with_file_name(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("headgate.db"), mode("headgate.db-wal"), mode(".")], [0o600, 0o600, 0o700]);
}

#[test]
fn a_path_with_the_marks_of_a_uri_is_just_a_path() {
    let folder = Folder::new();
    let path = folder.file().with_file_name("a b?c#d%41.db");

    Store::open(&path, Options::default()).unwrap().close().unwrap();

    assert!(Store::open(&path, Options::default()).is_ok(), "it is found again");
    assert!(path.exists());
}

#[test]
fn s06_what_was_committed_survives_a_kill_and_what_was_open_is_interrupted() {
    let (folder, killed) = (Folder::new(), Folder::new());
    let store = folder.open();
    finish(&store, ended(1, Ending::Complete, 1));
    store.begin(begun(2));
    store.flush().unwrap();
    copy_as_killed(&folder, &killed);

    let next = killed.open();

    assert_eq!(next.interrupt_open().unwrap(), 1);
    let endings: Vec<_> =
        [2, 1].map(|id| next.request(ExchangeId(id)).unwrap().unwrap().ending).into_iter().collect();
    assert_eq!(endings, [Some(Ending::Interrupted), Some(Ending::Complete)]);
    assert_eq!(next.interrupt_open().unwrap(), 0, "an ending is given once");
}

#[test]
fn s06_a_log_torn_off_anywhere_loses_its_end_and_nothing_else() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 1..40 {
        finish(&store, ended(id, Ending::Complete, 1));
        store.flush().unwrap();
    }
    let log = fs::read(folder.file().with_extension("db-wal")).unwrap();
    let mut last_count = 0;
    for keep in (0..=log.len()).step_by(log.len() / 23) {
        let torn = Folder::new();
        fs::copy(folder.file(), torn.file()).unwrap();
        fs::write(torn.file().with_extension("db-wal"), &log[..keep]).unwrap();
        // Before the first commit is whole there is no table yet, and the start is taken up again.
        let found = torn.open().totals_since(ExchangeId(0)).unwrap().requests;
        assert!(found >= last_count, "more of the log can't mean fewer records");
        last_count = found;
    }
    assert!(last_count > 30, "nearly the whole log was read in the last round: {last_count}");
}

#[test]
fn s22_damage_deep_in_history_is_found_by_the_integrity_check_and_not_by_the_start() {
    let folder = Folder::new();
    used(&folder);
    assert_eq!(folder.open().integrity(|| false).unwrap(), [] as [&str; 0]);
    let mut bytes = fs::read(folder.file()).unwrap();
    let leaf = third_child_of(&bytes, root_of(&folder, "exchanges"));
    bytes[leaf..leaf + PAGE].fill(0xA5);
    fs::write(folder.file(), bytes).unwrap();

    let store = open(&folder).expect("the start does not read all of history");

    assert_ne!(store.integrity(|| false).unwrap(), [] as [&str; 0], "the check has something to say");
}

const PAGE: usize = 4096;

/// Where the root page of a table begins in the file.
fn root_of(folder: &Folder, table: &str) -> usize {
    let find = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: i64 =
        Connection::open(folder.file()).unwrap().query_row(find, [table], |row| row.get(0)).unwrap();
    (usize::try_from(page).unwrap() - 1) * PAGE
}

/// Where the third child of an interior page begins: cells start with their child's number.
fn third_child_of(bytes: &[u8], page: usize) -> usize {
    assert_eq!(bytes[page], 5, "the table has outgrown one page");
    let cell = page + usize::from(u16::from_be_bytes([bytes[page + 16], bytes[page + 17]]));
    (u32::from_be_bytes(bytes[cell..cell + 4].try_into().unwrap()) as usize - 1) * PAGE
}

/// What a `kill -9` leaves: the file and its log as they are at this moment.
fn copy_as_killed(from: &Folder, to: &Folder) {
    fs::copy(from.file(), to.file()).unwrap();
    fs::copy(from.file().with_extension("db-wal"), to.file().with_extension("db-wal")).unwrap();
}

-- Times are milliseconds since 1970, durations microseconds. NULL is "unknown", never zero.

CREATE TABLE accounts (
    -- AUTOINCREMENT: the id of a removed account is never given again.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL,
    -- The name in lower case, by Unicode's rules; NOCASE knows ASCII alone.
    folded       TEXT NOT NULL,
    provider     TEXT NOT NULL,
    base_url     TEXT,
    priority     INTEGER NOT NULL,
    pause_reason TEXT,
    paused_by    TEXT,
    paused_at    INTEGER,
    bench_until  INTEGER,
    bench_reason TEXT,
    bench_streak INTEGER,
    refused      TEXT,
    created_at   INTEGER NOT NULL,
    -- Removal keeps the row, so that history keeps the name.
    removed_at   INTEGER
) STRICT;

CREATE UNIQUE INDEX accounts_name ON accounts (folded) WHERE removed_at IS NULL;

CREATE TABLE windows (
    account_id  INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    utilization REAL,
    resets_at   INTEGER,
    spent       INTEGER NOT NULL,
    source      TEXT NOT NULL,
    learned_at  INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE exchanges (
    -- An ExchangeId, which sorts by time: the newest row is the last one, and time needs no index.
    id            INTEGER PRIMARY KEY,
    started_at    INTEGER NOT NULL,
    -- NULL while it runs.
    ending        TEXT,
    status        INTEGER,
    -- No foreign key: accounts are never deleted, and the check would cost every row a lookup.
    account_id    INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0,
    input         INTEGER,
    output        INTEGER,
    cache_read    INTEGER,
    cache_write   INTEGER,
    first_byte_us INTEGER,
    duration_us   INTEGER,
    stream        INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    method        TEXT NOT NULL,
    path          TEXT NOT NULL,
    model         TEXT,
    served_model  TEXT,
    session       TEXT,
    agent         TEXT,
    client        TEXT,
    error         TEXT
) STRICT;

-- Each index ends in the rowid, which is the id, so each is already sorted by time.
CREATE INDEX exchanges_running ON exchanges (id) WHERE ending IS NULL;
CREATE INDEX exchanges_account ON exchanges (account_id) WHERE account_id IS NOT NULL;
-- The rare endings. Complete ones are so many that reading backwards by id finds them sooner.
CREATE INDEX exchanges_troubled ON exchanges (ending) WHERE ending <> 'complete';

CREATE TABLE attempts (
    exchange_id INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL,
    account_id  INTEGER NOT NULL,
    status      INTEGER,
    verdict     TEXT NOT NULL,
    error       TEXT,
    began_us    INTEGER NOT NULL,
    took_us     INTEGER NOT NULL,
    PRIMARY KEY (exchange_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

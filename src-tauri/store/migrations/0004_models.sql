-- What each account's own upstream said of its models; only the latest word is kept.
CREATE TABLE models (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- Its place in the upstream's list.
    n          INTEGER NOT NULL,
    id         TEXT NOT NULL,
    title      TEXT,
    context    INTEGER,
    told_at    INTEGER NOT NULL,
    PRIMARY KEY (account_id, n)
) STRICT, WITHOUT ROWID;

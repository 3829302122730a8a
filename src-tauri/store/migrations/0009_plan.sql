-- What a person has decided about who serves whom. Ids are AUTOINCREMENT, so that what points at something that
-- was removed never points at something else.
CREATE TABLE pools (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    -- The name in lower case, by Unicode's rules.
    folded     TEXT NOT NULL UNIQUE,
    policy     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- The pool that is always there.
INSERT INTO pools (id, name, folded, policy, created_at) VALUES (1, 'main', 'main', 'priority', 0);

CREATE TABLE routes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL,
    folded        TEXT NOT NULL UNIQUE,
    enabled       INTEGER NOT NULL,
    -- A family's word, a model's id, or the beginning of one with `*` behind it.
    models        TEXT NOT NULL,
    -- A JSON list of objects: `account` or `pool`, and `model`. They may point at nothing.
    slots         TEXT NOT NULL,
    falls_through INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE bindings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What the subject is: a key, directory, project, agent_type or role.
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    -- No foreign key: it may point at nothing.
    pool_id    INTEGER NOT NULL,
    strict     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (kind, subject)
) STRICT;

ALTER TABLE accounts ADD COLUMN pool_id INTEGER NOT NULL DEFAULT 1;
-- A JSON object of reserves, caps and peaks. NULL: nothing is kept back.
ALTER TABLE accounts ADD COLUMN guards TEXT;
-- A JSON list, as `accounts`.
ALTER TABLE keys ADD COLUMN pools TEXT;

-- All that an account's caps need, so that a month of it is read from here alone. Sorted by id as before: pages of
-- requests are, too.
DROP INDEX exchanges_account;
CREATE INDEX exchanges_account
    ON exchanges (account_id, id, started_at, input, output, cache_read, cache_write, cost_micros)
    WHERE account_id IS NOT NULL;

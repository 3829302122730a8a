-- What a client says of its request beside the request itself; see `Ask`.
ALTER TABLE exchanges ADD COLUMN role TEXT;
ALTER TABLE exchanges ADD COLUMN agent_type TEXT;
ALTER TABLE exchanges ADD COLUMN project TEXT;

-- Why a request went where it went. No foreign key: it would cost every row a lookup.
ALTER TABLE exchanges ADD COLUMN decision_id INTEGER;

-- A decision as JSON, once for all requests that were decided so.
CREATE TABLE decisions (
    -- The beginning of the record's SHA-256, so that who writes it needs to ask nobody for its id.
    id      INTEGER PRIMARY KEY,
    record  TEXT NOT NULL,
    -- When a request was last decided so, to the hour: what is older than the oldest request may go.
    last_at INTEGER NOT NULL
) STRICT;

-- How often a request was kept from a path to money that nobody had allowed.
CREATE TABLE prevented (
    -- The first moment of the day, in UTC.
    day      INTEGER NOT NULL,
    from_id  INTEGER NOT NULL,
    to_id    INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (day, from_id, to_id)
) STRICT, WITHOUT ROWID;

-- Where conversations are bound to, so that a restart leaves them where their prompts are cached.
CREATE TABLE affinities (
    -- Grows with each row that is kept, so that the oldest ones are known and can go.
    n            INTEGER PRIMARY KEY,
    session      TEXT NOT NULL,
    -- The agent; empty for the session itself.
    agent        TEXT NOT NULL,
    account_id   INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    last_used    INTEGER NOT NULL,
    -- Tokens in the cache; NULL until an answer has told.
    prefix       INTEGER,
    family       TEXT,
    warm_until   INTEGER NOT NULL,
    refuge_id    INTEGER,
    refuge_until INTEGER
) STRICT;

CREATE UNIQUE INDEX affinities_of ON affinities (session, agent);

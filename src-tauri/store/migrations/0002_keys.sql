-- Clients' keys. The secret is not here, only its SHA-256 and the few characters that a person knows it by.
CREATE TABLE keys (
    -- AUTOINCREMENT: history names a key by its id for ever.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL,
    -- The name in lower case, by Unicode's rules.
    folded       TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    digest       BLOB NOT NULL,
    -- Words with a blank between them.
    scopes       TEXT NOT NULL,
    enabled      INTEGER NOT NULL,
    expires_at   INTEGER,
    -- JSON lists; NULL is "any", an empty list is "none".
    accounts     TEXT,
    models       TEXT,
    per_minute   INTEGER,
    day_tokens   INTEGER,
    day_micros   INTEGER,
    month_tokens INTEGER,
    month_micros INTEGER,
    created_at   INTEGER NOT NULL,
    rotated_at   INTEGER,
    -- A revoked key keeps its row, so that history keeps its name.
    revoked_at   INTEGER
) STRICT;

CREATE UNIQUE INDEX keys_name ON keys (folded) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX keys_digest ON keys (digest);

-- No foreign key, as for accounts: keys are never deleted.
ALTER TABLE exchanges ADD COLUMN key_id INTEGER;
-- Millionths of a US dollar by the public price list.
ALTER TABLE exchanges ADD COLUMN cost_micros INTEGER;
-- As much of cache_write as is kept for an hour.
ALTER TABLE exchanges ADD COLUMN cache_write_1h INTEGER;

-- All that a budget's sum needs, so that a month of it is read from here alone.
CREATE INDEX exchanges_key ON exchanges (key_id, id, input, output, cache_read, cache_write, cost_micros)
    WHERE key_id IS NOT NULL;

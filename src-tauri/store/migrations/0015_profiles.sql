-- Folders in which Claude Code keeps a sign-in each, and what its traffic last told of that sign-in's limits, as JSON.
-- No sign-in and no digest of one is here. `folded` is the name without regard to case.
CREATE TABLE profiles (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    folded TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL UNIQUE,
    is_ours INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    windows TEXT,
    seen_at INTEGER
) STRICT;

-- What Headgate does by itself: when each job ran last, so that a daily one does not run at each start.
CREATE TABLE jobs (
    id       TEXT PRIMARY KEY,
    -- From when its next run is reckoned: its last one, or when it was known first.
    since    INTEGER NOT NULL,
    -- The last run. NULL: there was none.
    began_at INTEGER,
    took_us  INTEGER,
    -- NULL while it runs: what stands so at a start, we died in.
    outcome  TEXT,
    -- What it did or why it did not, in a sentence.
    says     TEXT
) STRICT, WITHOUT ROWID;

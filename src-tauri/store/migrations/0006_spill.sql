-- Where requests that came with a sign-in may move on to: `all`, or a JSON list of account ids; and since when.
-- NULL: nowhere.
ALTER TABLE accounts ADD COLUMN spill_to TEXT;
ALTER TABLE accounts ADD COLUMN spill_at INTEGER;

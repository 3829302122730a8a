-- What Headgate may do with an account by itself, as JSON. NULL: nothing.
ALTER TABLE accounts ADD COLUMN timed TEXT;
-- When a usage window of it was opened last, or that was tried: known before anything is sent. NULL: never.
ALTER TABLE accounts ADD COLUMN opened_at INTEGER;

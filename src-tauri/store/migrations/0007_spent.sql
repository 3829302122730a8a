-- A budget's sum goes by when an exchange began. Ids never go back, so those that a clock made ahead of its time
-- would be followed by others of the wrong day.
DROP INDEX exchanges_key;
CREATE INDEX exchanges_key
    ON exchanges (key_id, started_at, input, output, cache_read, cache_write, cost_micros)
    WHERE key_id IS NOT NULL;

-- The last run of a job that somebody should know of stays when a later one goes well. NULL: there was none.
ALTER TABLE jobs ADD COLUMN trouble_began_at INTEGER;
-- NULL where we died in it.
ALTER TABLE jobs ADD COLUMN trouble_took_us INTEGER;
ALTER TABLE jobs ADD COLUMN trouble_outcome TEXT;
ALTER TABLE jobs ADD COLUMN trouble_says TEXT;

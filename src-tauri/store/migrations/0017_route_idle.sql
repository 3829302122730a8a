-- How many seconds an answer that comes by this route may be silent. NULL: as long as any other.
ALTER TABLE routes ADD COLUMN idle_seconds INTEGER;

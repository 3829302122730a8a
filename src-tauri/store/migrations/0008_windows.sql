-- Which requests a window limits: `messages`, `counts`, or `none`: those beyond it are served otherwise.
ALTER TABLE windows ADD COLUMN limits TEXT NOT NULL DEFAULT 'messages';
-- 1: it fills up again all the time, and resets_at is when it is full.
ALTER TABLE windows ADD COLUMN refills INTEGER NOT NULL DEFAULT 0;
-- Where it is spent and nobody said until when: when it is tried again, and how many times in a row it was.
ALTER TABLE windows ADD COLUMN again_at INTEGER;
ALTER TABLE windows ADD COLUMN again_streak INTEGER;

-- Since when a bench holds. NULL in what was written before this was known.
ALTER TABLE accounts ADD COLUMN bench_since INTEGER;

-- An API key's buckets are told by class of model now, under other names; what they said is over within minutes.
DELETE FROM windows WHERE name IN ('requests', 'tokens', 'input-tokens', 'output-tokens');

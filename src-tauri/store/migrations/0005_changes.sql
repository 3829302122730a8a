-- Model names that an account's upstream knows by another name: a JSON object, asked to sent.
ALTER TABLE accounts ADD COLUMN models TEXT NOT NULL DEFAULT '{}';

-- What was changed on the way, a JSON array of sentences. NULL: nothing, every byte passed as it came.
ALTER TABLE exchanges ADD COLUMN changes TEXT;

-- Why an account's sign-in could not be renewed the last time. Gone once it could.
CREATE TABLE renewals (
    account_id INTEGER PRIMARY KEY,
    -- When the tokens were given that this is about: of others it says nothing.
    tokens_at  INTEGER NOT NULL,
    -- In a row.
    failures   INTEGER NOT NULL,
    why        TEXT NOT NULL,
    failed_at  INTEGER NOT NULL,
    -- It is not tried before.
    again_at   INTEGER NOT NULL,
    -- What only a person can mend: `sign_in` or `client`. NULL: it is tried again.
    needs      TEXT
) STRICT;

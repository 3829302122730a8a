-- What exchanges used, by the hour that they began in, the account that served them (0: none) and the key that they
-- came with (0: none). Written with them, so that caps and budgets are summed from a few rows, and no row of
-- `exchanges` has to stand in an index with all of its tokens.
CREATE TABLE spent (
    -- Its first moment.
    hour       INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    micros     INTEGER NOT NULL,
    -- Exchanges that used tokens at a price that nobody knows.
    unpriced   INTEGER NOT NULL,
    PRIMARY KEY (hour, account_id, key_id)
) STRICT, WITHOUT ROWID;

-- As floats, since an integer sum that overflows is an error and upstreams may say any number.
INSERT INTO spent
    SELECT started_at / 3600000 * 3600000, coalesce(account_id, 0), coalesce(key_id, 0),
        CAST(sum(coalesce(input, 0) * 1.0 + coalesce(output, 0) + coalesce(cache_read, 0) + coalesce(cache_write, 0))
            AS INTEGER),
        CAST(coalesce(sum(cost_micros * 1.0), 0) AS INTEGER),
        count(*) FILTER (WHERE cost_micros IS NULL AND coalesce(input, output, cache_read, cache_write) > 0)
    FROM exchanges
    WHERE cost_micros IS NOT NULL OR coalesce(input, output, cache_read, cache_write) IS NOT NULL
    GROUP BY 1, 2, 3;

DROP INDEX exchanges_key;
DROP INDEX exchanges_account;
CREATE INDEX exchanges_account ON exchanges (account_id) WHERE account_id IS NOT NULL;

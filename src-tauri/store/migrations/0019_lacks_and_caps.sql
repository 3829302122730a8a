-- What a person says that an account does not take (images, tools, beta features), as one JSON object; NULL is nothing.
ALTER TABLE accounts ADD COLUMN lacks TEXT;

-- What exchanges of unknown price would cost at the dearest price of their family, which caps in money count.
ALTER TABLE spent ADD COLUMN at_most INTEGER NOT NULL DEFAULT 0;

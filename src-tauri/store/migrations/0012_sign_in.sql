-- How an account was signed in, as JSON without a secret: definition, client id, issuer, tenant, scopes. NULL for one
-- with a plain key.
ALTER TABLE accounts ADD COLUMN sign_in TEXT;

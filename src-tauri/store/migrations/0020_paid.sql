-- How the use of an account is paid, as a person says: `plan`, `use`, or NULL, as it shows by itself.
ALTER TABLE accounts ADD COLUMN paid TEXT;
-- Each path has its own date: `[[id, milliseconds], …]`, where an id of null is every account.
UPDATE accounts SET spill_to = CASE spill_to
    WHEN 'all' THEN json_array(json_array(NULL, spill_at))
    ELSE (SELECT json_group_array(json_array(value, spill_at)) FROM json_each(spill_to))
END
WHERE spill_to IS NOT NULL;
ALTER TABLE accounts DROP COLUMN spill_at;

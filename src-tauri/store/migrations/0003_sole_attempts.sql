-- A request that one account answered at once is the rule. Its only attempt stands in its own row, which
-- halves what a request costs to write; NULL where the attempts have rows of their own.
ALTER TABLE exchanges ADD COLUMN began_us INTEGER;
ALTER TABLE exchanges ADD COLUMN took_us INTEGER;

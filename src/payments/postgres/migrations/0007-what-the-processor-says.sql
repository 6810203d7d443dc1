-- The processor's own name for an authorization, which later effects name, and
-- what it says of each effect as evidence. Empty and NULL where it says nothing,
-- and in what older builds wrote.
ALTER TABLE payments ADD COLUMN processor_reference text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN processor_reference text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN evidence jsonb;

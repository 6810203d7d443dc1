-- NOT VALID: what is there already keeps the older, stricter constraints.

-- The request that it began for, which alone may go on with it. NULL in what
-- older builds began.
ALTER TABLE operations
  ADD COLUMN fingerprint_version smallint,
  ADD COLUMN fingerprint bytea,
  ADD COLUMN raw_hash bytea,
  DROP CONSTRAINT operations_state_check,
  DROP CONSTRAINT operations_check,
  ADD CONSTRAINT operations_state_check
    CHECK (state IN ('pending', 'unknown', 'approved', 'declined', 'not_executed')) NOT VALID,
  ADD CONSTRAINT operations_finish_check
    CHECK ((finish_time IS NOT NULL) = (state IN ('approved', 'declined', 'not_executed')))
    NOT VALID;

-- A new constraint reads the whole table; NOT VALID leaves that out, and what
-- is there already keeps the old, stricter ones.
ALTER TABLE idempotency_records
  DROP CONSTRAINT idempotency_records_state_check,
  ADD CONSTRAINT idempotency_records_state_check
    CHECK (state IN ('executing', 'held', 'released', 'completed', 'expired')) NOT VALID;

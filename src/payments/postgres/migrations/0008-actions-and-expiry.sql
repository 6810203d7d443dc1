-- What the customer has to do, as JSON, or empty; when the acquirer gives up what
-- is reserved; when to look next what became of it.
ALTER TABLE payments
  ADD COLUMN next_action text NOT NULL DEFAULT '',
  ADD COLUMN authorization_expire_time timestamptz,
  ADD COLUMN look_time timestamptz,
  DROP CONSTRAINT payments_status_check,
  ADD CONSTRAINT payments_status_check
    CHECK (status IN ('PROCESSING', 'AUTHORIZED', 'PARTIALLY_CAPTURED', 'CAPTURED', 'DECLINED',
      'CANCELED', 'UNKNOWN', 'REQUIRES_ACTION')) NOT VALID;
ALTER TABLE operations
  DROP CONSTRAINT operations_state_check,
  ADD CONSTRAINT operations_state_check
    CHECK (state IN ('pending', 'unknown', 'requires_action', 'approved', 'declined',
      'not_executed')) NOT VALID;

-- Outside a transaction: each index is built beside calls that go on.

-- In other collations than the keys, so that no look-up by a key can choose
-- them: see the indexes of payments.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idempotency_records_of_tenant
  ON idempotency_records (tenant COLLATE "C", create_time, scope_hash);
DROP INDEX CONCURRENTLY IF EXISTS idempotency_records_newest;

-- The states that no usual call passes through: its records are never in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idempotency_records_of_state
  ON idempotency_records (tenant COLLATE "POSIX", state, create_time, scope_hash)
  WHERE state IN ('held', 'released', 'expired');

CREATE INDEX CONCURRENTLY IF NOT EXISTS idempotency_events_of_record
  ON idempotency_events (tenant COLLATE "C", scope_hash, id);

-- Outside a transaction: each index is built beside payments that go on. Both
-- hold only what is waiting, so a payment that never waits costs them nothing.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_to_look_at
  ON payments (look_time) WHERE look_time IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS operations_in_action
  ON operations (tenant, payment_id) WHERE state = 'requires_action';

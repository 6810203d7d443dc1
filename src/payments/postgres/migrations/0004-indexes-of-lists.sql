-- Outside a transaction: each index is built beside payments that go on.

-- An index serves a comparison of its own collation only. Rows are looked up by
-- their keys in the default one, lists are read in "C" and, where a column
-- narrows them, in "POSIX". So a look-up has one index to choose, its key, and a
-- list has one: whatever Postgres knows of the tables, or believes to know.
-- Equality, and with it what is unique, is the same in all three.

CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_newest
  ON payments (tenant COLLATE "C", create_time, sequence);
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_of_status
  ON payments (tenant COLLATE "POSIX", status, create_time, sequence);
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_of_reference
  ON payments (tenant COLLATE "POSIX", merchant_reference, create_time, sequence)
  WHERE merchant_reference <> '';
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_of_amount
  ON payments (tenant COLLATE "POSIX", currency_code, amount, create_time, sequence);
DROP INDEX CONCURRENTLY IF EXISTS payments_tenant_sequence_idx;
DROP INDEX CONCURRENTLY IF EXISTS payments_tenant_merchant_reference_sequence_idx;

CREATE INDEX CONCURRENTLY IF NOT EXISTS refunds_newest
  ON operations (tenant COLLATE "C", begin_time, id) WHERE kind = 'refund';
CREATE INDEX CONCURRENTLY IF NOT EXISTS refunds_of_payment
  ON operations (tenant COLLATE "POSIX", payment_id, begin_time, id) WHERE kind = 'refund';
CREATE INDEX CONCURRENTLY IF NOT EXISTS refunds_of_state
  ON operations (tenant COLLATE "POSIX", state, begin_time, id) WHERE kind = 'refund';

-- An operation books once.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ledger_entries_of_payment
  ON ledger_entries (tenant COLLATE "C", payment_id, transaction_id, account);
ALTER TABLE ledger_entries
  DROP CONSTRAINT IF EXISTS ledger_entries_tenant_payment_id_transaction_id_account_key;

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS payment_events_of_payment
  ON payment_events (tenant COLLATE "C", payment_id, version);
ALTER TABLE payment_events
  DROP CONSTRAINT IF EXISTS payment_events_tenant_payment_id_version_key;

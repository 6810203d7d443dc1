-- The rows that a payment leaves, written by one statement.
\set n random(1, 9000000000000000000)
WITH payment AS (
  INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
    merchant_reference, description, metadata, status, version, authorized, captured, capturing,
    refunded, refunding, canceling, decline_code)
  VALUES ('default', 'pay_' || md5(:n::text) || '01234567', 'EUR', 1999, 'tok_visa', 'AUTOMATIC',
    'order-4711', '', '{}', 'CAPTURED', 2, 1999, 1999, 0, 0, 0, false, '')
), operation AS (
  INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units, currency_code,
    state, finish_time)
  VALUES ('default', 'op_' || md5(:n::text) || '01234567', 'pk_' || md5(:n::text) || '01234567',
    'pay_' || md5(:n::text) || '01234567', 'create', 1999, 'EUR', 'approved',
    statement_timestamp())
), events AS (
  INSERT INTO payment_events (tenant, payment_id, version, payment)
  VALUES
    ('default', 'pay_' || md5(:n::text) || '01234567', 1, decode(repeat('ab', 140), 'hex')),
    ('default', 'pay_' || md5(:n::text) || '01234567', 2, decode(repeat('ab', 150), 'hex'))
), entries AS (
  INSERT INTO ledger_entries (tenant, transaction_id, payment_id, currency_code, account,
    minor_units)
  VALUES
    ('default', 'op_' || md5(:n::text) || '01234567', 'pay_' || md5(:n::text) || '01234567', 'EUR',
     'processor_receivable', 1999),
    ('default', 'op_' || md5(:n::text) || '01234567', 'pay_' || md5(:n::text) || '01234567', 'EUR',
     'merchant_payable', -1999)
)
INSERT INTO idempotency_records (tenant, scope_hash, operation, idempotency_key, state,
  fingerprint_version, fingerprint, raw_hash, fencing_token, claim_id, attempts, on_lost_owner,
  lease_until, complete_time, expire_time, outcome)
VALUES ('default', sha256(int8send(:n::bigint)), 'payonce.payments.v1.PaymentService/CreatePayment',
  'bench-' || :n::text, 'completed', 1, sha256('canonical'), sha256('raw'),
  nextval('idempotency_fencing_tokens'), gen_random_uuid(), 1, 'rerun',
  clock_timestamp() + interval '15 seconds', clock_timestamp(),
  clock_timestamp() + interval '30 days', decode(repeat('ab', 170), 'hex'));

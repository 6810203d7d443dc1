-- What a payment writes, statement by statement, in one transaction.
\set n random(1, 9000000000000000000)
BEGIN;
INSERT INTO idempotency_records (tenant, scope_hash, operation, idempotency_key, state,
  fingerprint_version, fingerprint, raw_hash, fencing_token, claim_id, attempts, on_lost_owner,
  lease_until, request)
VALUES ('default', sha256(int8send(:n::bigint)), 'payonce.payments.v1.PaymentService/CreatePayment',
  'bench-' || :n::text, 'executing', 1, sha256('canonical'), sha256('raw'),
  nextval('idempotency_fencing_tokens'), gen_random_uuid(), 1, 'rerun',
  clock_timestamp() + interval '15 seconds', decode(repeat('ab', 60), 'hex'));
INSERT INTO payments (tenant, id, currency_code, amount, payment_method, capture_method,
  merchant_reference, description, metadata, status, version, authorized, captured, capturing,
  refunded, refunding, canceling, decline_code)
VALUES ('default', 'pay_' || md5(:n::text) || '01234567', 'EUR', 1999, 'tok_visa', 'AUTOMATIC',
  'order-4711', '', '{}', 'PROCESSING', 1, 0, 0, 0, 0, 0, false, '');
INSERT INTO payment_events (tenant, payment_id, version, payment)
VALUES ('default', 'pay_' || md5(:n::text) || '01234567', 1, decode(repeat('ab', 140), 'hex'));
INSERT INTO operations (tenant, id, processor_key, payment_id, kind, minor_units, currency_code)
VALUES ('default', 'op_' || md5(:n::text) || '01234567', 'pk_' || md5(:n::text) || '01234567',
  'pay_' || md5(:n::text) || '01234567', 'create', 1999, 'EUR');
UPDATE operations SET state = 'approved', finish_time = statement_timestamp()
WHERE tenant = 'default' AND id = 'op_' || md5(:n::text) || '01234567';
UPDATE payments SET status = 'CAPTURED', version = 2, authorized = 1999, captured = 1999,
  update_time = statement_timestamp()
WHERE tenant = 'default' AND id = 'pay_' || md5(:n::text) || '01234567';
INSERT INTO payment_events (tenant, payment_id, version, payment)
VALUES ('default', 'pay_' || md5(:n::text) || '01234567', 2, decode(repeat('ab', 150), 'hex'));
INSERT INTO ledger_entries (tenant, transaction_id, payment_id, currency_code, account, minor_units)
VALUES
  ('default', 'op_' || md5(:n::text) || '01234567', 'pay_' || md5(:n::text) || '01234567', 'EUR',
   'processor_receivable', 1999),
  ('default', 'op_' || md5(:n::text) || '01234567', 'pay_' || md5(:n::text) || '01234567', 'EUR',
   'merchant_payable', -1999);
UPDATE idempotency_records SET state = 'completed', outcome = decode(repeat('ab', 170), 'hex'),
  request = NULL, unknown_reason = NULL, complete_time = clock_timestamp(),
  expire_time = clock_timestamp() + interval '30 days'
WHERE tenant = 'default' AND scope_hash = sha256(int8send(:n::bigint));
COMMIT;

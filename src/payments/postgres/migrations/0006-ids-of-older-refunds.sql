-- Outside a transaction: it reads all records, and locks refunds that have ended.

-- See refundIdOf: a hash of the purpose and of the scope, each part after its length.
UPDATE operations AS o SET refund_id = ids.refund_id
FROM (
  SELECT tenant,
    'op_' || left(encode(sha256('\x00000010'::bytea || 'payonce.id.op.v1'::bytea || scope), 'hex'), 40) AS id,
    'ref_' || left(encode(sha256('\x00000011'::bytea || 'payonce.id.ref.v1'::bytea || scope), 'hex'), 40) AS refund_id
  FROM (
    SELECT tenant,
      int4send(octet_length(convert_to(tenant, 'UTF8'))) || convert_to(tenant, 'UTF8')
      || int4send(octet_length(operation)) || convert_to(operation, 'UTF8')
      || int4send(octet_length(idempotency_key)) || convert_to(idempotency_key, 'UTF8') AS scope
    FROM idempotency_records
    WHERE operation = 'payonce.payments.v1.PaymentService/RefundPayment'
      AND idempotency_key IS NOT NULL
  ) AS scopes
) AS ids
WHERE o.tenant = ids.tenant AND o.id = ids.id AND o.finish_time IS NOT NULL AND o.refund_id IS NULL;

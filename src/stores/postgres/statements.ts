// The statements of the store of record. Every one names its row by (tenant,
// scope_hash); those of an owner add the fencing token, and change nothing
// where another owner has the record. clock_timestamp() is the time at which
// a row is looked at, also after a wait for its lock; now() would be older.

const OWNED = "tenant = $1 AND scope_hash = $2 AND fencing_token = $3";

/** A record whose owner is gone and whose handler must not be repeated counts as held. */
export const IS_HELD = `(state = 'held' OR
  (state = 'executing' AND on_lost_owner = 'hold' AND lease_until < clock_timestamp()))`;

export interface ClaimRow {
  readonly owned: boolean;
  readonly fencing_token: string;
  readonly attempts: number;
  readonly same_request: boolean;
  readonly expired: boolean;
  readonly held: boolean;
  readonly outcome: Buffer | null;
  readonly elapsed_ms: number;
  readonly lease_remaining_ms: number;
}

/**
 * Inserts the record, or takes it over past its lease, or reads what stands in
 * the way. No row at all: another's insert was not committed yet when the
 * statement began; it has to be asked again and never counts as claimed.
 */
export const CLAIM = {
  name: "idempotency_claim",
  text: `
WITH inserted AS (
  INSERT INTO idempotency_records (
    tenant, scope_hash, operation, idempotency_key, state, fingerprint_version, fingerprint,
    raw_hash, fencing_token, claim_id, attempts, on_lost_owner, lease_until, request)
  SELECT $1, $2, $3, $4, 'executing', $5, $6,
    $7, nextval('idempotency_fencing_tokens'), $8, 1, $9,
    clock_timestamp() + $10 * interval '1 millisecond', $11
  -- An insert would wait for a transaction that is just completing the record.
  WHERE NOT EXISTS (SELECT FROM idempotency_records WHERE tenant = $1 AND scope_hash = $2)
  ON CONFLICT (tenant, scope_hash) DO NOTHING
  RETURNING fencing_token, attempts
), lost AS (
  -- One that its owner's transaction holds is not lost: nobody waits for that to end.
  SELECT FROM idempotency_records
  WHERE tenant = $1 AND scope_hash = $2 AND state = 'executing' AND on_lost_owner = 'rerun'
    AND lease_until < clock_timestamp()
    AND (raw_hash = $7 OR (fingerprint_version = $5 AND fingerprint = $6))
  FOR NO KEY UPDATE SKIP LOCKED
), taken_over AS (
  UPDATE idempotency_records
  SET fencing_token = nextval('idempotency_fencing_tokens'), claim_id = $8,
    attempts = attempts + 1, claim_time = clock_timestamp(),
    lease_until = clock_timestamp() + $10 * interval '1 millisecond'
  WHERE tenant = $1 AND scope_hash = $2 AND state = 'executing' AND EXISTS (SELECT FROM lost)
  RETURNING fencing_token, attempts
), logged AS (
  INSERT INTO idempotency_events (tenant, scope_hash, type, fencing_token, detail)
  SELECT $1, $2, 'taken_over', fencing_token, 'by a duplicate call' FROM taken_over
)
SELECT true AS owned, fencing_token, attempts, true AS same_request, false AS expired,
  false AS held, NULL::bytea AS outcome, 0::float8 AS elapsed_ms, 0::float8 AS lease_remaining_ms
FROM (SELECT * FROM inserted UNION ALL SELECT * FROM taken_over) AS mine
UNION ALL
SELECT state = 'executing' AND claim_id = $8, fencing_token, attempts,
  raw_hash = $7 OR (fingerprint_version = $5 AND fingerprint = $6),
  state = 'expired' OR coalesce(expire_time < clock_timestamp(), false),
  ${IS_HELD},
  outcome,
  extract(epoch FROM clock_timestamp() - claim_time)::float8 * 1000,
  extract(epoch FROM lease_until - clock_timestamp())::float8 * 1000
FROM idempotency_records
WHERE tenant = $1 AND scope_hash = $2 AND NOT EXISTS (SELECT FROM taken_over)`,
};

export const EXTEND = {
  name: "idempotency_extend",
  text: `
UPDATE idempotency_records
SET lease_until = clock_timestamp() + $4 * interval '1 millisecond'
WHERE ${OWNED} AND state = 'executing'`,
};

const COMPLETION = `
UPDATE idempotency_records
SET state = 'completed', outcome = $4, request = NULL, unknown_reason = NULL,
  complete_time = clock_timestamp(),
  expire_time = clock_timestamp() + $5 * interval '1 millisecond'
WHERE ${OWNED} AND state IN ('executing', 'held')`;

/** Also finds a record that this claim has completed before: the reply was lost. */
export const COMPLETE = {
  name: "idempotency_complete",
  text: `
WITH completed AS (${COMPLETION} RETURNING 1)
SELECT 1 FROM completed
UNION ALL
SELECT 1 FROM idempotency_records WHERE ${OWNED} AND state = 'completed'`,
};

/**
 * Finds no record that is completed already: the same work was committed
 * before, by a transaction whose reply was lost, and must not be done twice.
 */
export const COMPLETE_WITHIN = { name: "idempotency_complete_within", text: COMPLETION };

/** The row lock keeps others from taking over until the caller's transaction ends. */
export const HOLD_OWNERSHIP = {
  name: "idempotency_hold_ownership",
  text: `
SELECT 1 FROM idempotency_records WHERE ${OWNED} AND state = 'executing' FOR NO KEY UPDATE`,
};

export const RELEASE = {
  name: "idempotency_release",
  text: `DELETE FROM idempotency_records WHERE ${OWNED} AND state IN ('executing', 'held')`,
};

export const SUSPEND = {
  name: "idempotency_suspend",
  text: `
WITH suspended AS (
  UPDATE idempotency_records
  SET state = $4, unknown_reason = $6,
    lease_until = clock_timestamp() + $5 * interval '1 millisecond'
  WHERE ${OWNED} AND state = 'executing'
  RETURNING 1
)
INSERT INTO idempotency_events (tenant, scope_hash, type, fencing_token, detail)
SELECT $1, $2, 'outcome_unknown', $3, $6 FROM suspended`,
};

export interface TakenOverRow {
  readonly tenant: string;
  readonly operation: string;
  readonly idempotency_key: string;
  readonly fingerprint_version: number;
  readonly fingerprint: Buffer;
  readonly raw_hash: Buffer;
  readonly fencing_token: string;
  readonly claim_id: string;
  readonly attempts: number;
  readonly request: Buffer;
}

const TAKEN_OVER_COLUMNS = `tenant, operation, idempotency_key, fingerprint_version, fingerprint,
  raw_hash, fencing_token, claim_id, attempts, request`;

/** recoveryBackoffMs of the port. The exponent is bounded before 2 is raised to it. */
const RECOVERY_BACKOFF = "least(2 ^ least(attempts - 1, 9) - 1, 300) * interval '1 second'";

export const TAKE_OVER_EXPIRED = {
  name: "idempotency_take_over_expired",
  text: `
WITH waiting AS (
  SELECT tenant, scope_hash FROM idempotency_records
  WHERE state = 'executing' AND on_lost_owner = 'rerun' AND operation = ANY ($3)
    AND lease_until < clock_timestamp() - ${RECOVERY_BACKOFF}
  ORDER BY lease_until
  LIMIT $1
  FOR NO KEY UPDATE SKIP LOCKED
), taken_over AS (
  UPDATE idempotency_records AS r
  SET fencing_token = nextval('idempotency_fencing_tokens'), claim_id = gen_random_uuid(),
    attempts = r.attempts + 1, claim_time = clock_timestamp(),
    lease_until = clock_timestamp() + $2 * interval '1 millisecond'
  FROM waiting
  WHERE r.tenant = waiting.tenant AND r.scope_hash = waiting.scope_hash
  RETURNING r.*
), logged AS (
  INSERT INTO idempotency_events (tenant, scope_hash, type, fencing_token, detail)
  SELECT tenant, scope_hash, 'taken_over', fencing_token, 'by recovery' FROM taken_over
)
SELECT ${TAKEN_OVER_COLUMNS} FROM taken_over`,
};

/** A tombstone keeps the scope's hash, the fingerprint and the times, and refuses the key for good. */
export const REAP = {
  name: "idempotency_reap",
  text: `
UPDATE idempotency_records AS r
SET state = 'expired', operation = NULL, idempotency_key = NULL, outcome = NULL
FROM (
  SELECT tenant, scope_hash FROM idempotency_records
  WHERE state = 'completed' AND expire_time < clock_timestamp()
  ORDER BY expire_time
  LIMIT $1
  FOR NO KEY UPDATE SKIP LOCKED
) AS passed
WHERE r.tenant = passed.tenant AND r.scope_hash = passed.scope_hash`,
};

/** The new token shuts out an owner that wakes up after the operator's word. */
export const RECLAIM = {
  name: "idempotency_reclaim",
  text: `
WITH reclaimed AS (
  UPDATE idempotency_records
  SET state = 'executing', fencing_token = nextval('idempotency_fencing_tokens'),
    claim_id = gen_random_uuid(), attempts = attempts + 1, claim_time = clock_timestamp(),
    lease_until = clock_timestamp() + $5 * interval '1 millisecond'
  WHERE ${OWNED} AND ${IS_HELD}
  RETURNING *
), logged AS (
  INSERT INTO idempotency_events (tenant, scope_hash, type, fencing_token, detail)
  SELECT tenant, scope_hash, 'resolved', fencing_token, $4 FROM reclaimed
)
SELECT ${TAKEN_OVER_COLUMNS} FROM reclaimed`,
};

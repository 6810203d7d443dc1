import type { RecordState } from "../../idempotency/port/store.js";
import { FEW_ATTEMPTS } from "../../idempotency/recovery/recovery-turns.js";

// The statements of the store of record. Every one names its row by (tenant,
// scope_hash); those of an owner add the fencing token, and change nothing
// where another owner has the record. clock_timestamp() is the time at which
// a row is looked at, also after a wait for its lock; now() would be older.

// One that may meet a row that others hold says how long it waits for a lock
// before it looks at any, and fails with `lock_not_available` past that: said by
// itself, it would cost a round trip.

// A token alone is no proof: a sequence that was restored gives it once more.
const OWNED = "tenant = $1 AND scope_hash = $2 AND fencing_token = $3 AND claim_id = $4::uuid";

/** A record whose owner is gone and whose handler must not be repeated counts as held. */
export const IS_HELD = isHeld("idempotency_records");

/**
 * Bounds each wait for a lock until the statement, or its transaction, ends. What
 * locks rows has to read it first: they are joined with what it gives.
 */
export function bounded(lockTimeoutMs: string): string {
  return `bounded AS MATERIALIZED (SELECT set_config('lock_timeout', ${lockTimeoutMs}, true))`;
}

/** The claims that a statement is about, as rows: its parameters are one array for each column. */
const ASKED_OWNERS = `unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[]) WITH ORDINALITY
    AS asked (tenant, scope_hash, fencing_token, claim_id, ordinal)`;

/** The record of an asked owner, `r`. */
export const OWNED_BY_ASKED = `r.tenant = asked.tenant AND r.scope_hash = asked.scope_hash
    AND r.fencing_token = asked.fencing_token AND r.claim_id = asked.claim_id::uuid`;

/** The answer of a completed record. */
export const ANSWER = {
  name: "idempotency_answer",
  text: `SELECT outcome FROM idempotency_records WHERE tenant = $1 AND scope_hash = $2
    AND ${inState("idempotency_records", "completed")}`,
};

/**
 * Waits for no row that others hold: nobody can take its claim over meanwhile,
 * and the next heartbeat comes. Finds all that still have their owners.
 */
export const EXTEND = {
  name: "idempotency_extend",
  text: `
WITH asked AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::float8[])
    WITH ORDINALITY AS asked (tenant, scope_hash, fencing_token, claim_id, lease_ms, ordinal)
), free AS (
  SELECT r.tenant, r.scope_hash, asked.lease_ms
  FROM asked, idempotency_records AS r
  WHERE ${OWNED_BY_ASKED} AND ${inState("r", "executing")}
  FOR NO KEY UPDATE OF r SKIP LOCKED
), extended AS (
  UPDATE idempotency_records AS r
  SET lease_until = clock_timestamp() + free.lease_ms * interval '1 millisecond'
  FROM free
  WHERE r.tenant = free.tenant AND r.scope_hash = free.scope_hash
)
SELECT asked.ordinal::int FROM asked, idempotency_records AS r
WHERE ${OWNED_BY_ASKED} AND ${inState("r", "executing")}`,
};

/** An owner that a statement found, by its position among the asked, from 1 on. */
export interface OwnerRow {
  readonly ordinal: number;
}

/** Completes the records of rows that have an outcome, and that are called `asked`. */
export const completionOf = (rows: string) => `
UPDATE idempotency_records AS r
SET state = 'completed', outcome = asked.outcome, request = NULL, unknown_reason = NULL,
  complete_time = clock_timestamp(),
  expire_time = clock_timestamp() + asked.retention_ms * interval '1 millisecond'
FROM ${rows}
WHERE ${OWNED_BY_ASKED} AND ${inState("r", "executing", "held")}
RETURNING asked.ordinal::int`;

/** The claims that end, with their outcomes, as rows. */
const OUTCOME_ARRAYS = `unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::bytea[],
    $6::float8[]) WITH ORDINALITY
    AS asked (tenant, scope_hash, fencing_token, claim_id, outcome, retention_ms, ordinal)`;

/** Completes records. It also finds one that this claim has completed before, when the reply was lost. */
export const COMPLETE = {
  name: "idempotency_complete",
  text: `
WITH ${bounded("$7")}, asked AS MATERIALIZED (
  SELECT asked.* FROM bounded, ${OUTCOME_ARRAYS}
), completed AS (${completionOf("asked")})
SELECT ordinal FROM completed
UNION ALL
SELECT asked.ordinal::int FROM asked, idempotency_records AS r
WHERE ${OWNED_BY_ASKED}
  AND ${inState("r", "completed")}`,
};

/**
 * Finds no record that is completed already: the same work was committed
 * before, by a transaction whose reply was lost, and must not be done twice.
 * How long it waits is for its transaction to say.
 */
export const COMPLETE_WITHIN = {
  name: "idempotency_complete_within",
  text: `WITH asked AS MATERIALIZED (SELECT * FROM ${OUTCOME_ARRAYS}) ${completionOf("asked")}`,
};

/** The row locks keep others from taking over until the caller's transaction ends. */
export const HOLD_OWNERSHIP = {
  name: "idempotency_hold_ownership",
  text: `
SELECT asked.ordinal::int FROM ${ASKED_OWNERS}, idempotency_records AS r
WHERE ${OWNED_BY_ASKED} AND ${inState("r", "executing")}
ORDER BY r.tenant, r.scope_hash
FOR NO KEY UPDATE OF r`,
};

/** True if an operator has had the key. Its request had begun then, or nobody would have asked an operator. */
const WAS_RESOLVED = `EXISTS (SELECT FROM idempotency_events
  WHERE tenant COLLATE "C" = $1 AND scope_hash = $2 AND type = 'resolved')`;

/** The request is not needed any more: the next one brings its own. */
const REOPENING = `UPDATE idempotency_records
SET state = 'released', request = NULL, unknown_reason = NULL
FROM bounded
WHERE ${OWNED} AND ${inState("idempotency_records", "executing", "held")}`;

/** A key that an operator has had is reopened: it stays its request's for good. */
export const RELEASE = {
  name: "idempotency_release",
  text: `
WITH ${bounded("$5")}, reopened AS (${REOPENING} AND ${WAS_RESOLVED} RETURNING 1), deleted AS (
  DELETE FROM idempotency_records USING bounded
  WHERE ${OWNED} AND ${inState("idempotency_records", "executing", "held")}
    AND NOT ${WAS_RESOLVED}
  RETURNING 1
)
SELECT FROM reopened UNION ALL SELECT FROM deleted`,
};

export const REOPEN = {
  name: "idempotency_reopen",
  text: `WITH ${bounded("$5")} ${REOPENING}`,
};

export const SUSPEND = {
  name: "idempotency_suspend",
  text: `
WITH ${bounded("$5")}, suspended AS (
  UPDATE idempotency_records
  SET state = $6, unknown_reason = $8,
    lease_until = clock_timestamp() + $7 * interval '1 millisecond'
  FROM bounded
  WHERE ${OWNED} AND ${inState("idempotency_records", "executing")}
  RETURNING 1
)
INSERT INTO idempotency_events (tenant, scope_hash, type, fencing_token, detail)
SELECT $1, $2, 'outcome_unknown', $3, $8 FROM suspended`,
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

/**
 * The number of claims past their lease that are looked at, from either end: the oldest
 * and the newest. Among any number a look costs the same.
 */
const LOOKED_AT = 1_000;

const PAST_LEASE = `SELECT tenant, scope_hash, attempts, lease_until FROM idempotency_records
  WHERE state = 'executing' AND on_lost_owner = 'rerun' AND operation = ANY ($3)
    AND tenant <> ALL ($4) AND lease_until < now()`;

/** Takes over claims past their lease, in the order of `inTurns`. */
export const TAKE_OVER_EXPIRED = {
  name: "idempotency_take_over_expired",
  text: `
WITH past_lease AS MATERIALIZED (
  (${PAST_LEASE} ORDER BY lease_until DESC LIMIT ${LOOKED_AT})
  UNION
  (${PAST_LEASE} ORDER BY lease_until LIMIT ${LOOKED_AT})
), ranked AS (
  SELECT tenant, scope_hash, lease_until, attempts > ${FEW_ATTEMPTS} AS goes_on_failing,
    row_number() OVER (kind ORDER BY lease_until) AS oldest,
    row_number() OVER (kind ORDER BY lease_until DESC) AS newest
  FROM past_lease
  WHERE lease_until < now() - ${RECOVERY_BACKOFF}
  WINDOW kind AS (PARTITION BY tenant, attempts > ${FEW_ATTEMPTS})
), next AS MATERIALIZED (
  SELECT tenant, scope_hash FROM ranked
  ORDER BY CASE WHEN goes_on_failing THEN 3 * oldest ELSE least(3 * newest - 2, 3 * oldest - 1) END,
    lease_until
  LIMIT $1
), waiting AS (
  SELECT r.tenant, r.scope_hash FROM next JOIN idempotency_records AS r USING (tenant, scope_hash)
  WHERE ${inState("r", "executing")} AND r.lease_until < now()
  FOR NO KEY UPDATE OF r SKIP LOCKED
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
  WHERE tenant = $1 AND scope_hash = $2 AND fencing_token = $3 AND ${IS_HELD}
  RETURNING *
), logged AS (
  INSERT INTO idempotency_events (tenant, scope_hash, type, fencing_token, detail)
  SELECT tenant, scope_hash, 'resolved', fencing_token, $4 FROM reclaimed
)
SELECT ${TAKEN_OVER_COLUMNS} FROM reclaimed`,
};

/**
 * The condition on a record that is looked up by its key. As an expression: the
 * planner would else read all records in the state by their index, which costs
 * less only while there are few.
 */
export function inState(record: string, ...states: readonly RecordState[]): string {
  return `${record}.state || '' IN (${states.map((state) => `'${state}'`).join(", ")})`;
}

export function isHeld(record: string): string {
  return `(${record}.state = 'held' OR (${record}.state = 'executing'
    AND ${record}.on_lost_owner = 'hold' AND ${record}.lease_until < clock_timestamp()))`;
}

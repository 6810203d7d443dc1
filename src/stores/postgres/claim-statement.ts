import { arraysOf, namesOf, remembered } from "../../runtime/arrays.js";
import type { FirstWorkTables } from "./claims.js";
import { bounded, inState, isHeld } from "./statements.js";

/**
 * Larger answers are read one by one, for a batch of claims may find as many as
 * it asks for. Those it does read take twice as much as a batch may write, at
 * most. Bytes.
 */
const MAX_BATCHED_ANSWER_BYTES = 64 * 1024;

export interface ClaimRow {
  /** Names the record, and so the claim that was asked for. */
  readonly scope_hash: Buffer;
  /** True if this statement made the record. */
  readonly is_first: boolean;
  readonly owned: boolean;
  readonly fencing_token: string;
  readonly attempts: number;
  readonly same_request: boolean;
  readonly expired: boolean;
  readonly held: boolean;
  readonly outcome: Buffer | null;
  readonly is_large: boolean;
  readonly elapsed_ms: number;
  readonly lease_remaining_ms: number;
}

/** The parameters of CLAIM, before the limit of its waits for locks. */
const CLAIM_COLUMNS = [
  "tenant text",
  "scope_hash bytea",
  "operation text",
  "idempotency_key text",
  "fingerprint_version smallint",
  "fingerprint bytea",
  "raw_hash bytea",
  "claim_id text",
  "on_lost_owner text",
  "lease_ms float8",
  "request bytea",
] as const;

const SAME_REQUEST = `(r.raw_hash = asked.raw_hash OR
      (r.fingerprint_version = asked.fingerprint_version AND r.fingerprint = asked.fingerprint))`;

/**
 * Inserts the records, or takes them over past their lease, or reads what
 * stands in the way. No row at all for one that was asked: another's insert was
 * not committed yet when the statement began; it has to be asked again and
 * never counts as claimed. No scope may be asked twice. Rows are inserted in the
 * order of their keys, so that two batches do not wait for each other. An answer
 * of more than MAX_BATCHED_ANSWER_BYTES is left where it is.
 */
export const CLAIM = { name: "idempotency_claim", text: claimText() };

/** CLAIM, and what begins with the claims that are first ones, which `begins` holds. */
export function claimAndBeginStatement(work: FirstWorkTables) {
  return { name: work.name, text: claimAndBeginText(work) };
}

const claimAndBeginText = remembered(({ columns, tables }: FirstWorkTables) => {
  const all = ["tenant text", "scope_hash bytea", ...columns];
  return claimText(`, begins AS MATERIALIZED (
  SELECT work.* FROM inserted JOIN unnest(${arraysOf(all, CLAIM_COLUMNS.length + 2)})
    AS work (${namesOf(all)}) USING (tenant, scope_hash)
), ${tables.trim()}`);
});

function claimText(more = ""): string {
  return `
WITH ${bounded(`$${CLAIM_COLUMNS.length + 1}`)}, asked AS MATERIALIZED (
  SELECT asked.* FROM bounded, unnest(${arraysOf(CLAIM_COLUMNS, 1)})
    AS asked (${namesOf(CLAIM_COLUMNS)})
), inserted AS (
  INSERT INTO idempotency_records (
    tenant, scope_hash, operation, idempotency_key, state, fingerprint_version, fingerprint,
    raw_hash, fencing_token, claim_id, attempts, on_lost_owner, lease_until, request)
  SELECT tenant, scope_hash, operation, idempotency_key, 'executing', fingerprint_version,
    fingerprint, raw_hash, nextval('idempotency_fencing_tokens'), claim_id::uuid, 1, on_lost_owner,
    clock_timestamp() + lease_ms * interval '1 millisecond', request
  FROM asked
  -- An insert would wait for a transaction that is just completing the record.
  WHERE NOT EXISTS (
    SELECT FROM idempotency_records AS r
    WHERE r.tenant = asked.tenant AND r.scope_hash = asked.scope_hash)
  ORDER BY tenant, scope_hash
  ON CONFLICT (tenant, scope_hash) DO NOTHING
  RETURNING scope_hash, fencing_token, attempts, tenant
), lost AS (
  -- One that its owner's transaction holds is not lost: nobody waits for that to end.
  SELECT asked.tenant, asked.scope_hash, asked.claim_id, asked.on_lost_owner, asked.lease_ms,
    asked.request, ${inState("r", "released")} AS is_first
  FROM asked JOIN idempotency_records AS r USING (tenant, scope_hash)
  WHERE (${inState("r", "released")} OR ${inState("r", "executing")}
      AND r.on_lost_owner = 'rerun' AND r.lease_until < clock_timestamp())
    AND ${SAME_REQUEST}
  FOR NO KEY UPDATE OF r SKIP LOCKED
), taken_over AS (
  -- One that was released begins anew, from the request that came now.
  UPDATE idempotency_records AS r
  SET state = 'executing', fencing_token = nextval('idempotency_fencing_tokens'),
    claim_id = lost.claim_id::uuid,
    attempts = CASE WHEN lost.is_first THEN 1 ELSE r.attempts + 1 END,
    on_lost_owner = CASE WHEN lost.is_first THEN lost.on_lost_owner ELSE r.on_lost_owner END,
    request = CASE WHEN lost.is_first THEN lost.request ELSE r.request END,
    claim_time = clock_timestamp(),
    lease_until = clock_timestamp() + lost.lease_ms * interval '1 millisecond'
  FROM lost
  WHERE r.tenant = lost.tenant AND r.scope_hash = lost.scope_hash
    AND ${inState("r", "executing", "released")}
  RETURNING r.tenant, r.scope_hash, r.fencing_token, r.attempts, lost.is_first
), logged AS (
  INSERT INTO idempotency_events (tenant, scope_hash, type, fencing_token, detail)
  SELECT tenant, scope_hash, 'taken_over', fencing_token,
    CASE WHEN is_first THEN 'by the same request, as the key was free for it again'
      ELSE 'by a duplicate call' END
  FROM taken_over
)${more}
SELECT scope_hash, true AS is_first, true AS owned, fencing_token, attempts, true AS same_request,
  false AS expired, false AS held, NULL::bytea AS outcome, false AS is_large,
  0::float8 AS elapsed_ms, 0::float8 AS lease_remaining_ms
FROM inserted
UNION ALL
SELECT scope_hash, false, true, fencing_token, attempts, true, false, false, NULL, false, 0, 0
FROM taken_over
UNION ALL
SELECT r.scope_hash, false, r.state = 'executing' AND r.claim_id = asked.claim_id::uuid,
  r.fencing_token, r.attempts, ${SAME_REQUEST},
  r.state = 'expired' OR coalesce(r.expire_time < clock_timestamp(), false),
  ${isHeld("r")},
  CASE WHEN octet_length(r.outcome) <= ${MAX_BATCHED_ANSWER_BYTES} THEN r.outcome END,
  coalesce(octet_length(r.outcome) > ${MAX_BATCHED_ANSWER_BYTES}, false),
  extract(epoch FROM clock_timestamp() - r.claim_time)::float8 * 1000,
  extract(epoch FROM r.lease_until - clock_timestamp())::float8 * 1000
FROM asked JOIN idempotency_records AS r USING (tenant, scope_hash)
WHERE NOT EXISTS (
  SELECT FROM taken_over
  WHERE taken_over.tenant = asked.tenant AND taken_over.scope_hash = asked.scope_hash)`;
}

import { createHash } from "node:crypto";
import { encodeOutcome, okOutcome } from "../../src/idempotency/port/outcome.js";
import type { ClaimRequest } from "../../src/idempotency/port/store.js";
import { joined } from "../../src/idempotency/request/digest.js";
import { ANSWER_LENGTH, answerOf, LEASE_MS } from "../peers/peer.js";

// Records of calls that are completed, once as TypeScript and once as SQL. That
// both make the same is shown by each replay: it names the record by the one
// and is answered only if the other has made the same hashes.

export const TENANT = "default";
export const OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";

/** With this many digits a key is as long as a UUID. */
const KEY_DIGITS = 31;

/** The key of the n-th record, from 0 on. */
export function keyOf(n: number): string {
  return `kept-${String(n).padStart(KEY_DIGITS, "0")}`;
}

/** About as much as a payment's. */
const REQUEST = Buffer.alloc(80);

/** What the store of record is asked for a key. */
export function claimOf(key: string, claimId: string): ClaimRequest {
  return {
    scope: { tenant: TENANT, operation: OPERATION, key },
    claimId,
    fingerprint: {
      version: 1,
      canonical: sha256(`canonical form of ${key}`),
      raw: sha256(`bytes of ${key}`),
    },
    request: REQUEST,
    onLostOwner: "rerun",
    leaseMs: LEASE_MS,
  };
}

/** 200 bytes, other ones for each key. */
export function outcomeOf(key: string) {
  return okOutcome(Buffer.from(answerOf(key)));
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** What is the same in every outcome, encoded. */
const OUTCOME_HEAD = encodeOutcome(outcomeOf("")).subarray(0, -ANSWER_LENGTH);

/** What is the same in what every scope is hashed from. */
const SCOPE_HEAD = Buffer.from(joined(["payonce.scope.v1", TENANT, OPERATION]));

export interface Filling {
  /** The first record to make, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** All that there will be. */
  readonly records: number;
  /** Before this time their calls were spread evenly over 29 days: none is past its retention. */
  readonly until: Date;
}

/** Inserts records as their calls would have left them. */
export function fillStatement({ from, to, records, until }: Filling) {
  return {
    text: `
INSERT INTO idempotency_records (tenant, scope_hash, operation, idempotency_key, state,
  fingerprint_version, fingerprint, raw_hash, fencing_token, claim_id, attempts, on_lost_owner,
  lease_until, create_time, claim_time, complete_time, expire_time, outcome)
SELECT '${TENANT}', sha256($5::bytea || int4send(length(key)) || convert_to(key, 'UTF8')),
  '${OPERATION}', key, 'completed',
  1, sha256(convert_to('canonical form of ' || key, 'UTF8')),
  sha256(convert_to('bytes of ' || key, 'UTF8')), n + 1, gen_random_uuid(), 1, 'rerun',
  time + interval '${LEASE_MS} ms', time, time, time + interval '10 ms',
  time + interval '30 days', $6::bytea || convert_to(rpad(key, ${ANSWER_LENGTH}, '-'), 'UTF8')
FROM (
  SELECT n, 'kept-' || lpad(n::text, ${KEY_DIGITS}, '0') AS key,
    $4::timestamptz - interval '29 days' * (1 - n / $3::float8) AS time
  FROM generate_series($1::bigint, $2::bigint - 1) AS n
) AS calls`,
    values: [from, to, records, until, SCOPE_HEAD, OUTCOME_HEAD],
  };
}

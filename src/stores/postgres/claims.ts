import type { Pool } from "pg";
import { StoreOverloaded } from "../../idempotency/errors.js";
import { decodeOutcome } from "../../idempotency/outcome.js";
import { scopeHash } from "../../idempotency/scope.js";
import type { ClaimRequest, ClaimResult } from "../../idempotency/store.js";
import { createBatches, QueueFull, type Settled } from "../../runtime/batches.js";
import { mayBeOneRow } from "../../runtime/row-errors.js";
import { CLAIM, type ClaimRow } from "./statements.js";

/**
 * How often a claim is asked again that saw neither its own row nor another's:
 * the other was committed, or removed, while the statement ran.
 */
const CLAIM_ATTEMPTS = 10;

/** Two, so that a batch that waits for another's row does not hold up the next one. */
const LANES = 2;

/** One statement's work: a few milliseconds. More at once would only make all of them wait. */
const MAX_BATCH_SIZE = 128;

/** Several seconds of work. Who comes later is told to come back. */
const MAX_WAITING = 10_000;

/** Asks for claims, many in one statement where they come together. */
export function createClaims(pool: Pool): (request: ClaimRequest) => Promise<ClaimResult> {
  async function run(requests: readonly ClaimRequest[]): Promise<readonly Settled<ClaimResult>[]> {
    const results = new Array<ClaimResult | undefined>(requests.length);
    let asked = requests.map((request, index) => ({ request, index }));
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS && asked.length > 0; attempt += 1) {
      const { rows } = await pool.query<ClaimRow>({
        ...CLAIM,
        values: claimColumns(asked.map(({ request }) => request)),
      });
      for (const row of rows) {
        const found = asked[row.ordinal - 1];
        if (found !== undefined) {
          results[found.index] = toClaimResult(found.request, row);
        }
      }
      asked = asked.filter(({ index }) => results[index] === undefined);
    }
    return results.map((value) => (value === undefined ? UNSETTLED : { ok: true, value }));
  }

  const batches = createBatches<ClaimRequest, ClaimResult>({
    run,
    subjectOf: ({ scope }) => Buffer.from(scopeHash(scope)).toString("latin1"),
    lanes: LANES,
    maxBatchSize: MAX_BATCH_SIZE,
    maxWaiting: MAX_WAITING,
    mayRepeat: mayBeOneRow,
    share: { isSame: isSameRequest, follow: followerOf },
  });

  return async (request) => {
    try {
      return await batches.add(request);
    } catch (error) {
      throw error instanceof QueueFull
        ? new StoreOverloaded(`too many claims: ${error.message}`)
        : error;
    }
  };
}

const UNSETTLED: Settled<never> = {
  ok: false,
  error: new Error(`the record of a key changed ${CLAIM_ATTEMPTS} times while it was claimed`),
};

/** The parameters of CLAIM. */
export function claimColumns(requests: readonly ClaimRequest[]): unknown[] {
  return [
    requests.map(({ scope }) => scope.tenant),
    requests.map(({ scope }) => scopeHash(scope)),
    requests.map(({ scope }) => scope.operation),
    requests.map(({ scope }) => scope.key),
    requests.map(({ fingerprint }) => fingerprint.version),
    requests.map(({ fingerprint }) => fingerprint.canonical),
    requests.map(({ fingerprint }) => fingerprint.raw),
    requests.map(({ claimId }) => claimId),
    requests.map(({ onLostOwner }) => onLostOwner),
    requests.map(({ leaseMs }) => leaseMs),
    requests.map(({ request }) => request),
  ];
}

/** Whether two calls of one scope ask for the same in every way that a record can tell. */
function isSameRequest(
  { claimId, fingerprint: a }: ClaimRequest,
  { claimId: otherClaimId, fingerprint: b }: ClaimRequest,
): boolean {
  return (
    claimId !== otherClaimId &&
    a.version === b.version &&
    Buffer.compare(a.raw, b.raw) === 0 &&
    Buffer.compare(a.canonical, b.canonical) === 0
  );
}

/** What a duplicate is told that was not asked for itself. */
function followerOf(result: ClaimResult, { leaseMs }: ClaimRequest): ClaimResult {
  return result.kind === "claimed"
    ? { kind: "in_progress", elapsedMs: 0, leaseRemainingMs: leaseMs }
    : result;
}

function toClaimResult({ scope, claimId, fingerprint }: ClaimRequest, row: ClaimRow): ClaimResult {
  if (row.owned) {
    const { fencing_token, attempts } = row;
    return {
      kind: "claimed",
      claim: {
        scope,
        claimId,
        fingerprint,
        fencingToken: BigInt(fencing_token),
        attempt: attempts,
      },
    };
  }
  if (!row.same_request) {
    return { kind: "mismatch" };
  }
  if (row.expired) {
    return { kind: "expired" };
  }
  if (row.outcome !== null) {
    return { kind: "replay", outcome: decodeOutcome(row.outcome) };
  }
  if (row.held) {
    return { kind: "held" };
  }
  return {
    kind: "in_progress",
    elapsedMs: row.elapsed_ms,
    leaseRemainingMs: row.lease_remaining_ms,
  };
}

import type { Pool, PoolClient } from "pg";
import { duplicateClaims } from "../../idempotency/duplicate-claims.js";
import { StoreOverloaded } from "../../idempotency/errors.js";
import { decodeOutcome } from "../../idempotency/outcome.js";
import { scopeHash } from "../../idempotency/scope.js";
import type { ClaimRequest, ClaimResult } from "../../idempotency/store.js";
import { createBatches, QueueFull, type Settled, type Turn } from "../../runtime/batches.js";
import { bytea, columns, float8, smallint, text } from "../../runtime/columns.js";
import { LOCK_TIMEOUTS_MS, refusableBatches } from "../../runtime/database-batches.js";
import { isLockTimeout, mayBeOneRow } from "../../runtime/row-errors.js";
import { inPipelinedTransaction } from "../../runtime/transaction.js";
import { createLargeAnswers } from "./large-answers.js";
import { recordOf } from "./owner-writes.js";
import { CLAIM, type ClaimRow } from "./statements.js";

/**
 * How often a claim is asked again that saw neither its own row nor another's:
 * the other was committed, or removed, while the statement ran.
 */
const CLAIM_ATTEMPTS = 10;

/** A claim on a key that nobody had used before. */
export interface FirstClaim {
  readonly request: ClaimRequest;
  /** When it was granted, on the database's clock. */
  readonly time: Date;
}

/**
 * Work that begins in the commit of its claim, and so costs none of its own.
 * It saves time and decides nothing: where it fails, the claim is made without
 * it, and the handler does all of its work.
 */
export interface FirstWork {
  /** Whether there is such work for a request. */
  concerns(request: ClaimRequest): boolean;
  /**
   * Sends all its statements before it first waits: COMMIT follows them. Returns
   * what is to be called then. Rejects if it cannot be done for one of them.
   */
  begin(transaction: PoolClient, claims: readonly FirstClaim[]): Promise<() => void>;
}

export interface ClaimsOptions {
  /** What handlers begin in the commit of their first claims. Default: nothing. */
  readonly firstWork?: FirstWork;
  /** How many claims may wait for those under way. Who comes later is told to come back. Default 10,000. */
  readonly maxWaitingClaims?: number;
}

/** A claim that waits longer is told to come back: its caller may have left by the time of its answer. Milliseconds. */
const MAX_WAIT_MS = 1_000;

/** What a batch finds; a large answer is yet to be read. */
type Found = ClaimResult | { readonly kind: "large_replay" };

/** Asks for claims, many in one statement where they come together. */
export function createClaims(
  pool: Pool,
  { firstWork, maxWaitingClaims = refusableBatches.maxWaiting }: ClaimsOptions,
): (request: ClaimRequest) => Promise<ClaimResult> {
  const batches = createBatches<ClaimRequest, Found>({
    ...refusableBatches,
    run: (requests, turn) =>
      firstWork !== undefined && requests.some(firstWork.concerns)
        ? claimAndBegin(pool, { requests, turn, firstWork })
        : settledClaims(pool, { requests, turn }),
    subjectOf: recordOf,
    sizeOf: ({ request }) => request.length,
    maxWaiting: maxWaitingClaims,
    maxWaitMs: MAX_WAIT_MS,
    partyOf: ({ scope }) => scope.tenant,
    // One that may be the owner has to know.
    isWanted: ({ isAbandoned, mayBeOwner = false }) => mayBeOwner || !isAbandoned?.(),
    share: {
      ...duplicateClaims,
      follow: (found, request) =>
        found.kind === "large_replay" ? found : duplicateClaims.follow(found, request),
    },
  });
  const largeAnswerTo = createLargeAnswers(pool, { maxWaiting: maxWaitingClaims });
  return async (request) => {
    try {
      const found = await batches.add(request);
      return found.kind === "large_replay" ? await largeAnswerTo(request) : found;
    } catch (error) {
      throw error instanceof QueueFull
        ? new StoreOverloaded(`too many claims: ${error.message}`)
        : error;
    }
  };
}

/** Claims, and how they are asked for. */
interface Asked {
  readonly requests: readonly ClaimRequest[];
  readonly turn: Turn;
}

async function claimAndBegin(
  pool: Pool,
  { firstWork, ...asked }: Asked & { readonly firstWork: FirstWork },
): Promise<readonly Settled<Found>[]> {
  try {
    const { results, onCommit } = await inPipelinedTransaction(pool, {
      lockTimeoutMs: LOCK_TIMEOUTS_MS[asked.turn],
      open: (transaction) => claimAll(transaction, asked),
      work: async (transaction, { results, first }) => {
        const concerned = first.filter(({ request }) => firstWork.concerns(request));
        const onCommit = concerned.length > 0 && (await firstWork.begin(transaction, concerned));
        return { results, onCommit };
      },
      commit: "with the work",
    });
    if (onCommit) {
      onCommit();
    }
    return results;
  } catch (error) {
    if (asked.requests.length === 1 && mayBeOneRow(error) && !isLockTimeout(error)) {
      return settledClaims(pool, asked);
    }
    throw error;
  }
}

async function settledClaims(pool: Pool, asked: Asked) {
  return (await claimAll(pool, asked)).results;
}

async function claimAll(
  database: Pool | PoolClient,
  { requests, turn }: Asked,
): Promise<{
  readonly results: readonly Settled<Found>[];
  readonly first: readonly FirstClaim[];
}> {
  const results = requests.map((): Settled<Found> => UNSETTLED);
  const first: FirstClaim[] = [];
  let asked = requests.map((request, index) => ({ request, index }));
  for (let attempt = 0; attempt < CLAIM_ATTEMPTS && asked.length > 0; attempt += 1) {
    const { rows } = await database.query<ClaimRow>({
      ...CLAIM,
      values: claimParameters({ requests: asked.map(({ request }) => request), turn }),
    });
    for (const row of rows) {
      const answered = asked[row.ordinal - 1];
      if (answered !== undefined) {
        const { request, index } = answered;
        results[index] = { ok: true, value: toFound(request, row) };
        if (row.insert_time !== null) {
          first.push({ request, time: row.insert_time });
        }
      }
    }
    asked = asked.filter(({ index }) => results[index] === UNSETTLED);
  }
  return { results, first };
}

const UNSETTLED: Settled<never> = {
  ok: false,
  error: new Error(`the record of a key changed ${CLAIM_ATTEMPTS} times while it was claimed`),
};

/** The parameters of CLAIM. */
export function claimParameters({ requests, turn }: Asked): (Buffer | number)[] {
  const asked = columns(
    requests,
    text(({ scope }) => scope.tenant),
    bytea(({ scope }) => scopeHash(scope)),
    text(({ scope }) => scope.operation),
    text(({ scope }) => scope.key),
    smallint(({ fingerprint }) => fingerprint.version),
    bytea(({ fingerprint }) => fingerprint.canonical),
    bytea(({ fingerprint }) => fingerprint.raw),
    text(({ claimId }) => claimId),
    text(({ onLostOwner }) => onLostOwner),
    float8(({ leaseMs }) => leaseMs),
    bytea(({ request }) => request),
  );
  return [...asked, LOCK_TIMEOUTS_MS[turn]];
}

function toFound({ scope, claimId, fingerprint }: ClaimRequest, row: ClaimRow): Found {
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
  if (row.is_large) {
    return { kind: "large_replay" };
  }
  if (row.outcome !== null) {
    return { kind: "replay", outcome: decodeOutcome(row.outcome) };
  }
  if (row.held) {
    // The lease ended when its owner left it, or was last heard of.
    return { kind: "held", heldMs: Math.max(0, -row.lease_remaining_ms) };
  }
  return {
    kind: "in_progress",
    elapsedMs: row.elapsed_ms,
    leaseRemainingMs: row.lease_remaining_ms,
  };
}

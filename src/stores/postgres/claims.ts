import type { Pool, PoolClient } from "pg";
import { StoreOverloaded } from "../../idempotency/answers/errors.js";
import { duplicateClaims } from "../../idempotency/port/duplicate-claims.js";
import { decodeOutcome } from "../../idempotency/port/outcome.js";
import { scopeHash } from "../../idempotency/port/scope.js";
import type { ClaimRequest, ClaimResult } from "../../idempotency/port/store.js";
import { createBatches, QueueFull, type Settled, type Turn } from "../../runtime/batches.js";
import { bytea, columns, float8, smallint, text } from "../../runtime/columns.js";
import { LOCK_TIMEOUTS_MS, refusableBatches } from "../../runtime/database-batches.js";
import { isLockTimeout, mayBeOneRow } from "../../runtime/row-errors.js";
import type { Statement } from "../../runtime/statements.js";
import { inTwoTrips } from "../../runtime/transaction.js";
import { createLargeAnswers } from "./large-answers.js";
import { recordOf } from "./owner-writes.js";
import { CLAIM, type ClaimRow } from "./statements.js";

/**
 * The number of times that a claim is asked which saw neither its own row nor another's:
 * the other was committed, or removed, while the statement ran.
 */
const CLAIM_ATTEMPTS = 10;

/** A claim on a key that nobody had used before. */
export interface FirstClaim {
  readonly request: ClaimRequest;
  /** The time at which it was granted, on the database's clock. */
  readonly time: Date;
}

/**
 * Work that begins in the commit of its claim, and so costs none of its own.
 * It saves time and decides nothing: where it fails, the claim is made without
 * it, and the handler does all of its work.
 */
export interface FirstWork {
  /** Returns true if there may be such work for a request. */
  concerns(request: ClaimRequest): boolean;
  /** The statements that first work writes for claims, and the work that they begin. */
  begin(claims: readonly FirstClaim[]): Beginning;
}

export interface Beginning {
  /** Sent in the transaction of the claims, after them. */
  readonly statements: readonly Statement[];
  /** The `begun` of each claim's execution, by position; undefined where nothing begins. */
  readonly begun: readonly (object | undefined)[];
}

export interface ClaimsOptions {
  /** The work that handlers begin in the commit of their first claims. Default: none. */
  readonly firstWork?: FirstWork;
  /** The most claims that may wait for those under way. Later ones are refused as `OVERLOADED`. Default 10,000. */
  readonly maxWaitingClaims?: number;
}

/** A claim that waits longer is refused as overloaded: its caller may have left by the time of its answer. Milliseconds. */
const MAX_WAIT_MS = 1_000;

/** The results of a batch; large answers are read after it. */
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
    return await inTwoTrips(pool, {
      lockTimeoutMs: LOCK_TIMEOUTS_MS[asked.turn],
      open: (transaction) => claimAll(transaction, asked),
      finish({ results, first }) {
        const concerned = first.filter(({ request }) => firstWork.concerns(request));
        const { statements, begun } = firstWork.begin(concerned);
        const begunAt = new Map(concerned.map(({ index }, at) => [index, begun[at]]));
        return { statements, result: withBegun(results, begunAt) };
      },
    });
  } catch (error) {
    if (asked.requests.length === 1 && mayBeOneRow(error) && !isLockTimeout(error)) {
      return settledClaims(pool, asked);
    }
    throw error;
  }
}

/** Each claim with what has begun for it. */
function withBegun(
  results: readonly Settled<Found>[],
  begunAt: ReadonlyMap<number, object | undefined>,
): readonly Settled<Found>[] {
  return results.map((result, index) => {
    const begun = begunAt.get(index);
    return result.ok && result.value.kind === "claimed" && begun !== undefined
      ? { ok: true, value: { ...result.value, begun } }
      : result;
  });
}

async function settledClaims(pool: Pool, asked: Asked) {
  return (await claimAll(pool, asked)).results;
}

async function claimAll(
  database: Pool | PoolClient,
  { requests, turn }: Asked,
): Promise<{
  readonly results: readonly Settled<Found>[];
  readonly first: readonly (FirstClaim & { readonly index: number })[];
}> {
  const results = requests.map((): Settled<Found> => UNSETTLED);
  const first: (FirstClaim & { readonly index: number })[] = [];
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
          first.push({ request, index, time: row.insert_time });
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

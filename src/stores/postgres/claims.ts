import type { Pool } from "pg";
import { StoreOverloaded } from "../../idempotency/answers/errors.js";
import { duplicateClaims } from "../../idempotency/port/duplicate-claims.js";
import { decodeOutcome } from "../../idempotency/port/outcome.js";
import { scopeHash } from "../../idempotency/port/scope.js";
import type { ClaimRequest, ClaimResult } from "../../idempotency/port/store.js";
import { createBatches, QueueFull, type Settled, type Turn } from "../../runtime/batches.js";
import { bytea, columns, float8, smallint, text } from "../../runtime/columns.js";
import { LOCK_TIMEOUTS_MS, refusableBatches } from "../../runtime/database-batches.js";
import { isLockTimeout, mayBeOneRow } from "../../runtime/row-errors.js";
import { CLAIM, type ClaimRow, claimAndBeginStatement } from "./claim-statement.js";
import { createDatabaseClock } from "./database-clock.js";
import { createLargeAnswers } from "./large-answers.js";
import { recordOf } from "./owner-writes.js";

/**
 * The number of times that a claim is asked which saw neither its own row nor another's:
 * the other was committed, or removed, while the statement ran.
 */
const CLAIM_ATTEMPTS = 10;

/**
 * Work that begins in the statement of its claim, and so costs no round trip
 * and no commit of its own. It saves time and decides nothing: where it fails, the
 * claim is made without it, and the handler does all of its work.
 */
export interface FirstWork {
  /** Returns true if there may be such work for a request. */
  concerns(request: ClaimRequest): boolean;
  /** The statement's part that does the work. */
  readonly work: FirstWorkTables;
  /**
   * The work of requests, should each of them be the first of its key.
   * @param time the database's clock, as it is about now
   */
  begin(requests: readonly ClaimRequest[], time: Date): Beginning;
}

export interface FirstWorkTables {
  /** Postgres prepares the claims with this work once for each connection under this name. */
  readonly name: string;
  /** The columns of the rows that the work is about, each a name and its type. */
  readonly columns: readonly string[];
  /** Table expressions that begin with the rows of `begins`, whose claims have just been granted for the first time. */
  readonly tables: string;
}

export interface Beginning {
  /** The `begun` of each request's execution, by position; undefined where nothing is to begin. */
  readonly begun: readonly (object | undefined)[];
  /** The columns of the work, a value for each that is to begin. */
  readonly values: readonly Buffer[];
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
  const timeNow = createDatabaseClock(pool);
  const batches = createBatches<ClaimRequest, Found>({
    ...refusableBatches,
    run: (requests, turn) =>
      firstWork !== undefined && requests.some(firstWork.concerns)
        ? claimAndBegin(pool, { requests, turn, firstWork, timeNow })
        : claimAll(pool, { requests, turn }),
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

interface WithFirstWork {
  readonly firstWork: FirstWork;
  readonly timeNow: () => Promise<Date>;
}

/** Claims, and how they are asked for. */
interface Asked {
  readonly requests: readonly ClaimRequest[];
  readonly turn: Turn;
}

async function claimAndBegin(
  pool: Pool,
  { firstWork, timeNow, ...asked }: Asked & WithFirstWork,
): Promise<readonly Settled<Found>[]> {
  try {
    return await claimAll(pool, { ...asked, firstWork, timeNow });
  } catch (error) {
    if (asked.requests.length === 1 && mayBeOneRow(error) && !isLockTimeout(error)) {
      return claimAll(pool, asked);
    }
    throw error;
  }
}

async function claimAll(
  pool: Pool,
  { requests, turn, firstWork, timeNow }: Asked & Partial<WithFirstWork>,
): Promise<readonly Settled<Found>[]> {
  const results = requests.map((): Settled<Found> => UNSETTLED);
  let asked = requests.map((request, index) => ({ request, index }));
  for (let attempt = 0; attempt < CLAIM_ATTEMPTS && asked.length > 0; attempt += 1) {
    const claims = asked.map(({ request }) => request);
    const beginning = timeNow && firstWork?.begin(claims, await timeNow());
    const { rows } = await pool.query<ClaimRow>({
      ...(firstWork === undefined ? CLAIM : claimAndBeginStatement(firstWork.work)),
      values: [
        ...claimParameters({ requests: claims, turn }),
        ...(beginning === undefined ? [] : beginningParameters(claims, beginning)),
      ],
    });
    const positions = new Map(claims.map((request, at) => [recordOf(request), at]));
    for (const row of rows) {
      const at = positions.get(row.scope_hash.toString("latin1"));
      const answered = at === undefined ? undefined : asked[at];
      if (at !== undefined && answered !== undefined) {
        const { request, index } = answered;
        const begun = row.is_first ? beginning?.begun[at] : undefined;
        results[index] = { ok: true, value: toFound(request, row, begun) };
      }
    }
    asked = asked.filter(({ index }) => results[index] === UNSETTLED);
  }
  return results;
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

/** The parameters of what begins, after those of the claims. */
function beginningParameters(
  requests: readonly ClaimRequest[],
  { begun, values }: Beginning,
): readonly Buffer[] {
  const beginning = requests.filter((_, at) => begun[at] !== undefined);
  const records = columns(
    beginning,
    text(({ scope }) => scope.tenant),
    bytea(({ scope }) => scopeHash(scope)),
  );
  return [...records, ...values];
}

function toFound(
  { scope, claimId, fingerprint }: ClaimRequest,
  row: ClaimRow,
  begun: object | undefined,
): Found {
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
      ...(begun === undefined ? {} : { begun }),
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

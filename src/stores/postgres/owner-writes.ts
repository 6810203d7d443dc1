import type { Pool, PoolClient, QueryResult } from "pg";
import { encodeOutcome, type Outcome, sizeOfOutcome } from "../../idempotency/outcome.js";
import { scopeHash } from "../../idempotency/scope.js";
import type { Claim, RecordState, Suspension } from "../../idempotency/store.js";
import { type Batches, createBatches, type Settled } from "../../runtime/batches.js";
import { bigint, bytea, columns, float8, text } from "../../runtime/columns.js";
import { LOCK_TIMEOUTS_MS, ownersBatches } from "../../runtime/database-batches.js";
import { queryLarge } from "./database.js";
import {
  COMPLETE,
  COMPLETE_WITHIN,
  EXTEND,
  HOLD_OWNERSHIP,
  type OwnerRow,
  RELEASE,
  REOPEN,
  SUSPEND,
} from "./statements.js";

/** Writes that share no statement, and may be under way at once. They leave other connections to others. */
const SINGLE_WRITES = 4;

/** What an owner ends its claim with. */
export interface Completion {
  readonly claim: Claim;
  readonly outcome: Outcome;
  readonly retentionMs: number;
}

/** A claim that goes on. */
export interface Extension {
  readonly claim: Claim;
  readonly leaseMs: number;
}

/** A claim that ends without an outcome. */
interface Ending {
  readonly claim: Claim;
  /** Whether the key is free, for anybody or for its own request alone, or how it is left. */
  readonly as: "released" | "reopened" | Suspension;
}

/**
 * The writes that prolong claims, end them, or hold them. Each resolves with whether it found
 * its claim. None waits long for a row that others hold but in a line of such.
 */
export interface OwnerWrites {
  extend(extension: Extension): Promise<boolean>;
  complete(completion: Completion): Promise<boolean>;
  completeWithin(transaction: PoolClient, completion: Completion): Promise<boolean>;
  holdWithin(transaction: PoolClient, claim: Claim): Promise<boolean>;
  endWithoutOutcome(ending: Ending): Promise<boolean>;
  reopenWithin(transaction: PoolClient, claim: Claim): Promise<boolean>;
}

export function createOwnerWrites(pool: Pool): OwnerWrites {
  // Thousands of calls may wait for a slow processor: each by itself, their heartbeats would fill the pool.
  const extensions = createBatches<Extension, boolean>({
    ...ownersBatches,
    lanes: 1,
    run: (batch) => ask(pool, EXTEND, askedExtensions(batch)),
    subjectOf: ({ claim }) => recordOf(claim),
  });
  const completions = createBatches<Completion, boolean>({
    ...ownersBatches,
    run: (batch, turn) => complete(pool, batch, LOCK_TIMEOUTS_MS[turn]),
    subjectOf: ({ claim }) => recordOf(claim),
    sizeOf: sizeOfCompletion,
  });
  const endings = createBatches<Ending, boolean>({
    ...ownersBatches,
    lanes: SINGLE_WRITES,
    maxBatchSize: 1,
    run(batch, turn) {
      const lockTimeoutMs = LOCK_TIMEOUTS_MS[turn === "patiently" ? turn : "alone"];
      return Promise.all(
        batch.map(async (ending) => ({
          ok: true,
          value: await endOne(pool, ending, lockTimeoutMs),
        })),
      );
    },
    subjectOf: ({ claim }) => recordOf(claim),
  });
  const completedWithin = perTransaction<Completion>({
    run: (transaction, batch) => ask(transaction, COMPLETE_WITHIN, askedOutcomes(batch)),
    subjectOf: ({ claim }) => recordOf(claim),
    sizeOf: sizeOfCompletion,
  });
  const heldWithin = perTransaction<Claim>({
    run: (transaction, claims) => ask(transaction, HOLD_OWNERSHIP, askedOwners(claims)),
    subjectOf: recordOf,
  });
  return {
    extend: (extension) => extensions.add(extension),
    complete: (completion) => completions.add(completion),
    completeWithin: (transaction, completion) => completedWithin(transaction).add(completion),
    holdWithin: (transaction, claim) => heldWithin(transaction).add(claim),
    endWithoutOutcome: (ending) => endings.add(ending),
    reopenWithin: (transaction, claim) =>
      endOne(transaction, { claim, as: "reopened" }, LOCK_TIMEOUTS_MS.patiently),
  };
}

function sizeOfCompletion({ outcome }: Completion): number {
  return sizeOfOutcome(outcome);
}

/** Gathers what is asked of one transaction in one go: a transaction that writes for many owners. */
function perTransaction<Item>({
  run,
  ...options
}: {
  readonly run: (
    transaction: PoolClient,
    items: readonly Item[],
  ) => Promise<readonly Settled<boolean>[]>;
  readonly subjectOf: (item: Item) => string;
  readonly sizeOf?: (item: Item) => number;
}): (transaction: PoolClient) => Batches<Item, boolean> {
  const made = new WeakMap<PoolClient, Batches<Item, boolean>>();
  return (transaction) => {
    let batches = made.get(transaction);
    if (batches === undefined) {
      batches = createBatches({
        ...options,
        run: (items) => run(transaction, items),
        lanes: 1, // a connection runs one statement after another
        maxBatchSize: Number.POSITIVE_INFINITY, // the transaction's own batch is bounded
        maxBatchBytes: ownersBatches.maxBatchBytes,
        maxWaiting: Number.POSITIVE_INFINITY,
        soon: queueMicrotask,
      });
      made.set(transaction, batches);
    }
    return batches;
  };
}

/** Stores the outcomes of a batch, or a large one that is alone. */
async function complete(
  pool: Pool,
  batch: readonly Completion[],
  lockTimeoutMs: number,
): Promise<readonly Settled<boolean>[]> {
  const [first] = batch;
  const asked = askedOutcomes(batch, lockTimeoutMs);
  if (first === undefined || sizeOfCompletion(first) <= ownersBatches.maxBatchBytes) {
    return ask(pool, COMPLETE, asked);
  }
  return owned(asked, await queryLarge<OwnerRow>(pool, { ...COMPLETE, values: asked.values }));
}

/** What a statement for many owners is asked. */
interface Asked {
  readonly count: number;
  readonly values: (Buffer | number)[];
}

/** Runs a statement that answers with the owners whose claims it found. */
async function ask(
  database: Pool | PoolClient,
  statement: { readonly name: string; readonly text: string },
  asked: Asked,
): Promise<readonly Settled<boolean>[]> {
  return owned(asked, await database.query<OwnerRow>({ ...statement, values: asked.values }));
}

/** Whose claims were found, by position. */
function owned({ count }: Asked, { rows }: QueryResult<OwnerRow>): readonly Settled<boolean>[] {
  const found = new Set(rows.map(({ ordinal }) => ordinal));
  return Array.from({ length: count }, (_, index) => ({
    ok: true,
    value: found.has(index + 1),
  }));
}

/** Ends a claim whose owner has no outcome. */
async function endOne(
  database: Pool | PoolClient,
  { claim: { scope, fencingToken, claimId }, as }: Ending,
  lockTimeoutMs: number,
): Promise<boolean> {
  const values = [scope.tenant, scopeHash(scope), fencingToken, claimId, lockTimeoutMs];
  const { rowCount } = await database.query(statementOf(as, values));
  return rowCount === 1;
}

function statementOf(as: Ending["as"], values: readonly unknown[]) {
  switch (as) {
    case "released":
      return { ...RELEASE, values: [...values] };
    case "reopened":
      return { ...REOPEN, values: [...values] };
    default:
      return { ...SUSPEND, values: [...values, ...suspended(as)] };
  }
}

/** How a record is left: its state, the lease from now on, and why. */
function suspended(suspension: Suspension): readonly [RecordState, number, string] {
  return suspension.kind === "hold"
    ? ["held", 0, suspension.reason]
    : ["executing", suspension.afterMs, suspension.reason];
}

function askedOwners(claims: readonly Claim[]): Asked {
  const values = columns(
    claims,
    text(({ scope }) => scope.tenant),
    bytea(({ scope }) => scopeHash(scope)),
    bigint(({ fencingToken }) => fencingToken),
    text(({ claimId }) => claimId),
  );
  return { count: claims.length, values };
}

function askedExtensions(extensions: readonly Extension[]): Asked {
  const { count, values } = askedOwners(extensions.map(({ claim }) => claim));
  const leases = columns(
    extensions,
    float8(({ leaseMs }) => leaseMs),
  );
  return { count, values: [...values, ...leases] };
}

function askedOutcomes(completions: readonly Completion[], ...more: readonly number[]): Asked {
  const { count, values } = askedOwners(completions.map(({ claim }) => claim));
  const outcomes = columns(
    completions,
    bytea(({ outcome }) => encodeOutcome(outcome)),
    float8(({ retentionMs }) => retentionMs),
  );
  return { count, values: [...values, ...outcomes, ...more] };
}

/** The record that a claim is about: no two writes of a batch may be about the same. */
export function recordOf({ scope }: Pick<Claim, "scope">): string {
  return Buffer.from(scopeHash(scope)).toString("latin1");
}

import type { Pool, PoolClient, QueryResult } from "pg";
import { encodeOutcome, sizeOfOutcome } from "../../idempotency/port/outcome.js";
import { scopeHash } from "../../idempotency/port/scope.js";
import type {
  Claim,
  Completion,
  IdempotencyStore,
  RecordState,
  Suspension,
} from "../../idempotency/port/store.js";
import { createBatches, type Settled } from "../../runtime/batches.js";
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

/** A claim that goes on. */
export interface Extension {
  readonly claim: Claim;
  readonly leaseMs: number;
}

/** A claim that ends without an outcome. */
interface Ending {
  readonly claim: Claim;
  /** The way in which the claim ends: the key is free for anybody (`released`), free for its own request alone (`reopened`), or suspended. */
  readonly as: "released" | "reopened" | Suspension;
}

/**
 * The writes that prolong claims, end them, or hold them. Each resolves with whether it found
 * its claim. None waits long for a row that others hold but in a line of such.
 */
export interface OwnerWrites {
  extend(extension: Extension): Promise<boolean>;
  complete(completion: Completion): Promise<boolean>;
  completeWithin: IdempotencyStore<PoolClient>["completeWithin"];
  ownWithin: IdempotencyStore<PoolClient>["ownWithin"];
  endWithoutOutcome(ending: Ending): Promise<boolean>;
  reopenWithin(transaction: PoolClient, claim: Claim): Promise<boolean>;
}

export function createOwnerWrites(pool: Pool): OwnerWrites {
  // Thousands of calls may wait for a slow processor: each by itself, their heartbeats would fill the pool.
  const extensions = createBatches<Extension, boolean>({
    ...ownersBatches,
    lanes: 1,
    run: async (batch) => each(await ask(pool, EXTEND, askedExtensions(batch))),
    subjectOf: ({ claim }) => recordOf(claim),
  });
  const completions = createBatches<Completion, boolean>({
    ...ownersBatches,
    run: async (batch, turn) => each(await complete(pool, batch, LOCK_TIMEOUTS_MS[turn])),
    subjectOf: ({ claim }) => recordOf(claim),
    sizeOf: sizeOfCompletion,
  });
  const endings = createBatches<Ending, boolean>({
    ...ownersBatches,
    lanes: SINGLE_WRITES,
    maxBatchSize: 1,
    async run(batch, turn) {
      const lockTimeoutMs = LOCK_TIMEOUTS_MS[turn === "patiently" ? turn : "alone"];
      return each(await Promise.all(batch.map((ending) => endOne(pool, ending, lockTimeoutMs))));
    },
    subjectOf: ({ claim }) => recordOf(claim),
  });
  return {
    extend: (extension) => extensions.add(extension),
    complete: (completion) => completions.add(completion),
    completeWithin,
    ownWithin,
    endWithoutOutcome: (ending) => endings.add(ending),
    reopenWithin: (transaction, claim) =>
      endOne(transaction, { claim, as: "reopened" }, LOCK_TIMEOUTS_MS.patiently),
  };
}

function each(values: readonly boolean[]): readonly Settled<boolean>[] {
  return values.map((value) => ({ ok: true, value }));
}

function sizeOfCompletion({ outcome }: Completion): number {
  return sizeOfOutcome(outcome);
}

/** Says by position which claims are still their owners', until the transaction ends. */
function ownWithin(transaction: PoolClient, claims: readonly Claim[]): Promise<readonly boolean[]> {
  return ask(transaction, HOLD_OWNERSHIP, askedOwners(claims));
}

/** Stores the outcomes of many claims. What one statement should not carry takes more of them, each with its own time. */
async function completeWithin(
  transaction: PoolClient,
  completions: readonly Completion[],
): Promise<readonly boolean[]> {
  const written: boolean[] = [];
  for (const part of inParts(completions)) {
    written.push(...(await ask(transaction, COMPLETE_WITHIN, askedOutcomes(part))));
  }
  return written;
}

/** Completions by their order, as many together as fit into a statement, at least one. */
function inParts(completions: readonly Completion[]): readonly (readonly Completion[])[] {
  const parts: Completion[][] = [];
  let partBytes = Number.POSITIVE_INFINITY;
  for (const completion of completions) {
    const sizeBytes = sizeOfCompletion(completion);
    if (partBytes + sizeBytes > ownersBatches.maxBatchBytes) {
      parts.push([]);
      partBytes = 0;
    }
    parts.at(-1)?.push(completion);
    partBytes += sizeBytes;
  }
  return parts;
}

/** Stores the outcomes of a batch, or a large one that is alone. */
async function complete(
  pool: Pool,
  batch: readonly Completion[],
  lockTimeoutMs: number,
): Promise<readonly boolean[]> {
  const [first] = batch;
  const asked = askedOutcomes(batch, lockTimeoutMs);
  if (first === undefined || sizeOfCompletion(first) <= ownersBatches.maxBatchBytes) {
    return ask(pool, COMPLETE, asked);
  }
  return found(asked, await queryLarge<OwnerRow>(pool, { ...COMPLETE, values: asked.values }));
}

/** The parameters of a statement for many owners. */
interface Asked {
  readonly count: number;
  readonly values: (Buffer | number)[];
}

/** Runs a statement that answers with the owners whose claims it found. */
async function ask(
  database: Pool | PoolClient,
  statement: { readonly name: string; readonly text: string },
  asked: Asked,
): Promise<readonly boolean[]> {
  return found(asked, await database.query<OwnerRow>({ ...statement, values: asked.values }));
}

/** Returns by position whether each claim was found. */
function found({ count }: Asked, { rows }: QueryResult<OwnerRow>): readonly boolean[] {
  const ordinals = new Set(rows.map(({ ordinal }) => ordinal));
  return Array.from({ length: count }, (_, index) => ordinals.has(index + 1));
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

/** Returns the state of a suspended record, its lease from now on, and the reason. */
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

import type { Pool, PoolClient } from "pg";
import { encodeOutcome, type Outcome } from "../../idempotency/outcome.js";
import { scopeHash } from "../../idempotency/scope.js";
import type { Claim } from "../../idempotency/store.js";
import { type Batches, createBatches, type Settled } from "../../runtime/batches.js";
import { bigint, bytea, columns, float8, text } from "../../runtime/columns.js";
import { databaseBatches } from "../../runtime/database-batches.js";
import { COMPLETE, COMPLETE_WITHIN, HOLD_OWNERSHIP, type OwnerRow } from "./statements.js";

/** What an owner ends its claim with. */
export interface Completion {
  readonly claim: Claim;
  readonly outcome: Outcome;
  readonly retentionMs: number;
}

/** The writes of owners that many share a statement. Each resolves with whether it found its claim. */
export interface OwnerWrites {
  complete(completion: Completion): Promise<boolean>;
  completeWithin(transaction: PoolClient, completion: Completion): Promise<boolean>;
  holdWithin(transaction: PoolClient, claim: Claim): Promise<boolean>;
}

export function createOwnerWrites(pool: Pool): OwnerWrites {
  const completions = createBatches<Completion, boolean>({
    ...databaseBatches,
    run: (batch) => ask(pool, COMPLETE, askedOutcomes(batch)),
    subjectOf: ({ claim }) => recordOf(claim),
  });
  const completedWithin = perTransaction<Completion>({
    run: (transaction, batch) => ask(transaction, COMPLETE_WITHIN, askedOutcomes(batch)),
    subjectOf: ({ claim }) => recordOf(claim),
  });
  const heldWithin = perTransaction<Claim>({
    run: (transaction, claims) => ask(transaction, HOLD_OWNERSHIP, askedOwners(claims)),
    subjectOf: recordOf,
  });
  return {
    complete: (completion) => completions.add(completion),
    completeWithin: (transaction, completion) => completedWithin(transaction).add(completion),
    holdWithin: (transaction, claim) => heldWithin(transaction).add(claim),
  };
}

/** Gathers what is asked of one transaction in one go: a transaction that writes for many owners. */
function perTransaction<Item>({
  run,
  subjectOf,
}: {
  readonly run: (
    transaction: PoolClient,
    items: readonly Item[],
  ) => Promise<readonly Settled<boolean>[]>;
  readonly subjectOf: (item: Item) => string;
}): (transaction: PoolClient) => Batches<Item, boolean> {
  const made = new WeakMap<PoolClient, Batches<Item, boolean>>();
  return (transaction) => {
    let batches = made.get(transaction);
    if (batches === undefined) {
      batches = createBatches({
        run: (items) => run(transaction, items),
        subjectOf,
        lanes: 1, // a connection runs one statement after another
        maxBatchSize: Number.POSITIVE_INFINITY, // the transaction's own batch is bounded
        maxWaiting: Number.POSITIVE_INFINITY,
        soon: queueMicrotask,
      });
      made.set(transaction, batches);
    }
    return batches;
  };
}

/** Runs a statement that answers with the owners whose claims it found. */
async function ask(
  database: Pool | PoolClient,
  statement: { readonly name: string; readonly text: string },
  asked: { readonly count: number; readonly values: Buffer[] },
): Promise<readonly Settled<boolean>[]> {
  const { rows } = await database.query<OwnerRow>({ ...statement, values: asked.values });
  const found = new Set(rows.map(({ ordinal }) => ordinal));
  return Array.from({ length: asked.count }, (_, index) => ({
    ok: true,
    value: found.has(index + 1),
  }));
}

function askedOwners(claims: readonly Claim[]) {
  const values = columns(
    claims,
    text(({ scope }) => scope.tenant),
    bytea(({ scope }) => scopeHash(scope)),
    bigint(({ fencingToken }) => fencingToken),
    text(({ claimId }) => claimId),
  );
  return { count: claims.length, values };
}

function askedOutcomes(completions: readonly Completion[]) {
  const { count, values } = askedOwners(completions.map(({ claim }) => claim));
  const outcomes = columns(
    completions,
    bytea(({ outcome }) => encodeOutcome(outcome)),
    float8(({ retentionMs }) => retentionMs),
  );
  return { count, values: [...values, ...outcomes] };
}

/** The record that a claim is about: no two writes of a batch may be about the same. */
export function recordOf({ scope }: Pick<Claim, "scope">): string {
  return Buffer.from(scopeHash(scope)).toString("latin1");
}

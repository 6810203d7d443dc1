import type { Pool, PoolClient } from "pg";
import type { Execution } from "../../idempotency/call.js";
import { ClaimLost } from "../../idempotency/errors.js";
import type { Settled } from "../../runtime/batches.js";
import { inPipelinedTransaction } from "../../runtime/transaction.js";

/** Work under a claim. */
export interface Owned {
  readonly execution: Execution<PoolClient>;
}

/** A step of many operations in one transaction. */
export interface Step<Item extends Owned, Read, Result> {
  /** Reads and locks what the step needs, for all items. Writes nothing. */
  read(transaction: PoolClient, items: readonly Item[]): Promise<Read>;
  /** Writes for those that still own their claims, and answers by position. */
  write(
    transaction: PoolClient,
    owned: readonly Item[],
    read: Read,
  ): Promise<readonly Settled<Result>[]>;
}

/**
 * Takes a step for many owners in one transaction, which holds their claims:
 * nobody can take one over before the commit. Those that have lost theirs
 * fail with ClaimLost, and only they.
 */
export function asOwners<Item extends Owned, Read, Result>(
  pool: Pool,
  {
    items,
    step,
    ...options
  }: {
    readonly items: readonly Item[];
    readonly step: Step<Item, Read, Result>;
    readonly lockTimeoutMs: number;
  },
): Promise<readonly Settled<Result>[]> {
  return inPipelinedTransaction(pool, {
    ...options,
    async open(transaction) {
      const assertions = Promise.allSettled(
        items.map(({ execution }) => execution.assertOwner(transaction)),
      );
      await undefined; // until they are on their way: claims are locked before payments
      const reading = Promise.allSettled([step.read(transaction, items)]);
      const lost = (await assertions).map(lostOf);
      const [read] = await reading;
      if (read.status === "rejected") {
        throw read.reason;
      }
      return { lost, read: read.value };
    },
    async work(transaction, { lost, read }) {
      const owned = items.filter((_, index) => lost[index] === undefined);
      const next = (await step.write(transaction, owned, read)).values();
      return lost.map((error) => (error === undefined ? taken(next.next()) : { ok: false, error }));
    },
  });
}

/** @throws what failed for all: the statement. */
function lostOf(assertion: PromiseSettledResult<void>): ClaimLost | undefined {
  if (assertion.status === "fulfilled") {
    return undefined;
  }
  if (assertion.reason instanceof ClaimLost) {
    return assertion.reason;
  }
  throw assertion.reason;
}

function taken<Result>({ value }: IteratorResult<Settled<Result>>): Settled<Result> {
  return value ?? { ok: false, error: new Error("the step has no result for this item") };
}

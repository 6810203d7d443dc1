import type { Pool, PoolClient } from "pg";
import type { Execution } from "../../idempotency/call.js";
import { ClaimLost } from "../../idempotency/errors.js";
import type { Settled } from "../../runtime/batches.js";
import { inTransaction } from "../../runtime/transaction.js";

/** Work under a claim. */
export interface Owned {
  readonly execution: Execution<PoolClient>;
}

export interface AsOwnersOptions<Item extends Owned, Result> {
  readonly items: readonly Item[];
  readonly work: (
    transaction: PoolClient,
    owned: readonly Item[],
  ) => Promise<readonly Settled<Result>[]>;
  /** Bounds each wait for a lock. Default: only the statement's own limit does. */
  readonly lockTimeoutMs?: number;
}

/**
 * Does the work of many owners in one transaction, which holds their claims:
 * nobody can take one over before the commit. Those that have lost theirs
 * fail with ClaimLost, and only they.
 */
export function asOwners<Item extends Owned, Result>(
  pool: Pool,
  { items, work, ...options }: AsOwnersOptions<Item, Result>,
): Promise<readonly Settled<Result>[]> {
  const workOnAll = async (transaction: PoolClient): Promise<readonly Settled<Result>[]> => {
    const assertions = await Promise.allSettled(
      items.map(({ execution }) => execution.assertOwner(transaction)),
    );
    const lost = assertions.map((assertion) => {
      if (assertion.status === "rejected" && !(assertion.reason instanceof ClaimLost)) {
        throw assertion.reason; // of the statement, so of all
      }
      return assertion.status === "rejected" ? assertion.reason : undefined;
    });
    const results = await work(
      transaction,
      items.filter((_, index) => lost[index] === undefined),
    );
    const next = results.values();
    return lost.map((error) => (error === undefined ? taken(next.next()) : { ok: false, error }));
  };
  return inTransaction(pool, workOnAll, options);
}

function taken<Result>({ value }: IteratorResult<Settled<Result>>): Settled<Result> {
  return value ?? { ok: false, error: new Error("the work has no result for this item") };
}

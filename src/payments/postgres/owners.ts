import type { Pool, PoolClient } from "pg";
import type { Execution } from "../../idempotency/execution/call.js";
import type { Outcome } from "../../idempotency/port/outcome.js";
import type { Completion } from "../../idempotency/port/store.js";
import type { OwnedWork, Written } from "../../runtime/owned-work.js";

/** Work under a claim. */
export interface Owned {
  readonly execution: Execution<PoolClient>;
}

/** Work of an owner, and the answer that ends its call with it, if there is one. */
export interface Writing extends Owned {
  readonly outcome?: Outcome;
}

/** Does work for many owners in one statement, and says by position what became of each. */
export type WriteOwned = (
  work: OwnedWork,
  writing: readonly Writing[],
  /** The columns of the work, a value for each. */
  values: readonly Buffer[],
) => Promise<readonly Written[]>;

/** The store of record, which holds the claims. */
export interface Owners {
  writeOwned(
    pool: Pool,
    write: {
      readonly work: OwnedWork;
      readonly rows: readonly (Pick<Completion, "claim" | "retentionMs"> &
        Pick<Writing, "outcome">)[];
      readonly values: readonly Buffer[];
      readonly lockTimeoutMs: number;
    },
  ): Promise<readonly Written[]>;
}

/** Writes with the store, on a pool. */
export function writerOf(pool: Pool, owners: Owners, lockTimeoutMs: number): WriteOwned {
  return async (work, writing, values) => {
    if (writing.length === 0) {
      return [];
    }
    const rows = writing.map(({ execution: { ownership }, outcome }) => {
      const { claim, retentionMs, onWritten } = ownership;
      if (outcome !== undefined) {
        // Before it is: a heartbeat that finds the claim completed must not take it for lost.
        onWritten(outcome);
      }
      return { claim, retentionMs, ...(outcome === undefined ? {} : { outcome }) };
    });
    return owners.writeOwned(pool, { work, rows, values, lockTimeoutMs });
  };
}

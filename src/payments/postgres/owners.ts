import type { Pool, PoolClient } from "pg";
import { ClaimLost } from "../../idempotency/answers/errors.js";
import type { Execution } from "../../idempotency/execution/call.js";
import { type Answer, completeWithin, ownWithin } from "../../idempotency/execution/ownership.js";
import type { Settled } from "../../runtime/batches.js";
import { pipelined, type Statement, write } from "../../runtime/statements.js";
import { inOpenedTransaction } from "../../runtime/transaction.js";

/** Work under a claim. */
export interface Owned {
  readonly execution: Execution<PoolClient>;
}

/** A step of many operations in one transaction. */
export interface Step<Item extends Owned, Read, Result> {
  /** Reads and locks what the step needs, for all items. Writes nothing. */
  read(transaction: PoolClient, items: readonly Item[]): Promise<Read>;
  /** Decides what to write for those that still own their claims. */
  plan(owned: readonly Item[], read: Read): Planned<Result>;
}

export interface Planned<Result> {
  readonly statements: readonly Statement[];
  /** The answers of calls that end with the step, stored in its commit. */
  readonly answers?: readonly Answer<PoolClient>[];
  /** By position. */
  readonly results: readonly Settled<Result>[];
}

/**
 * Takes a step for many owners in one transaction, which holds their claims:
 * nobody can take one over before the commit. Those that have lost theirs
 * fail with ClaimLost, and only they. Claims are locked before payments.
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
  const executions = items.map(({ execution }) => execution);
  return inOpenedTransaction(pool, {
    ...options,
    async open(transaction) {
      const sent: { reading?: Promise<Read> } = {};
      const owns = await ownWithin(transaction, executions, () => {
        sent.reading = step.read(transaction, items);
        sent.reading.catch(() => {}); // its failure is reported below, unless it follows from the other
      });
      if (sent.reading === undefined) {
        throw new Error("the store has not said when its statement was sent");
      }
      return { owns, read: await sent.reading };
    },
    async work(transaction, { owns, read }) {
      const owned = items.filter((_, index) => owns[index]);
      const { statements, answers = [], results } = step.plan(owned, read);
      await pipelined(transaction, () => [
        write(transaction, statements),
        completeWithin(transaction, answers),
      ]);
      const next = results.values();
      return owns.map((isOwner) => (isOwner ? taken(next.next()) : LOST));
    },
  });
}

const LOST: Settled<never> = { ok: false, error: new ClaimLost() };

function taken<Result>({ value }: IteratorResult<Settled<Result>>): Settled<Result> {
  return value ?? { ok: false, error: new Error("the step has no result for this item") };
}

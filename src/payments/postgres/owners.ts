import type { Pool, PoolClient } from "pg";
import { ClaimLost } from "../../idempotency/answers/errors.js";
import type { Execution } from "../../idempotency/execution/call.js";
import { ownWithin } from "../../idempotency/execution/ownership.js";
import type { Outcome } from "../../idempotency/port/outcome.js";
import type { Completion } from "../../idempotency/port/store.js";
import type { Settled } from "../../runtime/batches.js";
import type { OwnedWork, Written } from "../../runtime/owned-work.js";
import { type Statement, write } from "../../runtime/statements.js";
import { inOpenedTransaction } from "../../runtime/transaction.js";

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

/** A step of many operations in one transaction. */
export interface Step<Item extends Owned, Read, Result> {
  /** Reads and locks what the step needs, for all items. Writes nothing. */
  read(transaction: PoolClient, items: readonly Item[]): Promise<Read>;
  /** Decides what to write for those that still own their claims. */
  plan(owned: readonly Item[], read: Read): Planned<Result>;
}

export interface Planned<Result> {
  readonly statements: readonly Statement[];
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
      const { statements, results } = step.plan(owned, read);
      await write(transaction, statements);
      const next = results.values();
      return owns.map((isOwner) => (isOwner ? taken(next.next()) : LOST));
    },
  });
}

const LOST: Settled<never> = { ok: false, error: new ClaimLost() };

function taken<Result>({ value }: IteratorResult<Settled<Result>>): Settled<Result> {
  return value ?? { ok: false, error: new Error("the step has no result for this item") };
}

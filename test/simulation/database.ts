import type { Clock } from "../../src/idempotency/clock.js";
import { ClaimLost } from "../../src/idempotency/errors.js";
import type { Claim, IdempotencyStore } from "../../src/idempotency/store.js";
import type { Settled } from "../../src/runtime/batches.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";

/** An operation as the payment service keeps it, cut down to what its answer needs. */
export interface Operation {
  readonly processorKey: string;
  readonly state: "pending" | "unknown" | "approved" | "declined";
  /** Grows with each write, so that the answers of two attempts differ where their writes did. */
  readonly version: number;
  readonly beginTimeMs: number;
}

/** What all operations of a world are captures of: there is one unit to be had. */
export interface Payment {
  readonly authorized: 1;
  readonly captured: number;
  /** The operations that have been begun and have no result, one unit each. */
  readonly inFlight: readonly string[];
}

/** Writes that take effect together, if every claim they rest on still has its owner. */
export interface Transaction {
  /** The rows as they are, and as the transaction leaves them. */
  find(id: string): Operation | undefined;
  put(id: string, operation: Operation): void;
  findPayment(): Payment;
  putPayment(payment: Payment): void;
  /** Runs at the commit; answers whether it was allowed to. */
  atCommit(write: () => Promise<boolean>): void;
}

/** What a transaction does. */
export type Work = (transaction: Transaction) => Promise<void>;

/** The store of record and the rows beside it, in one database. */
export interface Database {
  readonly store: IdempotencyStore<Transaction>;
  /**
   * Runs works in one commit, all of it in the one moment in which the request
   * arrives. None sees what the others write. Each fails by itself, unless the
   * commit does.
   */
  transact(works: readonly Work[], end: "commit" | "roll_back"): Promise<readonly Settled<void>[]>;
}

export function createDatabase(options: {
  readonly clock: Clock;
  /** Puts something between the store and everybody who uses it. */
  readonly wrap: (store: IdempotencyStore<Transaction>) => IdempotencyStore<Transaction>;
  /** Told of each row that was written, and under which claim. */
  readonly onWrite: (id: string, owner: Claim) => void;
}): Database {
  const operations = new Map<string, Operation>();
  let payment: Payment = { authorized: 1, captured: 0, inFlight: [] };
  // It looks at no transaction; those here apply their completion at the commit.
  const inner = options.wrap(createMemoryStore({ clock: options.clock }));
  const owners = new WeakMap<Transaction, Claim>();

  const store: IdempotencyStore<Transaction> = {
    ...inner,
    async ownsWithin(transaction, claim) {
      owners.set(transaction, claim);
      return inner.ownsWithin(transaction, claim);
    },
    async completeWithin(transaction, claim, outcome, retentionMs) {
      transaction.atCommit(() => inner.completeWithin(transaction, claim, outcome, retentionMs));
      return inner.ownsWithin(transaction, claim);
    },
  };

  /** Runs the work on the rows as they are; what it returns makes its writes count, or says why not. */
  async function prepare(work: Work): Promise<() => Promise<Settled<void>>> {
    const written = new Map<string, Operation>();
    let writtenPayment = payment;
    const commits: (() => Promise<boolean>)[] = [];
    const transaction: Transaction = {
      find: (id) => written.get(id) ?? operations.get(id),
      put: (id, operation) => written.set(id, operation),
      findPayment: () => writtenPayment,
      putPayment(after) {
        writtenPayment = after;
      },
      atCommit: (write) => commits.push(write),
    };
    try {
      await work(transaction);
    } catch (error) {
      return async () => ({ ok: false, error });
    }
    return async () => {
      for (const commit of commits) {
        if (!(await commit())) {
          return { ok: false, error: new ClaimLost() };
        }
      }
      payment = writtenPayment;
      const owner = owners.get(transaction);
      for (const [id, operation] of written) {
        operations.set(id, operation);
        if (owner !== undefined) {
          options.onWrite(id, owner);
        }
      }
      return { ok: true, value: undefined };
    };
  }

  return {
    store,
    async transact(works, end) {
      const commits: Awaited<ReturnType<typeof prepare>>[] = [];
      for (const work of works) {
        commits.push(await prepare(work));
      }
      if (end === "roll_back") {
        throw new Error("the database went away before the commit");
      }
      const results: Settled<void>[] = [];
      for (const commit of commits) {
        results.push(await commit());
      }
      return results;
    },
  };
}

/** Work whose result is kept for after the commit. */
export function keepResult<Result>(work: (transaction: Transaction) => Promise<Result>): {
  readonly work: Work;
  result(): Result;
} {
  let kept: { readonly result: Result } | undefined;
  return {
    async work(transaction) {
      kept = { result: await work(transaction) };
    },
    result() {
      if (kept === undefined) {
        throw new Error("the work has not run");
      }
      return kept.result;
    },
  };
}

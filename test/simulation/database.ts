import { ClaimLost } from "../../src/idempotency/answers/errors.js";
import type { Clock } from "../../src/idempotency/clock.js";
import type { Scope } from "../../src/idempotency/port/scope.js";
import type {
  Claim,
  ClaimRequest,
  IdempotencyStore,
  RecordState,
} from "../../src/idempotency/port/store.js";
import type { Operation } from "../../src/payments/operation.js";
import type { Payment } from "../../src/payments/payment.js";
import type { Settled } from "../../src/runtime/batches.js";
import { createMemoryStore } from "../../src/stores/memory/index.js";
import { emptyMemoryState, type MemoryState } from "../../src/stores/memory/store.js";
import { scopeKey } from "../../src/stores/scope-key.js";

/** Writes that take effect together, if every claim they rest on still has its owner. */
export interface Transaction {
  /** The rows as they are, and as the transaction leaves them. */
  findOperation(id: string): Operation | undefined;
  putOperation(operation: Operation): void;
  findPayment(id: string): Payment | undefined;
  putPayment(payment: Payment): void;
  /** Runs at the commit; answers whether it was allowed to. */
  atCommit(write: () => Promise<boolean>): void;
}

/** What a transaction does. */
export type Work = (transaction: Transaction) => Promise<void>;

/** All that a backup holds and a restore puts back. */
export interface Rows {
  readonly operations: Map<string, Operation>;
  readonly payments: Map<string, Payment>;
  readonly records: MemoryState;
  /** How often it was restored, as a counter among the rows knows it. */
  restores: number;
}

/** The store of record and the rows beside it, in one database. */
export interface Database {
  readonly store: IdempotencyStore<Transaction>;
  /**
   * Runs works in one commit, all of it in the one moment in which the request
   * arrives. None sees what the others write. Each fails by itself, unless the
   * commit does.
   */
  transact(works: readonly Work[], end: "commit" | "roll_back"): Promise<readonly Settled<void>[]>;
  readonly rows: Rows;
  /** The state of a key's record as it is stored, if there is one. */
  recordState(scope: Scope): RecordState | undefined;
  backUp(): Rows;
  putBack(backup: Rows): void;
}

/** The rows that begin with a claim, and what its execution is told of them. */
export interface FirstRows {
  readonly operation: Operation;
  readonly payment: Payment;
  readonly begun: object;
}

export function createDatabase(options: {
  readonly clock: Clock;
  /** Puts something between the store and everybody who uses it. */
  readonly wrap: (store: IdempotencyStore<Transaction>) => IdempotencyStore<Transaction>;
  /** Told of each row that was written, and under which claim. */
  readonly onWrite: (id: string, owner: Claim) => void;
  /** What begins in the same moment as a claim that is the first of its key, if anything does. */
  readonly firstWork: (request: ClaimRequest) => FirstRows | undefined;
  /** Told of each commit. */
  readonly onCommit: () => void;
}): Database {
  const rows: Rows = {
    operations: new Map(),
    payments: new Map(),
    records: emptyMemoryState(),
    restores: 0,
  };
  // It looks at no transaction; those here apply what ends a claim at the commit.
  const inner = options.wrap(createMemoryStore({ clock: options.clock, state: rows.records }));
  const owners = new WeakMap<Transaction, Claim>();

  const store: IdempotencyStore<Transaction> = {
    ...inner,
    async claim(request) {
      const isNew = !rows.records.records.has(scopeKey(request.scope));
      const result = await inner.claim(request);
      const first = isNew && result.kind === "claimed" ? options.firstWork(request) : undefined;
      // Where it is there already, the claim is made without.
      if (
        first === undefined ||
        result.kind !== "claimed" ||
        rows.operations.has(first.operation.id) ||
        rows.payments.has(first.payment.id)
      ) {
        return result;
      }
      rows.operations.set(first.operation.id, first.operation);
      rows.payments.set(first.payment.id, first.payment);
      options.onWrite(first.operation.id, result.claim);
      options.onCommit();
      return { ...result, begun: first.begun };
    },
    async ownWithin(transaction, claims) {
      for (const claim of claims) {
        owners.set(transaction, claim); // each has a transaction of its own here
      }
      return inner.ownWithin(transaction, claims);
    },
    async completeWithin(transaction, completions) {
      transaction.atCommit(async () =>
        (await inner.completeWithin(transaction, completions)).every((isWritten) => isWritten),
      );
      return inner.ownWithin(
        transaction,
        completions.map(({ claim }) => claim),
      );
    },
    async reopenWithin(transaction, claim) {
      owners.set(transaction, claim);
      transaction.atCommit(() => inner.reopenWithin(transaction, claim));
      const [isOwner = false] = await inner.ownWithin(transaction, [claim]);
      return isOwner;
    },
  };

  /** Runs the work on the rows as they are; what it returns makes its writes count, or says why not. */
  async function prepare(work: Work): Promise<() => Promise<Settled<void>>> {
    const operations = new Map<string, Operation>();
    const payments = new Map<string, Payment>();
    const commits: (() => Promise<boolean>)[] = [];
    const transaction: Transaction = {
      findOperation: (id) => operations.get(id) ?? rows.operations.get(id),
      putOperation: (operation) => operations.set(operation.id, operation),
      findPayment: (id) => payments.get(id) ?? rows.payments.get(id),
      putPayment: (payment) => payments.set(payment.id, payment),
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
      const owner = owners.get(transaction);
      for (const [id, operation] of operations) {
        rows.operations.set(id, operation);
        if (owner !== undefined) {
          options.onWrite(id, owner);
        }
      }
      for (const [id, payment] of payments) {
        rows.payments.set(id, payment);
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
      options.onCommit();
      return results;
    },
    rows,
    recordState: (scope) => rows.records.records.get(scopeKey(scope))?.state,
    backUp: () => structuredClone(rows),
    putBack(backup) {
      const { operations, payments, records, restores } = structuredClone(backup);
      refill(rows.operations, operations);
      refill(rows.payments, payments);
      refill(rows.records.records, records.records);
      rows.records.lastToken = records.lastToken;
      rows.restores = restores + 1;
    },
  };
}

function refill<Key, Value>(map: Map<Key, Value>, values: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of values) {
    map.set(key, value);
  }
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

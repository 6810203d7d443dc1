import type { Pool, PoolClient } from "pg";
import { type Batches, createBatches, type Settled, settled } from "../../runtime/batches.js";
import { mayBeOneRow } from "../../runtime/row-errors.js";
import { type Intent, type Operated, operationIdOf } from "../operation.js";
import { type Beginning, type Begun, beginAll } from "./begin.js";
import { type Finishing, finishAll } from "./finish.js";
import { asOwners, type Owned } from "./owners.js";
import { markAllUnknown, type Unanswered } from "./unknown.js";

/** Two, so that a batch that waits for a lock does not hold up the next one. */
const LANES = 2;

/** One transaction's work: some milliseconds. More at once would only make all of them wait. */
const MAX_BATCH_SIZE = 128;

/** As many as a process has calls under way at most. */
const MAX_WAITING = 10_000;

/**
 * The transactions of operations, each shared by those that come together. An
 * item that is refused fails alone. Where a transaction fails, its items are
 * tried one by one, so what one of them has spoiled costs the others time only.
 */
export interface Steps {
  /** See `beginAll`. `readIntent` throws if the request is not valid. */
  begin(owned: Owned, readIntent: () => Intent): Promise<Begun>;
  finish(finishing: Finishing): Promise<Operated>;
  markUnknown(unanswered: Unanswered): Promise<void>;
}

export function createSteps(pool: Pool): Steps {
  function batchesOf<Item extends Owned, Result>(
    work: (transaction: PoolClient, items: readonly Item[]) => Promise<readonly Settled<Result>[]>,
    paymentIdOf: (item: Item) => string,
  ): Batches<Item, Result> {
    return createBatches({
      run: (items) => asOwners(pool, items, work),
      // Two operations of one transaction would not see what the other reserves.
      subjectOf: (item) => `${item.execution.scope.tenant} ${paymentIdOf(item)}`,
      lanes: LANES,
      maxBatchSize: MAX_BATCH_SIZE,
      maxWaiting: MAX_WAITING,
      mayRepeat: mayBeOneRow,
    });
  }

  const beginnings = batchesOf(beginAll, changedPaymentOf);
  const finishings = batchesOf(finishAll, ({ operation }: Finishing) => operation.paymentId);
  const unanswered = batchesOf(markAllUnknown, ({ operation }: Unanswered) => operation.paymentId);
  return {
    begin: ({ execution }, readIntent) =>
      beginnings.add({ execution, intent: settled(readIntent) }),
    finish: (finishing) => finishings.add(finishing),
    markUnknown: (item) => unanswered.add(item),
  };
}

/** The payment that a beginning may change; one that changes none has its operation alone. */
function changedPaymentOf({ execution, intent }: Beginning): string {
  return intent.ok && intent.value.kind !== "create"
    ? intent.value.paymentId
    : operationIdOf(execution.scope);
}

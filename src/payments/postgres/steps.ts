import type { Pool } from "pg";
import { type Batches, createBatches, settled } from "../../runtime/batches.js";
import { LOCK_TIMEOUTS_MS, ownersBatches } from "../../runtime/database-batches.js";
import type { ReadMoment } from "../key-window.js";
import { type Intent, operationIdOf } from "../operation.js";
import { type Begun, createBeginStep, type ToBegin } from "./begin.js";
import { createFindOperated } from "./find-operated.js";
import { createFinishStep, type Finished, type Finishing } from "./finish.js";
import { type Owned, type Owners, type WriteOwned, writerOf } from "./owners.js";
import { type PlannedStep, takeStep } from "./planned-step.js";
import { nameKey } from "./rows.js";
import { createUnknownStep, type Unanswered } from "./unknown.js";

/**
 * The transactions of operations, each shared by those that come together. An
 * item that is refused fails alone. Where a transaction fails, its items are
 * tried one by one, so what one of them has spoiled costs the others time only.
 * What has to wait for a lock waits patiently: giving up would leave an outcome
 * unknown, and finding it out costs more than the wait.
 */
export interface Steps {
  /** See `createBeginStep`. `readIntent` throws if the request is not valid. */
  begin(owned: Owned, readIntent: () => Intent): Promise<Begun>;
  finish(finishing: Finishing): Promise<Finished>;
  markUnknown(unanswered: Unanswered): Promise<void>;
}

export interface StepsOptions {
  readonly pool: Pool;
  readonly owners: Owners;
  readonly readMoment: ReadMoment;
  /** See `settle`. */
  readonly actionTimeoutMs: number;
}

export function createSteps({ pool, owners, readMoment, actionTimeoutMs }: StepsOptions): Steps {
  const findOperated = createFindOperated(pool);

  function batchesOf<Item extends Owned, Known, Plan>(
    stepWith: (write: WriteOwned) => PlannedStep<Item, Known, Plan>,
    paymentIdOf: (item: Item) => string,
  ): Batches<Item, Plan> {
    return createBatches<Item, Plan>({
      // No bytes are counted: by the bounds of the schema, so many payments take 15 MB at most.
      ...ownersBatches,
      partyOf: ({ execution }) => execution.scope.tenant,
      run: (items, turn) =>
        takeStep(stepWith(writerOf(pool, owners, LOCK_TIMEOUTS_MS[turn])), items),
      // Two operations of one batch would not see what the other reserves.
      subjectOf: (item) => nameKey({ tenant: item.execution.scope.tenant, id: paymentIdOf(item) }),
    });
  }

  const beginnings = batchesOf(
    (write) => createBeginStep({ pool, write, readMoment }),
    changedPaymentOf,
  );
  const finishings = batchesOf(
    (write) => createFinishStep({ write, findOperated, readMoment, actionTimeoutMs }),
    ({ begun }: Finishing) => begun.payment.id,
  );
  const unanswered = batchesOf(
    (write) => createUnknownStep({ write, findOperated, readMoment }),
    ({ begun }: Unanswered) => begun.payment.id,
  );
  return {
    begin: ({ execution }, readIntent) =>
      beginnings.add({ execution, intent: settled(readIntent) }),
    finish: (finishing) => finishings.add(finishing),
    async markUnknown(item) {
      await unanswered.add(item);
    },
  };
}

/** The payment that a beginning may change; one that changes none has its operation alone. */
function changedPaymentOf({ execution, intent }: ToBegin): string {
  return intent.ok && intent.value.kind !== "create"
    ? intent.value.paymentId
    : operationIdOf(execution.scope);
}

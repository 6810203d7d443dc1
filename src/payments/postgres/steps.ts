import type { Pool } from "pg";
import { type Batches, createBatches, settled } from "../../runtime/batches.js";
import { LOCK_TIMEOUTS_MS, ownersBatches } from "../../runtime/database-batches.js";
import type { ReadMoment } from "../key-window.js";
import { type Intent, operationIdOf } from "../operation.js";
import { type Begun, createBeginStep, type ToBegin } from "./begin.js";
import { findOperated } from "./find-operated.js";
import { type Finished, type Finishing, finishAll } from "./finish.js";
import { asOwners, type Owned, type Owners, type Step, writerOf } from "./owners.js";
import { nameKey } from "./rows.js";
import { type Unanswered, unknownStep } from "./unknown.js";

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
}

export function createSteps({ pool, owners, readMoment }: StepsOptions): Steps {
  function batchesOf<Item extends Owned, Read, Result>(
    step: Step<Item, Read, Result>,
    paymentIdOf: (item: Item) => string,
  ): Batches<Item, Result> {
    return createBatches<Item, Result>({
      ...gathered,
      run: (items, turn) => asOwners(pool, { items, step, lockTimeoutMs: LOCK_TIMEOUTS_MS[turn] }),
      subjectOf: (item) => subject(item.execution, paymentIdOf(item)),
    });
  }

  const beginnings = batchesOf(createBeginStep(readMoment), changedPaymentOf);
  const readAgain = (finishing: readonly Finishing[]) =>
    findOperated(
      pool,
      finishing.map(({ begun }) => begun.operation),
    );
  const finishings = createBatches<Finishing, Finished>({
    ...gathered,
    run: (items, turn) =>
      finishAll(
        { write: writerOf(pool, owners, LOCK_TIMEOUTS_MS[turn]), readAgain, readMoment },
        items,
      ),
    subjectOf: ({ execution, begun }) => subject(execution, begun.payment.id),
  });
  const unanswered = batchesOf(unknownStep, ({ operation }: Unanswered) => operation.paymentId);
  return {
    begin: ({ execution }, readIntent) =>
      beginnings.add({ execution, intent: settled(readIntent) }),
    finish: (finishing) => finishings.add(finishing),
    markUnknown: (item) => unanswered.add(item),
  };
}

/** No bytes are counted: by the bounds of the schema, so many payments take 15 MB at most. */
const gathered = {
  ...ownersBatches,
  partyOf: ({ execution }: Owned) => execution.scope.tenant,
} as const;

/** The payment of an operation. Two operations of one batch would not see what the other reserves. */
function subject({ scope }: Owned["execution"], paymentId: string): string {
  return nameKey({ tenant: scope.tenant, id: paymentId });
}

/** The payment that a beginning may change; one that changes none has its operation alone. */
function changedPaymentOf({ execution, intent }: ToBegin): string {
  return intent.ok && intent.value.kind !== "create"
    ? intent.value.paymentId
    : operationIdOf(execution.scope);
}

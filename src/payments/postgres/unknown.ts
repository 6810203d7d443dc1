import type { PoolClient } from "pg";
import type { Settled } from "../../runtime/batches.js";
import { together } from "../../runtime/transaction.js";
import type { Operation } from "../operation.js";
import { toUnknown } from "../state.js";
import { markOperationsUnknown, paymentNameOf } from "./operations.js";
import type { Owned } from "./owners.js";
import { appendEvents, lockPayments, updatePayments } from "./payments.js";

/** An operation whose processor was asked and did not answer. */
export interface Unanswered extends Owned {
  readonly operation: Operation;
}

/** Stores that the processor's answers are not known. What is reserved stays so. */
export async function markAllUnknown(
  transaction: PoolClient,
  unanswered: readonly Unanswered[],
): Promise<readonly Settled<void>[]> {
  const operations = unanswered.map(({ operation }) => operation);
  const creates = operations.filter(({ kind }) => kind === "create");
  const locked = await lockPayments(transaction, creates.map(paymentNameOf));
  const moved = locked.flatMap(({ payment, time: updateTime }) => {
    const after = toUnknown(payment);
    return after === payment ? [] : [{ ...after, updateTime }];
  });
  await together(transaction, () => [
    markOperationsUnknown(transaction, operations),
    updatePayments(transaction, moved),
    appendEvents(transaction, moved),
  ]);
  return unanswered.map(() => ({ ok: true, value: undefined }));
}

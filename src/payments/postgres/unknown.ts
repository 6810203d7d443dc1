import { sendPipelined } from "../../runtime/transaction.js";
import type { Operation } from "../operation.js";
import { toUnknown } from "../state.js";
import { appendEvents } from "./events.js";
import { markOperationsUnknown, paymentNameOf } from "./operations.js";
import type { Owned, Step } from "./owners.js";
import { type LockedPayment, lockPayments, updatePayments } from "./payments.js";
import { nameKey } from "./rows.js";

/** An operation whose processor was asked and did not answer. */
export interface Unanswered extends Owned {
  readonly operation: Operation;
}

/** Stores that the processor's answers are not known. What is reserved stays so. */
export const unknownStep: Step<Unanswered, readonly LockedPayment[], void> = {
  read: (transaction, unanswered) =>
    lockPayments(
      transaction,
      unanswered
        .filter(({ operation }) => operation.kind === "create")
        .map(({ operation }) => paymentNameOf(operation)),
    ),

  async write(transaction, unanswered, locked) {
    const operations = unanswered.map(({ operation }) => operation);
    const asked = new Set(operations.map((operation) => nameKey(paymentNameOf(operation))));
    const ours = locked.filter(({ payment }) => asked.has(nameKey(payment)));
    const moved = ours.flatMap(({ payment, time: updateTime }) => {
      const after = toUnknown(payment);
      return after === payment ? [] : [{ ...after, updateTime }];
    });
    await sendPipelined(transaction, () => [
      markOperationsUnknown(transaction, operations),
      updatePayments(transaction, moved),
      appendEvents(transaction, moved),
    ]);
    return unanswered.map(() => ({ ok: true, value: undefined }));
  },
};

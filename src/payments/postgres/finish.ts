import { settled } from "../../runtime/batches.js";
import type { Statement } from "../../runtime/statements.js";
import { type Ended, endWithDecision } from "../end-operation.js";
import type { Operated, Operation } from "../operation.js";
import type { ProcessorDecision } from "../processor.js";
import { appendEvents } from "./events.js";
import { book } from "./ledger.js";
import { finishOperations, paymentNameOf } from "./operations.js";
import type { Owned, Step } from "./owners.js";
import { type LockedPayment, lockPayments, updatePayments } from "./payments.js";
import { mustExist, nameKey } from "./rows.js";

/** An operation that the processor has decided. */
export interface Finishing extends Owned {
  readonly operation: Operation;
  readonly decision: ProcessorDecision;
  /** The amount of the decision, where it is not the one that the operation had reserved. */
  readonly minorUnits?: bigint | undefined;
  /** The serialized answer, to be stored with the work. Absent where the answer is an error. */
  readonly respond: (operated: Operated) => Uint8Array | undefined;
}

/** The rows that a finished operation writes. */
interface Plan extends Owned {
  readonly ended: Ended;
  readonly body: Uint8Array | undefined;
}

/** An operation that is finished, and its answer as it is stored. */
export interface Finished extends Operated {
  readonly body: Uint8Array | undefined;
}

/** Stores what the processor decided, and all that follows from it, the answers among it. */
export const finishStep: Step<Finishing, ReadonlyMap<string, LockedPayment>, Finished> = {
  async read(transaction, finishings) {
    const names = finishings.map(({ operation }) => paymentNameOf(operation));
    const locked = await lockPayments(transaction, names);
    return new Map(locked.map((lock) => [nameKey(lock.payment), lock]));
  },

  plan(finishings, locked) {
    const plans = finishings.map((finishing) => settled(() => planOf(finishing, locked)));
    const planned = plans.flatMap((plan) => (plan.ok ? [plan.value] : []));
    return {
      statements: statementsOf(planned.map(({ ended }) => ended)),
      answers: planned.flatMap(({ execution, body }) =>
        body === undefined ? [] : [{ execution, body }],
      ),
      results: plans.map((plan) =>
        plan.ok ? { ok: true, value: { ...plan.value.ended, body: plan.value.body } } : plan,
      ),
    };
  },
};

function planOf(
  { execution, operation: begun, decision, minorUnits, respond }: Finishing,
  locked: ReadonlyMap<string, LockedPayment>,
): Plan {
  const payment = mustExist(locked.get(nameKey(paymentNameOf(begun))), "a payment");
  const ended = endWithDecision(begun, payment, { decision, minorUnits });
  return { execution, ended, body: respond(ended) };
}

/** The statements that write the ends of operations. */
export function statementsOf(ended: readonly Ended[]): readonly Statement[] {
  const moved = ended.filter((one) => one.moved);
  return [
    finishOperations(ended.map(({ operation }) => operation)),
    updatePayments(ended.map(({ payment }) => payment)),
    appendEvents(moved.map(({ payment }) => payment)),
    book(ended.filter(({ operation }) => operation.state === "approved")),
  ];
}

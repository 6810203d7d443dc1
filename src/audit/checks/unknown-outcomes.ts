import type { Operation } from "../../payments/operation.js";
import { isBegun, isPastWindow, recordOf } from "../begun.js";
import { type Check, checkEach, operationText, paymentText, together } from "../check.js";
import { type IndexedFacts, nameOf } from "../index-facts.js";

/**
 * An outcome that is not known must have somebody who finds it out: a key that is being
 * executed, which I15 judges, or one that stands in the list of parked keys. Of
 * operations that reserve, I3 tells, and I15 of those past the processor's window.
 */
export const unknownOutcomes: Check = {
  id: "I11",
  title: "nothing stays unknown or in progress with nobody to find it out",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.operations, operationText, function* (operation) {
        const isOverdue = operation.beginTime.getTime() + facts.boundMs <= facts.now.getTime();
        const isOurs = operation.kind === "create" && !isPastWindow(facts, operation);
        if (isOurs && isBegun(operation) && isOverdue && !hasKeeper(facts, operation)) {
          yield `is ${operation.state} since ${operation.beginTime.toISOString()}, and no key finds it out`;
        }
      }),
      checkEach(facts.payments, paymentText, function* ({ tenant, id, status }) {
        const operations = facts.operationsByPayment.get(nameOf(tenant, id)) ?? [];
        const creation = operations.find(({ kind }) => kind === "create");
        const isBeingCreated = creation !== undefined && isBegun(creation);
        const isInProgress = status === "PROCESSING" || status === "UNKNOWN";
        if (isBeingCreated && !isInProgress) {
          yield `is ${status}, and the operation that creates it is ${creation.state}`;
        } else if (isInProgress && !isBeingCreated && creation?.state !== "not_executed") {
          yield `is ${status}, and nothing is in flight that creates it`;
        }
      }),
    ),
};

/** `notExecuted` reports a key that is free again while its operation has begun. */
function hasKeeper(facts: IndexedFacts, operation: Operation): boolean {
  const state = recordOf(facts, operation)?.state;
  return state === "executing" || state === "held" || state === "released";
}

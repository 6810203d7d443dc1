import type { Operation } from "../../payments/operation.js";
import { type Check, checkEach, operationText, paymentText, together } from "../check.js";
import { type IndexedFacts, nameOf } from "../index-facts.js";
import { isUnfinished } from "./amounts.js";

/**
 * What is not known must have somebody who finds it out: a key that is being
 * executed, which I15 judges, or one that stands in the list of parked keys. An
 * operation whose key an operator has freed waits for its call to be sent again.
 */
export const unknownOutcomes: Check = {
  id: "I11",
  title: "nothing stays unknown or in progress with nobody to find it out",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.operations, operationText, function* (operation) {
        const isOverdue = operation.beginTime.getTime() + facts.boundMs <= facts.now.getTime();
        if (isUnfinished(operation) && isOverdue && !hasKeeper(facts, operation)) {
          yield `is ${operation.state} since ${operation.beginTime.toISOString()}, and no key finds it out`;
        }
      }),
      checkEach(facts.payments, paymentText, function* ({ tenant, id, status }) {
        const operations = facts.operationsByPayment.get(nameOf(tenant, id)) ?? [];
        const isCreating = operations.some(
          (operation) => operation.kind === "create" && isUnfinished(operation),
        );
        if ((status === "PROCESSING" || status === "UNKNOWN") && !isCreating) {
          yield `is ${status}, and nothing is in flight that creates it`;
        }
      }),
    ),
};

function hasKeeper({ keyByOperation }: IndexedFacts, { tenant, id }: Operation): boolean {
  const state = keyByOperation.get(nameOf(tenant, id))?.record.state;
  return state === "executing" || state === "held";
}

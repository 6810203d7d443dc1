import type { Operation } from "../../payments/operation.js";
import { isBegun, isPastWindow, recordOf } from "../begun.js";
import { type Check, checkEach, operationText } from "../check.js";
import type { IndexedFacts } from "../index-facts.js";

/**
 * Past the processor's window nothing is sent any more. Whoever is at work
 * parks the operation, and an operator ends it: through its key, and with the
 * request that the key keeps. Whether somebody is at work, `wedgedKeys` judges.
 */
export const parkedOperations: Check = {
  id: "I15",
  title: "what is begun past the processor's window has a key by which it can be ended",
  needsCalls: false,
  check: (facts) =>
    checkEach(facts.operations, operationText, (operation) =>
      isBegun(operation) && isPastWindow(facts, operation)
        ? problemsOfOperation(facts, operation)
        : [],
    ),
};

function* problemsOfOperation(facts: IndexedFacts, operation: Operation): Iterable<string> {
  const record = recordOf(facts, operation);
  const began = `is ${operation.state} since ${operation.beginTime.toISOString()}, past the processor's window`;
  switch (record?.state) {
    case "executing":
    case "held":
      if (record.request === undefined) {
        yield `${began}, and its key is ${record.state} without a request: nobody can end it`;
      }
      return;
    case "released":
      return; // told of by I11
    case "completed":
    case "expired":
    case undefined:
      yield `${began}, and its key is ${record?.state ?? "gone"}: nobody can end it`;
  }
}

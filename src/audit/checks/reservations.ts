import type { Operation, OperationKind } from "../../payments/operation.js";
import { isBegun, recordOf } from "../begun.js";
import { type Check, checkEach, operationText, paymentText, together } from "../check.js";
import type { AuditedPayment } from "../facts.js";
import { type IndexedFacts, nameOf } from "../index-facts.js";

/**
 * A reservation is made and freed in the transactions that begin and end its
 * operation, and all of these hold the operation's key. So the two agree at
 * every instant, and there is always a key that will end them.
 */
export const reservations: Check = {
  id: "I3",
  title: "what a payment reserves is what its operations in flight ask for, and each has its key",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.payments, paymentText, (payment) =>
        problemsOfPayment(
          payment,
          facts.operationsByPayment.get(nameOf(payment.tenant, payment.id)) ?? [],
        ),
      ),
      checkEach(facts.operations, operationText, (operation) =>
        operation.kind !== "create" && isBegun(operation) ? problemsOfOwner(facts, operation) : [],
      ),
    ),
};

function* problemsOfPayment(
  { capturing, refunding, canceling }: AuditedPayment,
  operations: readonly Operation[],
): Iterable<string> {
  const inFlight = (kind: OperationKind) =>
    operations.filter((operation) => operation.kind === kind && isBegun(operation));
  if (capturing !== sum(inFlight("capture"))) {
    yield `reserves ${capturing} for captures in flight of ${sum(inFlight("capture"))}`;
  }
  if (refunding !== sum(inFlight("refund"))) {
    yield `reserves ${refunding} for refunds in flight of ${sum(inFlight("refund"))}`;
  }
  if (canceling !== inFlight("cancel").length > 0) {
    yield canceling ? "waits for a cancel that is not in flight" : "has a cancel in flight";
  }
}

/** I11 reports a key that is free again while its operation reserves. */
function* problemsOfOwner(facts: IndexedFacts, operation: Operation): Iterable<string> {
  const state = recordOf(facts, operation)?.state;
  if (state === undefined || state === "completed" || state === "expired") {
    yield `reserves for a ${operation.kind} that is ${operation.state}, and its key is ${state ?? "gone"}`;
  }
}

function sum(operations: readonly Operation[]): bigint {
  return operations.reduce((total, { minorUnits }) => total + minorUnits, 0n);
}

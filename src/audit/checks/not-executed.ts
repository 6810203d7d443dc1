import type { Operation } from "../../payments/operation.js";
import { NOT_EXECUTED } from "../../payments/state.js";
import { recordOf } from "../begun.js";
import { type Check, checkEach, operationText, paymentText, together } from "../check.js";
import type { AuditedPayment } from "../facts.js";
import { type IndexedFacts, nameOf } from "../index-facts.js";

/**
 * A key that is free for its own request, the operation that was not executed
 * and the payment that it was to create become so in one commit. What it had
 * reserved is freed in the same, of which I3 tells.
 */
export const notExecuted: Check = {
  id: "I11",
  title: "what was not executed has ended with its key, and its payment with it",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.operations, operationText, (operation) =>
        problemsOfOperation(facts, operation),
      ),
      checkEach(facts.payments, paymentText, (payment) => problemsOfPayment(facts, payment)),
    ),
};

function* problemsOfOperation(facts: IndexedFacts, operation: Operation): Iterable<string> {
  const { tenant, kind, state, declineCode, paymentId } = operation;
  if (state !== "not_executed" && recordOf(facts, operation)?.state === "released") {
    yield `is ${state}, and its key is released`;
  }
  if ((state === "not_executed") !== (declineCode === NOT_EXECUTED)) {
    yield `is ${state} with the decline code ${JSON.stringify(declineCode)}`;
  }
  const payment = facts.paymentByName.get(nameOf(tenant, paymentId));
  if (state === "not_executed" && kind === "create" && payment && !isNotExecuted(payment)) {
    yield `was not executed, and the payment that it was to create is ${stateText(payment)}`;
  }
}

function* problemsOfPayment(facts: IndexedFacts, payment: AuditedPayment): Iterable<string> {
  const operations = facts.operationsByPayment.get(nameOf(payment.tenant, payment.id)) ?? [];
  const state = operations.find(({ kind }) => kind === "create")?.state;
  if (isNotExecuted(payment) && (state === "approved" || state === "declined")) {
    yield `is ${stateText(payment)}, and the operation that creates it is ${state}`;
  }
}

function isNotExecuted({ status, declineCode }: AuditedPayment): boolean {
  return status === "DECLINED" && declineCode === NOT_EXECUTED;
}

function stateText({ status, declineCode }: AuditedPayment): string {
  return declineCode === "" ? status : `${status} (${declineCode})`;
}

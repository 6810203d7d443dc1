import { paymentIdOf, processorKeyOf } from "../../payments/operation.js";
import { type Check, checkEach, keyText, paymentText, together } from "../check.js";
import { type IndexedFacts, nameOf, type PaymentKey } from "../index-facts.js";

/** Names are derived anew where the key is still known; a tombstone has forgotten it. */
export const derivedNames: Check = {
  id: "I2",
  title: "operation id and processor key stand for one tenant, operation and key",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.keys, ({ scope }) => keyText(scope), problemsOfKey),
      checkEach(
        facts.operationsByProcessorKey,
        ([processorKey]) => `processor key ${processorKey}`,
        function* ([, operations]) {
          if (operations.length > 1) {
            yield `stands for ${operations.length} operations`;
          }
        },
      ),
      checkEach(facts.payments, paymentText, (payment) => problemsOfPayment(facts, payment)),
    ),
};

function* problemsOfKey({ scope, kind, operation }: PaymentKey): Iterable<string> {
  if (operation === undefined) {
    return; // it has not begun
  }
  if (operation.processorKey !== processorKeyOf(scope)) {
    yield `has another processor key than its operation ${operation.id}`;
  }
  if (operation.kind !== kind) {
    yield `belongs to a ${kind}, and its operation ${operation.id} is a ${operation.kind}`;
  }
  if (kind === "create" && operation.paymentId !== paymentIdOf(scope)) {
    yield `has another payment id than its operation ${operation.id}`;
  }
}

function* problemsOfPayment(
  facts: IndexedFacts,
  { tenant, id }: { readonly tenant: string; readonly id: string },
): Iterable<string> {
  const operations = facts.operationsByPayment.get(nameOf(tenant, id)) ?? [];
  const creations = operations.filter(({ kind }) => kind === "create").length;
  if (creations !== 1) {
    yield `was created by ${creations} operations`;
  }
}

import { scopeHash } from "../../idempotency/port/scope.js";
import { type Check, checkEach, keyText, together } from "../check.js";
import { type IndexedFacts, nameOf } from "../index-facts.js";
import { answeredPayment, kindOf } from "../payment-methods.js";

/** A row under a hash that is not its own would answer, or block, another's key. */
export const tenants: Check = {
  id: "I14",
  title: "every record and answer belongs to its own tenant",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(
        facts.records.flatMap(({ scope, scopeHash: stored }) => (scope ? [{ scope, stored }] : [])),
        ({ scope }) => keyText(scope),
        function* ({ scope, stored }) {
          if (Buffer.compare(scopeHash(scope), stored) !== 0) {
            yield "stands under the hash of another tenant, operation or key";
          }
        },
      ),
      checkEach(
        facts.paymentsById,
        ([id]) => `payment ${id}`,
        function* ([, payments]) {
          if (payments.length > 1) {
            yield `belongs to ${payments.map(({ tenant }) => tenant).join(" and ")}`;
          }
        },
      ),
      checkEach(
        answersOf(facts),
        ({ scope }) => keyText(scope),
        function* ({ scope: { tenant }, paymentId }) {
          const isOwn = facts.paymentByName.has(nameOf(tenant, paymentId));
          if (!isOwn && facts.paymentsById.has(paymentId)) {
            yield `is answered with payment ${paymentId} of another tenant`;
          }
        },
      ),
    ),
};

/** The payments in stored answers, and in those that clients saw. */
function* answersOf({ keys, calls = [] }: IndexedFacts) {
  for (const { scope, answered } of keys) {
    if (answered !== undefined) {
      yield { scope, paymentId: answered.id };
    }
  }
  for (const { scope, body } of calls) {
    const kind = kindOf(scope.operation);
    const answered = kind && answeredPayment(kind, body);
    if (answered !== undefined) {
      yield { scope, paymentId: answered.id };
    }
  }
}

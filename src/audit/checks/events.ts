import { type Check, checkEach, paymentText, together } from "../check.js";
import type { AuditedEvent, AuditedPayment } from "../facts.js";
import { nameOf } from "../index-facts.js";

/** Delivery is in the order of the ids, each at least once; so the ids must be in the right order. */
export const events: Check = {
  id: "I13",
  title: "one event for each version of a payment, in the order of the versions",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.payments, paymentText, (payment) =>
        problemsOfPayment(
          payment,
          facts.eventsByPayment.get(nameOf(payment.tenant, payment.id)) ?? [],
        ),
      ),
      checkEach(
        facts.events,
        ({ tenant, id }) => `event ${id} of ${tenant}`,
        function* ({ tenant, paymentId, version, payment }) {
          if (payment?.id !== paymentId || payment.version !== version) {
            yield `does not hold version ${version} of payment ${paymentId}`;
          }
          if (!facts.paymentByName.has(nameOf(tenant, paymentId))) {
            yield `tells of payment ${paymentId}, which does not exist`;
          }
        },
      ),
    ),
};

function* problemsOfPayment(
  payment: AuditedPayment,
  ofPayment: readonly AuditedEvent[],
): Iterable<string> {
  const versions = ofPayment.map(({ version }) => version);
  const isComplete =
    BigInt(versions.length) === payment.version &&
    versions.every((version, index) => version === BigInt(index + 1));
  if (!isComplete) {
    yield `has version ${payment.version}, and events of the versions ${versions.join(", ")}`;
  }
  const isInOrder = ofPayment.every(({ id }, index) => id > (ofPayment[index - 1]?.id ?? -1n));
  if (!isInOrder) {
    yield "has events whose ids are not in the order of its versions";
  }
}

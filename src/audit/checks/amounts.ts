import { type Check, checkEach, paymentText, together } from "../check.js";
import type { AuditedEvent, AuditedPayment } from "../facts.js";

export const amounts: Check = {
  id: "I3",
  title: "captured <= authorized and refunded <= captured, also in flight and in every event",
  needsCalls: false,
  check: (facts) =>
    together(
      checkEach(facts.payments, paymentText, problemsOfPayment),
      checkEach(
        facts.events,
        ({ tenant, paymentId, version }) =>
          `version ${version} of ${paymentText({ tenant, id: paymentId })}`,
        problemsOfEvent,
      ),
    ),
};

function* problemsOfPayment(payment: AuditedPayment): Iterable<string> {
  const { authorized, captured, capturing, refunded, refunding } = payment;
  yield* problemsOfBounds(payment);
  if (capturing < 0n || captured + capturing > authorized) {
    yield `captured ${captured} and capturing ${capturing} of ${authorized}`;
  }
  if (refunding < 0n || refunded + refunding > captured) {
    yield `refunded ${refunded} and refunding ${refunding} of ${captured}`;
  }
}

function* problemsOfEvent({ payment }: AuditedEvent): Iterable<string> {
  if (payment !== undefined) {
    const { amount, authorized, captured, refunded } = payment;
    yield* problemsOfBounds({
      minorUnits: amount?.minorUnits ?? 0n,
      authorized: authorized?.minorUnits ?? 0n,
      captured: captured?.minorUnits ?? 0n,
      refunded: refunded?.minorUnits ?? 0n,
    });
  }
}

function* problemsOfBounds({
  minorUnits,
  authorized,
  captured,
  refunded,
}: Pick<AuditedPayment, "minorUnits" | "authorized" | "captured" | "refunded">): Iterable<string> {
  const rising = [0n, refunded, captured, authorized, minorUnits];
  if (rising.some((value, index) => value < (rising[index - 1] ?? 0n))) {
    yield `has amount ${minorUnits}, authorized ${authorized}, captured ${captured}, refunded ${refunded}`;
  }
}

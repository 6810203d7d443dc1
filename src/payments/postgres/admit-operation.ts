import { NotExecuted, refusal } from "../../idempotency/answers/errors.js";
import { sameRequest } from "../../idempotency/request/fingerprint.js";
import { admit } from "../admission.js";
import { busy, notExecuted, refused } from "../errors.js";
import { type ChangeIntent, type Intent, isPaymentId, type Operation } from "../operation.js";
import type { Payment } from "../payment.js";
import { reserve, restart } from "../state.js";
import { firstSendingOf } from "./operations.js";
import { type Beginning, creationOf, newOperation, type Plan } from "./plans.js";

/** The rows that decide whether an operation may begin. */
export interface Admitting extends Beginning {
  /** The payment that it is on, locked; undefined where there is none. */
  readonly payment: Payment | undefined;
}

/**
 * Plans an operation that has not begun. Nothing that it throws leaves anything
 * behind: that the database holds no such operation, and that the claim is
 * still ours, proves that nothing began on this attempt or an earlier one.
 * @throws NotExecuted if it may not begin now, Final if it never may.
 */
export function planFirst(admitting: Admitting, intent: Intent): Plan {
  if (intent.kind === "create") {
    return creationOf(admitting, intent.terms);
  }
  const { payment } = admitting;
  if (payment === undefined) {
    // Its creation may still come, or come again, unless no call makes such an id.
    const refuse = isPaymentId(intent.paymentId) ? notExecuted : refused;
    throw refuse("PAYMENT_NOT_FOUND", "there is no such payment");
  }
  const asked = { kind: intent.kind, minorUnits: admitted(payment, intent, admitting.time) };
  return {
    operation: newOperation(admitting, payment, asked),
    payment: reserve(payment, asked),
    begins: "first",
  };
}

/**
 * Plans an operation again that was never executed, for the amount that it was
 * for: its processor key stands for that one.
 * @throws as `planFirst` does.
 */
export function planAgain(beginning: Beginning, operation: Operation, payment: Payment): Plan {
  const { kind, paymentId, currencyCode, minorUnits } = operation;
  const begun = {
    ...newOperation(beginning, { id: paymentId, currencyCode }, { kind, minorUnits }),
    beginTime: firstSendingOf(operation),
  };
  if (kind === "create") {
    const restarted = { ...restart(payment), updateTime: beginning.time };
    return { operation: begun, payment: restarted, begins: "again" };
  }
  const amount = { currencyCode, minorUnits };
  const intent = kind === "cancel" ? { kind, paymentId } : { kind, paymentId, amount };
  admitted(payment, intent, beginning.time);
  return { operation: begun, payment: reserve(payment, operation), begins: "again" };
}

/** @throws NotExecuted if the operation began for another request: this one did nothing. */
export function mustBeSameRequest({ fingerprint }: Beginning, begun: Operation): void {
  if (begun.fingerprint !== undefined && !sameRequest(begun.fingerprint, fingerprint)) {
    throw new NotExecuted(
      refusal(
        "IDEMPOTENCY_KEY_REUSED",
        "this key has begun another request; send that request again, or a new key for a new intent",
      ),
    );
  }
}

/** The amount of an operation that may begin, in minor units. */
function admitted(payment: Payment, intent: ChangeIntent, time: Date): bigint {
  const admission = admit(payment, intent, time);
  switch (admission.kind) {
    case "busy":
      throw busy(admission.message);
    case "refused":
      throw refused(admission.reason, admission.message);
    case "admitted":
      return admission.minorUnits;
  }
}

import { NotExecuted, refusal } from "../../idempotency/errors.js";
import { sameRequest } from "../../idempotency/fingerprint.js";
import { admit } from "../admission.js";
import { busy, notExecuted, refused } from "../errors.js";
import { type ChangeIntent, type Intent, isPaymentId, type Operation } from "../operation.js";
import type { Payment } from "../payment.js";
import { reserve, restart } from "../state.js";
import { type Beginning, creationOf, newOperation, type Plan } from "./plans.js";

/** After how long to ask again for what the database may have lost. */
const LOST_ROWS_RETRY_DELAY_MS = 1_000;

/** What decides whether an operation may begin. */
export interface Admitting extends Beginning {
  /** The payment that it is on, locked; undefined where there is none. */
  readonly payment: Payment | undefined;
  /** Whether the processor may know of operations that the database has lost. */
  readonly mayHaveLostRows: boolean;
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
    throw isPaymentId(intent.paymentId)
      ? missing(admitting)
      : refused("PAYMENT_NOT_FOUND", NO_SUCH_PAYMENT);
  }
  const asked = { kind: intent.kind, minorUnits: admitted(admitting, payment, intent) };
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
export function planAgain(admitting: Admitting, operation: Operation, payment: Payment): Plan {
  const { kind, paymentId, currencyCode, minorUnits } = operation;
  const begun = newOperation(admitting, { id: paymentId, currencyCode }, { kind, minorUnits });
  if (kind === "create") {
    const restarted = { ...restart(payment), updateTime: admitting.time };
    return { operation: begun, payment: restarted, begins: "again" };
  }
  const amount = { currencyCode, minorUnits };
  admitted(
    admitting,
    payment,
    kind === "cancel" ? { kind, paymentId } : { kind, paymentId, amount },
  );
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
function admitted(
  { mayHaveLostRows }: Pick<Admitting, "mayHaveLostRows">,
  payment: Payment,
  intent: ChangeIntent,
): bigint {
  const admission = admit(payment, intent);
  switch (admission.kind) {
    case "busy":
      throw busy(admission.message);
    case "refused":
      throw mayHaveLostRows ? notKnownYet() : refused(admission.reason, admission.message);
    case "admitted":
      return admission.minorUnits;
  }
}

const NO_SUCH_PAYMENT = "there is no such payment";

/** There is no such payment now; its creation may still come, or come again. */
function missing({ mayHaveLostRows }: Pick<Admitting, "mayHaveLostRows">): NotExecuted {
  return mayHaveLostRows ? notKnownYet() : notExecuted("PAYMENT_NOT_FOUND", NO_SUCH_PAYMENT);
}

/** What the database says may be what it was before rows of it were lost. */
export function notKnownYet(): NotExecuted {
  return new NotExecuted(
    refusal(
      "OUTCOME_UNKNOWN",
      "the database was restored a short while ago and may lack what this call builds on: repeat the calls before it, then this one with the same key",
      { retryDelayMs: LOST_ROWS_RETRY_DELAY_MS },
    ),
  );
}

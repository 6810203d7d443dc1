import type { Reason } from "../idempotency/answers/reasons.js";
import type { ChangeIntent } from "./operation.js";
import type { Payment } from "./payment.js";

/** Says whether an operation may begin on a payment as it is now. */
export type Admission =
  /** The operation may begin, for this amount. */
  | { readonly kind: "admitted"; readonly minorUnits: bigint }
  /** Another operation is in flight, and its end decides; the caller asks again later. */
  | { readonly kind: "busy"; readonly message: string }
  /** The operation may not begin, whatever becomes of those in flight. */
  | { readonly kind: "refused"; readonly reason: Reason; readonly message: string };

/**
 * Decides whether a capture, refund or cancel may begin.
 * @param time now, on the database's clock
 */
export function admit(payment: Payment, intent: ChangeIntent, time: Date): Admission {
  if (payment.status === "PROCESSING" || payment.status === "UNKNOWN") {
    return busy("the payment is still being created");
  }
  if (intent.kind === "cancel") {
    return admitCancel(payment);
  }
  if (intent.amount !== undefined && intent.amount.currencyCode !== payment.currencyCode) {
    return refused("CURRENCY_MISMATCH", `the payment is in ${payment.currencyCode}`);
  }
  return intent.kind === "capture"
    ? admitCapture(payment, intent.amount?.minorUnits, time)
    : admitRefund(payment, intent.amount?.minorUnits);
}

function admitCapture(payment: Payment, asked: bigint | undefined, time: Date): Admission {
  if (payment.status === "REQUIRES_ACTION") {
    return busy("the payment waits for its customer");
  }
  if (payment.status !== "AUTHORIZED" && payment.status !== "PARTIALLY_CAPTURED") {
    return refused("PAYMENT_NOT_CAPTURABLE", `the payment is ${payment.status}`);
  }
  if (payment.canceling) {
    return busy("the payment is being canceled");
  }
  const { authorizationExpireTime: expireTime } = payment;
  if (expireTime !== undefined && expireTime <= time) {
    return refused(
      "PAYMENT_NOT_CAPTURABLE",
      `the authorization has expired at ${expireTime.toISOString()}`,
    );
  }
  const remaining = payment.authorized - payment.captured;
  if (asked !== undefined && asked > remaining) {
    return refused("AMOUNT_EXCEEDS_AUTHORIZED", `${remaining} minor units remain to be captured`);
  }
  return admitAmount({ remaining, reserved: payment.capturing, asked });
}

function admitRefund(payment: Payment, asked: bigint | undefined): Admission {
  const remaining = payment.captured - payment.refunded;
  if (remaining === 0n) {
    return refused("PAYMENT_NOT_REFUNDABLE", "nothing is captured that is not refunded yet");
  }
  if (asked !== undefined && asked > remaining) {
    return refused("AMOUNT_EXCEEDS_CAPTURED", `${remaining} minor units remain to be refunded`);
  }
  return admitAmount({ remaining, reserved: payment.refunding, asked });
}

function admitCancel(payment: Payment): Admission {
  const isWaiting = payment.status === "REQUIRES_ACTION";
  if (payment.status !== "AUTHORIZED" && !isWaiting) {
    return refused("PAYMENT_NOT_CANCELABLE", `the payment is ${payment.status}`);
  }
  if (payment.canceling || payment.capturing > 0n) {
    return busy("another operation on the payment is in flight");
  }
  // What waits for its customer has nothing reserved yet, and may have it by the time of the cancel.
  return { kind: "admitted", minorUnits: isWaiting ? payment.minorUnits : payment.authorized };
}

/** Reservations may still become captures or refunds, or not; a request that fits either way may begin. */
function admitAmount(amounts: {
  readonly remaining: bigint;
  readonly reserved: bigint;
  readonly asked: bigint | undefined;
}): Admission {
  const { remaining, reserved, asked } = amounts;
  const fits = asked === undefined ? reserved === 0n : asked <= remaining - reserved;
  return fits
    ? { kind: "admitted", minorUnits: asked ?? remaining }
    : busy("another operation on the payment is in flight");
}

function busy(message: string): Admission {
  return { kind: "busy", message };
}

function refused(reason: Reason, message: string): Admission {
  return { kind: "refused", reason, message };
}

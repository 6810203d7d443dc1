import { Code } from "../idempotency/code.js";
import {
  CallError,
  type ErrorDescription,
  Final,
  type Next,
  NotExecuted,
} from "../idempotency/errors.js";

/** Why a payment method answers with an error. Fixed for good: programs switch over it. */
export type PaymentReason =
  | "PAYMENT_NOT_FOUND"
  | "PAYMENT_NOT_CAPTURABLE"
  | "PAYMENT_NOT_CANCELABLE"
  | "PAYMENT_NOT_REFUNDABLE"
  | "AMOUNT_EXCEEDS_AUTHORIZED"
  | "AMOUNT_EXCEEDS_CAPTURED"
  | "CURRENCY_MISMATCH"
  | "PAYMENT_BUSY"
  | "AMOUNT_INVALID"
  | "CURRENCY_UNKNOWN"
  | "FIELD_INVALID";

// The one table from reasons to codes. The type makes it exhaustive.
const reasons: Record<
  PaymentReason,
  { readonly code: ErrorDescription["code"]; readonly next: Next }
> = {
  PAYMENT_NOT_FOUND: { code: Code.NOT_FOUND, next: "fix_request" },
  PAYMENT_NOT_CAPTURABLE: { code: Code.FAILED_PRECONDITION, next: "fix_request" },
  PAYMENT_NOT_CANCELABLE: { code: Code.FAILED_PRECONDITION, next: "fix_request" },
  PAYMENT_NOT_REFUNDABLE: { code: Code.FAILED_PRECONDITION, next: "fix_request" },
  AMOUNT_EXCEEDS_AUTHORIZED: { code: Code.FAILED_PRECONDITION, next: "fix_request" },
  AMOUNT_EXCEEDS_CAPTURED: { code: Code.FAILED_PRECONDITION, next: "fix_request" },
  CURRENCY_MISMATCH: { code: Code.FAILED_PRECONDITION, next: "fix_request" },
  PAYMENT_BUSY: { code: Code.ABORTED, next: "retry_same_key" },
  AMOUNT_INVALID: { code: Code.INVALID_ARGUMENT, next: "fix_request" },
  CURRENCY_UNKNOWN: { code: Code.INVALID_ARGUMENT, next: "fix_request" },
  FIELD_INVALID: { code: Code.INVALID_ARGUMENT, next: "fix_request" },
};

/**
 * When a payment that is busy is worth another try: about as long as a card
 * processor takes to answer the operation in the way.
 */
const BUSY_RETRY_DELAY_MS = 250;

/** Describes an error; the table decides its code. */
export function describe(
  reason: PaymentReason,
  message: string,
  more: Pick<ErrorDescription, "retryDelayMs" | "field" | "metadata"> = {},
): ErrorDescription {
  return { ...reasons[reason], reason, message, ...more };
}

/**
 * A request that cannot be meant. Its code frees the key on a first attempt;
 * on a later one the key stays, since an earlier attempt may have acted.
 */
export function invalid(
  reason: "AMOUNT_INVALID" | "CURRENCY_UNKNOWN" | "FIELD_INVALID",
  field: string,
  accepts: string,
): CallError {
  return new CallError(describe(reason, `${field}: ${accepts}`, { field }));
}

/** The operation's own answer, for good. */
export function refused(reason: PaymentReason, message: string): Final {
  return new Final(describe(reason, message));
}

/** The same, for one that did nothing and may be sent again once it can be answered otherwise. */
export function notExecuted(reason: PaymentReason, message: string): NotExecuted {
  return new NotExecuted(describe(reason, message));
}

/** Another operation on the payment is in flight or unknown; this one did nothing. */
export function busy(message: string): NotExecuted {
  return new NotExecuted(describe("PAYMENT_BUSY", message, { retryDelayMs: BUSY_RETRY_DELAY_MS }));
}

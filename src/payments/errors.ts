import { CallError, Final, NotExecuted, refusal } from "../idempotency/answers/errors.js";
import type { Reason } from "../idempotency/answers/reasons.js";

/**
 * The time after which a payment that is busy is worth another try: about as long as a card
 * processor takes to answer the operation in the way.
 */
const BUSY_RETRY_DELAY_MS = 250;

/**
 * A field with a value that it does not accept. The code frees the key on a first attempt;
 * on a later one the key stays, since an earlier attempt may have acted.
 */
export function invalid(
  reason: "AMOUNT_INVALID" | "CURRENCY_UNKNOWN" | "FIELD_INVALID",
  field: string,
  accepts: string,
): CallError {
  return new CallError(refusal(reason, `${field}: ${accepts}`, { field }));
}

/** The operation's own answer, for good. */
export function refused(reason: Reason, message: string): Final {
  return new Final(refusal(reason, message));
}

/** Refuses an operation that did nothing, and that may be sent again once its payment has changed. */
export function notExecuted(reason: Reason, message: string): NotExecuted {
  return new NotExecuted(refusal(reason, message));
}

/** Another operation on the payment is in flight or unknown; this one did nothing. */
export function busy(message: string): NotExecuted {
  return new NotExecuted(refusal("PAYMENT_BUSY", message, { retryDelayMs: BUSY_RETRY_DELAY_MS }));
}

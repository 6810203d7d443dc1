import type { Next } from "@payonce/client/internal";
import { Code } from "./code.js";

/** A code that an error can have. */
export type ErrorCode = Exclude<Code, typeof Code.OK>;

export type { Next };

/** The first of each list holds unless the error says that another one of the list does. */
interface Meaning {
  readonly codes: readonly [ErrorCode, ...ErrorCode[]];
  readonly nexts: readonly [Next, ...Next[]];
}

/**
 * Every reason that this project gives for an error, in `google.rpc.ErrorInfo`.
 * One table, since a reason is unique within its domain (AIP-193); programs
 * switch over it, so a row changes for nobody's convenience. Services that are
 * built with the library have reasons of their own.
 */
export const reasons = {
  // The key.
  IDEMPOTENCY_KEY_MISSING: { codes: [Code.INVALID_ARGUMENT], nexts: ["fix_request"] },
  IDEMPOTENCY_KEY_INVALID: { codes: [Code.INVALID_ARGUMENT], nexts: ["fix_request"] },
  IDEMPOTENCY_KEY_CONFLICT: { codes: [Code.INVALID_ARGUMENT], nexts: ["fix_request"] },
  IDEMPOTENCY_KEY_REUSED: { codes: [Code.FAILED_PRECONDITION], nexts: ["fix_request"] },
  IDEMPOTENCY_KEY_EXPIRED: { codes: [Code.FAILED_PRECONDITION], nexts: ["look_up"] },
  REQUEST_IN_PROGRESS: { codes: [Code.ABORTED], nexts: ["retry_same_key"] },
  CLAIM_LOST: { codes: [Code.ABORTED], nexts: ["retry_same_key"] },
  // A held key is looked up. A deadline that passes leaves the outcome unknown too.
  OUTCOME_UNKNOWN: {
    codes: [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED],
    nexts: ["retry_same_key", "look_up"],
  },
  STORE_UNAVAILABLE: { codes: [Code.UNAVAILABLE], nexts: ["retry_same_key"] },
  OVERLOADED: { codes: [Code.RESOURCE_EXHAUSTED], nexts: ["retry_same_key"] },
  NOT_EXECUTED: { codes: [Code.DEADLINE_EXCEEDED], nexts: ["retry_same_key"] },

  // The request, and who sends it.
  REQUEST_INVALID: { codes: [Code.INVALID_ARGUMENT], nexts: ["fix_request"] },
  FIELD_INVALID: { codes: [Code.INVALID_ARGUMENT], nexts: ["fix_request"] },
  CALLER_UNAUTHENTICATED: { codes: [Code.UNAUTHENTICATED], nexts: ["fix_request"] },
  IDENTITY_CONFLICT: { codes: [Code.PERMISSION_DENIED], nexts: ["fix_request"] },
  OPERATOR_REQUIRED: { codes: [Code.PERMISSION_DENIED], nexts: ["fix_request"] },

  // Operators and their records.
  RECORD_NOT_FOUND: { codes: [Code.NOT_FOUND], nexts: ["look_up"] },
  RECORD_CHANGED: { codes: [Code.ABORTED], nexts: ["look_up"] },

  // Payments.
  PAYMENT_NOT_FOUND: { codes: [Code.NOT_FOUND], nexts: ["fix_request"] },
  PAYMENT_NOT_CAPTURABLE: { codes: [Code.FAILED_PRECONDITION], nexts: ["fix_request"] },
  PAYMENT_NOT_CANCELABLE: { codes: [Code.FAILED_PRECONDITION], nexts: ["fix_request"] },
  PAYMENT_NOT_REFUNDABLE: { codes: [Code.FAILED_PRECONDITION], nexts: ["fix_request"] },
  AMOUNT_EXCEEDS_AUTHORIZED: { codes: [Code.FAILED_PRECONDITION], nexts: ["fix_request"] },
  AMOUNT_EXCEEDS_CAPTURED: { codes: [Code.FAILED_PRECONDITION], nexts: ["fix_request"] },
  CURRENCY_MISMATCH: { codes: [Code.FAILED_PRECONDITION], nexts: ["fix_request"] },
  PAYMENT_BUSY: { codes: [Code.ABORTED], nexts: ["retry_same_key"] },
  AMOUNT_INVALID: { codes: [Code.INVALID_ARGUMENT], nexts: ["fix_request"] },
  CURRENCY_UNKNOWN: { codes: [Code.INVALID_ARGUMENT], nexts: ["fix_request"] },

  // The service itself: it failed, or it is put together wrongly.
  INTERNAL: { codes: [Code.INTERNAL, Code.UNIMPLEMENTED], nexts: ["look_up", "fix_request"] },
} as const satisfies Record<string, Meaning>;

/** A reason that this project gives for an error, such as `REQUEST_IN_PROGRESS`. */
export type Reason = keyof typeof reasons;

/** The codes, and what comes next, that an error with a reason can have. */
export type CodeOf<R extends Reason> = (typeof reasons)[R]["codes"][number];
export type NextOf<R extends Reason> = (typeof reasons)[R]["nexts"][number];

import type { Payment } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import type { Scope } from "../../src/idempotency/port/scope.js";

/** What came back for one request. */
export interface Reply {
  /** The name of a gRPC status, `HTTP 415` where there is no such, or CLOSED where nothing came. */
  readonly status: string;
  /** Of ErrorInfo. */
  readonly reason: string | undefined;
  /** The serialized response of an OK, or its JSON. */
  readonly message: Buffer;
  /** Of an OK of CreatePayment. */
  readonly payment: Payment | undefined;
}

/** One request, with what must be true of its reply. */
export interface Attempt {
  readonly reply: Reply;
  /** `either` where both are right: the rest must still be true. */
  readonly truth: "accepted" | "refused" | "either";
  /** Why it may be refused, if not for every reason of ours. */
  readonly reasons?: readonly string[];
  /** HTTP itself may refuse it, without a reason of ours, or close the connection. */
  readonly isBelowUs?: boolean;
  /** What it is charged under: once if it was told OK, never if all must be refused. */
  readonly scope?: Scope;
  /** What an OK must have charged. */
  readonly minorUnits?: bigint;
  /** More that is wrong, as the case itself has found. */
  readonly problem?: string | undefined;
}

/** The reasons of the contract, without INTERNAL: that nobody can cause. */
const REASONS: ReadonlySet<string> = new Set([
  "IDEMPOTENCY_KEY_MISSING",
  "IDEMPOTENCY_KEY_INVALID",
  "IDEMPOTENCY_KEY_CONFLICT",
  "IDEMPOTENCY_KEY_REUSED",
  "PAYMENT_NOT_FOUND",
  "AMOUNT_EXCEEDS_AUTHORIZED",
  "AMOUNT_EXCEEDS_CAPTURED",
  "PAYMENT_NOT_CAPTURABLE",
  "PAYMENT_NOT_CANCELABLE",
  "PAYMENT_NOT_REFUNDABLE",
  "CURRENCY_MISMATCH",
  "AMOUNT_INVALID",
  "CURRENCY_UNKNOWN",
  "FIELD_INVALID",
  "REQUEST_INVALID",
  "CALLER_UNAUTHENTICATED",
  "OPERATOR_REQUIRED",
  "RECORD_NOT_FOUND",
  "RECORD_CHANGED",
]);

/** Those that say "not now": a correct call may get them too, on a busy machine. */
const NOT_NOW: ReadonlySet<string> = new Set([
  "OVERLOADED",
  "REQUEST_IN_PROGRESS",
  "CLAIM_LOST",
  "OUTCOME_UNKNOWN",
  "PAYMENT_BUSY",
  "NOT_EXECUTED",
]);

/** Codes that look like a failure of the service, or like an outcome that nobody knows. */
const FAILURES: ReadonlySet<string> = new Set(["INTERNAL", "UNKNOWN", "DATA_LOSS"]);

/** What gRPC answers by itself: a method that is not there, a caller that waits no longer. */
const BARE: ReadonlySet<string> = new Set(["UNIMPLEMENTED", "DEADLINE_EXCEEDED", "CANCELLED"]);

export function isOk({ status }: Reply): boolean {
  return status === "OK";
}

/** What is wrong with what came back. */
export function problemsIn(attempt: Attempt): readonly string[] {
  const { reply, truth, reasons, minorUnits, problem } = attempt;
  const own = problem === undefined ? [] : [problem];
  if (!isOk(reply)) {
    return [...own, ...problemsInRefusal(attempt)];
  }
  const charged = reply.payment?.amount?.minorUnits;
  return [
    ...own,
    ...(truth === "refused" ? [`is accepted, not refused${because(reasons)}`] : []),
    ...(minorUnits !== undefined && charged !== minorUnits
      ? [`is told ${charged} minor units, not ${minorUnits}`]
      : []),
  ];
}

function problemsInRefusal({ reply, truth, reasons, isBelowUs }: Attempt): readonly string[] {
  const { status, reason } = reply;
  if (FAILURES.has(status) || /^HTTP 5/.test(status)) {
    return [`is told ${textOf(reply)}`];
  }
  if (reason === undefined) {
    return isBelowUs || BARE.has(status) ? [] : [`is told ${textOf(reply)}, without a reason`];
  }
  if (NOT_NOW.has(reason)) {
    return [];
  }
  if (!REASONS.has(reason)) {
    return [`is told ${textOf(reply)}, which is no reason of the contract`];
  }
  if (truth === "accepted") {
    return [`is refused: ${textOf(reply)}`];
  }
  return reasons !== undefined && !reasons.includes(reason)
    ? [`is told ${textOf(reply)}, not ${reasons.join(" or ")}`]
    : [];
}

function because(reasons: readonly string[] | undefined): string {
  return reasons === undefined ? "" : ` for ${reasons.join(" or ")}`;
}

export function textOf({ status, reason }: Reply): string {
  return reason === undefined ? status : `${status} ${reason}`;
}

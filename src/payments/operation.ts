import { deriveId, type Scope } from "../idempotency/port/scope.js";
import type { Fingerprint } from "../idempotency/request/fingerprint.js";
import type { Money } from "./money.js";
import type { Payment, PaymentTerms } from "./payment.js";

/** The intent of a valid request. */
export type Intent =
  | { readonly kind: "create"; readonly terms: PaymentTerms }
  /** Without an amount: all that remains. */
  | { readonly kind: "capture" | "refund"; readonly paymentId: string; readonly amount?: Money }
  | { readonly kind: "cancel"; readonly paymentId: string };

export type CreateIntent = Extract<Intent, { kind: "create" }>;
export type ChangeIntent = Exclude<Intent, CreateIntent>;

export type OperationKind = Intent["kind"];

/**
 * One write on one payment. Its identifiers come from the scope of the call,
 * and its amount is settled when it begins: every attempt asks the processor
 * for the same thing under the same key.
 */
export interface Operation {
  readonly tenant: string;
  readonly id: string;
  readonly processorKey: string;
  readonly paymentId: string;
  readonly kind: OperationKind;
  /** Minor units; for a cancel, what is given up. */
  readonly minorUnits: bigint;
  readonly currencyCode: string;
  /**
   * - `pending`: begun, and no attempt has heard from the processor
   * - `unknown`: the processor was asked and its answer was not received
   * - `requires_action`: the processor's answer to the call, for good; what becomes of the payment
   *   is found by looking
   * - `approved`, `declined`: the processor's answer, for good
   * - `not_executed`: an operator found that nothing happened; only the same
   *   request begins it again, for the same amount
   */
  readonly state:
    | "pending"
    | "unknown"
    | "requires_action"
    | "approved"
    | "declined"
    | "not_executed";
  /** Empty unless it ended without an effect. */
  readonly declineCode: string;
  readonly beginTime: Date;
  /** The time at which it ended. */
  readonly finishTime?: Date;
  /** The caller's name for it; only of a refund, and absent in some that older builds began. */
  readonly refundId?: string;
  /** The request that it began for. Absent in what older builds began. */
  readonly fingerprint?: Fingerprint;
}

/** Returns true if the processor has answered, for good. */
export function isAnswered({ state }: Operation): boolean {
  return state === "approved" || state === "declined" || state === "requires_action";
}

/** An operation with its payment as the operation left it. */
export interface Operated {
  readonly operation: Operation;
  readonly payment: Payment;
}

/** The operation that creates payments, by which a key finds the payment it made. */
const CREATE_PAYMENT = "payonce.payments.v1.PaymentService/CreatePayment";

/** The id of the payment that a call with this scope creates. */
export function paymentIdOf(scope: Scope): string {
  return deriveId("pay", scope);
}

/** The id of the payment that a tenant's key created, or would create. */
export function paymentIdOfKey(tenant: string, key: string): string {
  return paymentIdOf({ tenant, operation: CREATE_PAYMENT, key });
}

/** Returns true if some call could have created a payment with this id. */
export function isPaymentId(id: string): boolean {
  return /^pay_[0-9a-f]{40}$/.test(id);
}

export function refundIdOf(scope: Scope): string {
  return deriveId("ref", scope);
}

export function operationIdOf(scope: Scope): string {
  return deriveId("op", scope);
}

export function processorKeyOf(scope: Scope): string {
  return deriveId("pk", scope);
}

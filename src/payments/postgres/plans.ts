import type { Scope } from "../../idempotency/port/scope.js";
import type { Fingerprint } from "../../idempotency/request/fingerprint.js";
import { beginTimeOf, type Moment } from "../key-window.js";
import {
  type OperationKind,
  operationIdOf,
  paymentIdOf,
  processorKeyOf,
  refundIdOf,
} from "../operation.js";
import type { Payment, PaymentTerms } from "../payment.js";
import { newPayment } from "../state.js";
import type { NewOperation } from "./operations.js";

/** The rows that an operation writes when it begins. */
export interface Plan {
  readonly operation: NewOperation;
  /** The operation's payment, as it becomes. */
  readonly payment: Payment;
  /** `again`: it was there, and never executed. */
  readonly begins: "first" | "again";
}

/** The call that an operation begins for, and when. */
export interface Beginning {
  readonly scope: Scope;
  readonly fingerprint: Fingerprint;
  /** The time on the database's clock. */
  readonly time: Date;
  /** The time on the clocks of this process. */
  readonly readAt: Moment;
}

/** An operation that begins now. */
export function newOperation(
  { scope, fingerprint, time, readAt }: Beginning,
  { id: paymentId, currencyCode }: Pick<Payment, "id" | "currencyCode">,
  { kind, minorUnits }: { readonly kind: OperationKind; readonly minorUnits: bigint },
): NewOperation {
  return {
    tenant: scope.tenant,
    id: operationIdOf(scope),
    processorKey: processorKeyOf(scope),
    paymentId,
    kind,
    minorUnits,
    currencyCode,
    state: "pending",
    declineCode: "",
    beginTime: beginTimeOf(time, readAt),
    ...(kind === "refund" ? { refundId: refundIdOf(scope) } : {}),
    fingerprint,
  };
}

/** The plan of a call that creates a payment. */
export function creationOf(beginning: Beginning, terms: PaymentTerms): Plan {
  const { scope, time } = beginning;
  const payment = newPayment({ tenant: scope.tenant, id: paymentIdOf(scope) }, terms, time);
  const { minorUnits } = payment;
  const operation = newOperation(beginning, payment, { kind: "create", minorUnits });
  return { operation, payment, begins: "first" };
}

import type { PoolClient } from "pg";
import type { Scope } from "../../idempotency/scope.js";
import { together } from "../../runtime/transaction.js";
import {
  type Operation,
  type OperationKind,
  operationIdOf,
  paymentIdOf,
  processorKeyOf,
} from "../operation.js";
import type { Payment, PaymentTerms } from "../payment.js";
import { newPayment } from "../state.js";
import { appendEvents } from "./events.js";
import { insertOperations } from "./operations.js";
import { insertPayments, updatePayments } from "./payments.js";

/** What a new operation writes. */
export interface Plan {
  readonly operation: Operation;
  /** The operation's payment, as it becomes. */
  readonly payment: Payment;
}

/** An operation that begins now, on the database's clock. */
export function newOperation(
  scope: Scope,
  { id: paymentId, currencyCode }: Pick<Payment, "id" | "currencyCode">,
  asked: { readonly kind: OperationKind; readonly minorUnits: bigint; readonly time: Date },
): Operation {
  return {
    tenant: scope.tenant,
    id: operationIdOf(scope),
    processorKey: processorKeyOf(scope),
    paymentId,
    kind: asked.kind,
    minorUnits: asked.minorUnits,
    currencyCode,
    state: "pending",
    declineCode: "",
    beginTime: asked.time,
  };
}

/** The plan of a call that creates a payment. */
export function creationOf(scope: Scope, terms: PaymentTerms, time: Date): Plan {
  const payment = newPayment({ tenant: scope.tenant, id: paymentIdOf(scope) }, terms, time);
  const minorUnits = payment.amount;
  return { operation: newOperation(scope, payment, { kind: "create", minorUnits, time }), payment };
}

/** Writes what operations begin with, in one round trip. */
export async function writePlans(transaction: PoolClient, plans: readonly Plan[]): Promise<void> {
  const created = plans.filter(isCreation).map(({ payment }) => payment);
  const reserved = plans.filter((plan) => !isCreation(plan)).map(({ payment }) => payment);
  await together(transaction, () => [
    insertPayments(transaction, created),
    updatePayments(transaction, reserved),
    appendEvents(transaction, created), // a reservation is no transition
    insertOperations(
      transaction,
      plans.map(({ operation }) => operation),
    ),
  ]);
}

function isCreation({ operation }: Plan): boolean {
  return operation.kind === "create";
}

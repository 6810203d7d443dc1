import type { PoolClient } from "pg";
import type { Scope } from "../../idempotency/scope.js";
import { admit } from "../admission.js";
import { busy, refused } from "../errors.js";
import {
  type ChangeIntent,
  type Intent,
  type Operated,
  type Operation,
  operationIdOf,
  paymentIdOf,
  processorKeyOf,
} from "../operation.js";
import type { Payment, PaymentTerms } from "../payment.js";
import type { ProcessorDecision } from "../processor.js";
import { reserve, settle, toUnknown } from "../state.js";
import { book } from "./ledger.js";
import {
  findOperation,
  finishOperation,
  insertOperation,
  markOperationUnknown,
} from "./operations.js";
import { findPayment, insertPayment, lockPayment, updatePayment } from "./payments.js";

// What an operation writes, each step within one transaction of the caller's
// that holds the claim. The claim is locked before the payment, always.

export interface Begun extends Operated {
  /** On the database's clock. 0 where it began just now. */
  readonly begunAgoMs: number;
}

/**
 * Begins an operation, or finds the one that an earlier attempt began. Only
 * what has not begun is checked: an operation that has is never refused.
 * `readIntent` reads the request and throws if it is not valid.
 * @throws Final or NotExecuted if the payment's state does not admit the operation.
 */
export async function begin(
  transaction: PoolClient,
  scope: Scope,
  readIntent: () => Intent,
): Promise<Begun> {
  const { tenant } = scope;
  const found = await findOperation(transaction, tenant, operationIdOf(scope));
  if (found !== undefined) {
    const name = { tenant, id: found.operation.paymentId };
    return { ...found, payment: mustExist(await findPayment(transaction, name)) };
  }
  const intent = readIntent();
  const { payment, minorUnits } =
    intent.kind === "create"
      ? await createPayment(transaction, scope, intent.terms)
      : await reserveOn(transaction, tenant, intent);
  const operation = await insertOperation(transaction, {
    tenant,
    id: operationIdOf(scope),
    processorKey: processorKeyOf(scope),
    paymentId: payment.id,
    kind: intent.kind,
    minorUnits,
    currencyCode: payment.currencyCode,
  });
  return { operation, payment, begunAgoMs: 0 };
}

/** Stores what the processor decided, and all that follows from it. */
export async function finish(
  transaction: PoolClient,
  begun: Operation,
  decision: ProcessorDecision,
): Promise<Operated> {
  const before = await lockPaymentOf(transaction, begun);
  const operation = await finishOperation(transaction, begun, decision);
  const payment = await updatePayment(transaction, before, settle(before, operation, decision));
  if (decision.kind === "approved") {
    await book(transaction, { operation, payment });
  }
  return { operation, payment };
}

/** Stores that the processor was asked and its answer is not known. What is reserved stays so. */
export async function markUnknown(transaction: PoolClient, operation: Operation): Promise<void> {
  await markOperationUnknown(transaction, operation);
  if (operation.kind === "create") {
    const before = await lockPaymentOf(transaction, operation);
    await updatePayment(transaction, before, toUnknown(before));
  }
}

/** A payment, and how much of it the operation is about. */
interface Reserved {
  readonly payment: Payment;
  readonly minorUnits: bigint;
}

async function createPayment(
  transaction: PoolClient,
  scope: Scope,
  terms: PaymentTerms,
): Promise<Reserved> {
  const name = { tenant: scope.tenant, id: paymentIdOf(scope) };
  const payment = await insertPayment(transaction, name, terms);
  return { payment, minorUnits: payment.amount };
}

async function reserveOn(
  transaction: PoolClient,
  tenant: string,
  intent: ChangeIntent,
): Promise<Reserved> {
  const before = await lockPayment(transaction, { tenant, id: intent.paymentId });
  if (before === undefined) {
    throw refused("PAYMENT_NOT_FOUND", "there is no such payment");
  }
  const admission = admit(before, intent);
  switch (admission.kind) {
    case "busy":
      throw busy(admission.message);
    case "refused":
      throw refused(admission.reason, admission.message);
    case "admitted": {
      const { minorUnits } = admission;
      const after = reserve(before, { kind: intent.kind, minorUnits });
      return { payment: await updatePayment(transaction, before, after), minorUnits };
    }
  }
}

async function lockPaymentOf(transaction: PoolClient, operation: Operation): Promise<Payment> {
  const name = { tenant: operation.tenant, id: operation.paymentId };
  return mustExist(await lockPayment(transaction, name));
}

function mustExist(payment: Payment | undefined): Payment {
  if (payment === undefined) {
    throw new Error("an operation's payment is missing");
  }
  return payment;
}

import type { PoolClient } from "pg";
import type { Scope } from "../../idempotency/scope.js";
import { type Settled, settled } from "../../runtime/batches.js";
import { admit } from "../admission.js";
import { busy, refused } from "../errors.js";
import {
  type ChangeIntent,
  type Intent,
  type Operated,
  operationIdOf,
  paymentIdOf,
  processorKeyOf,
} from "../operation.js";
import type { Payment } from "../payment.js";
import { reserve } from "../state.js";
import {
  findOperations,
  insertOperations,
  type NewOperation,
  paymentNameOf,
} from "./operations.js";
import type { Owned } from "./owners.js";
import {
  findPayments,
  insertPayments,
  lockPayments,
  type NewPayment,
  type PaymentChange,
  updatePayments,
} from "./payments.js";
import { byName, mustExist, nameKey } from "./rows.js";

/** An operation to begin, or to go on with. */
export interface Beginning extends Owned {
  /** What the request asks for, or the error that says why it is not valid. */
  readonly intent: Settled<Intent>;
}

export interface Begun extends Operated {
  /** On the database's clock. 0 where it began just now. */
  readonly begunAgoMs: number;
}

/** What a new operation writes. */
interface Plan {
  readonly operation: NewOperation;
  /** Of the two, a create has the one and all others the other. */
  readonly create?: NewPayment;
  readonly change?: PaymentChange;
}

/**
 * Begins operations, or finds what earlier attempts have begun. Only what has
 * not begun is checked: an operation that has is never refused. One that may
 * not begin fails by itself: with the error of its intent, or with Final or
 * NotExecuted if the payment's state does not admit it.
 */
export async function beginAll(
  transaction: PoolClient,
  beginnings: readonly Beginning[],
): Promise<readonly Settled<Begun>[]> {
  const begun = await findBegun(transaction, beginnings);
  const fresh = beginnings.filter((beginning) => !begun.has(operationIdOf(scopeOf(beginning))));
  const locked = await lockChanged(transaction, fresh);
  const plans = new Map(
    fresh.map((beginning) => [beginning, settled(() => planOf(beginning, locked))]),
  );
  const written = await write(
    transaction,
    [...plans.values()].flatMap((plan) => (plan.ok ? [plan.value] : [])),
  );
  return beginnings.map((beginning) => {
    const plan = plans.get(beginning);
    const id = operationIdOf(scopeOf(beginning));
    return plan === undefined || plan.ok
      ? settled(() => mustExist(begun.get(id) ?? written.get(id), "an operation"))
      : plan;
  });
}

/** The operations that have begun already, by their ids. */
async function findBegun(
  transaction: PoolClient,
  beginnings: readonly Beginning[],
): Promise<ReadonlyMap<string, Begun>> {
  const found = await findOperations(
    transaction,
    beginnings.map(scopeOf).map((scope) => ({ tenant: scope.tenant, id: operationIdOf(scope) })),
  );
  const payments = byName(
    await findPayments(
      transaction,
      found.map(({ operation }) => paymentNameOf(operation)),
    ),
  );
  return new Map(
    found.map(({ operation, begunAgoMs }) => {
      const payment = mustExist(payments.get(nameKey(paymentNameOf(operation))), "a payment");
      return [operation.id, { operation, payment, begunAgoMs }];
    }),
  );
}

/** The payments that operations are to change, locked until the transaction ends. */
async function lockChanged(
  transaction: PoolClient,
  beginnings: readonly Beginning[],
): Promise<ReadonlyMap<string, Payment>> {
  const names = beginnings.flatMap(({ execution: { scope }, intent }) =>
    intent.ok && intent.value.kind !== "create"
      ? [{ tenant: scope.tenant, id: intent.value.paymentId }]
      : [],
  );
  return byName((await lockPayments(transaction, names)).map(({ payment }) => payment));
}

/** @throws what refuses the operation. */
function planOf(
  { execution: { scope }, intent }: Beginning,
  locked: ReadonlyMap<string, Payment>,
): Plan {
  if (!intent.ok) {
    throw intent.error;
  }
  const { tenant } = scope;
  const ids = { tenant, id: operationIdOf(scope), processorKey: processorKeyOf(scope) };
  if (intent.value.kind === "create") {
    const { kind, terms } = intent.value;
    const create = { tenant, id: paymentIdOf(scope), terms };
    const { currencyCode, amount: minorUnits } = terms;
    return { operation: { ...ids, paymentId: create.id, kind, minorUnits, currencyCode }, create };
  }
  const { kind, paymentId } = intent.value;
  const before = locked.get(nameKey({ tenant, id: paymentId }));
  if (before === undefined) {
    throw refused("PAYMENT_NOT_FOUND", "there is no such payment");
  }
  const minorUnits = admitted(before, intent.value);
  const after = reserve(before, { kind, minorUnits });
  const { currencyCode } = before;
  return {
    operation: { ...ids, paymentId, kind, minorUnits, currencyCode },
    change: { before, after },
  };
}

/** The amount of an operation that may begin, in minor units. */
function admitted(payment: Payment, intent: ChangeIntent): bigint {
  const admission = admit(payment, intent);
  switch (admission.kind) {
    case "busy":
      throw busy(admission.message);
    case "refused":
      throw refused(admission.reason, admission.message);
    case "admitted":
      return admission.minorUnits;
  }
}

async function write(
  transaction: PoolClient,
  plans: readonly Plan[],
): Promise<ReadonlyMap<string, Begun>> {
  const changes = plans.flatMap(({ change }) => change ?? []);
  const payments = byName([
    ...(await insertPayments(
      transaction,
      plans.flatMap(({ create }) => create ?? []),
    )),
    ...changes.map(({ after }) => after),
  ]);
  await updatePayments(transaction, changes);
  const operations = await insertOperations(
    transaction,
    plans.map(({ operation }) => operation),
  );
  return new Map(
    operations.map((operation) => {
      const payment = mustExist(payments.get(nameKey(paymentNameOf(operation))), "a payment");
      return [operation.id, { operation, payment, begunAgoMs: 0 }];
    }),
  );
}

function scopeOf({ execution }: Beginning): Scope {
  return execution.scope;
}

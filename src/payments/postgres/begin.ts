import type { PoolClient } from "pg";
import type { Scope } from "../../idempotency/scope.js";
import { type Settled, settled } from "../../runtime/batches.js";
import { together } from "../../runtime/transaction.js";
import { admit } from "../admission.js";
import { busy, refused } from "../errors.js";
import { type ChangeIntent, type Intent, type Operated, operationIdOf } from "../operation.js";
import type { Payment } from "../payment.js";
import { reserve } from "../state.js";
import { findOperations, paymentNameOf } from "./operations.js";
import type { Owned, Step } from "./owners.js";
import { findPayments, lockPayments } from "./payments.js";
import { creationOf, newOperation, type Plan, writePlans } from "./plans.js";
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

/** What is there before operations begin. */
interface Before {
  /** The operations that have begun already, by their ids. */
  readonly begun: ReadonlyMap<string, Begun>;
  /** The payments to be changed, by their names; locked. */
  readonly locked: ReadonlyMap<string, Payment>;
  /** On the database's clock. */
  readonly time: Date;
}

/**
 * Begins operations, or finds what earlier attempts have begun. Only what has
 * not begun is checked: an operation that has is never refused. One that may
 * not begin fails by itself: with the error of its intent, or with Final or
 * NotExecuted if the payment's state does not admit it.
 */
export const beginStep: Step<Beginning, Before, Begun> = {
  async read(transaction, beginnings) {
    const [begun, locked, time] = await together(transaction, () => [
      findBegun(transaction, beginnings.map(scopeOf)),
      lockChanged(transaction, beginnings),
      readClock(transaction),
    ]);
    return { begun, locked, time };
  },

  async write(transaction, beginnings, { begun, locked, time }) {
    const plans = beginnings.map((beginning) =>
      begun.has(operationIdOf(scopeOf(beginning)))
        ? undefined
        : settled(() => planOf(beginning, locked, time)),
    );
    await writePlans(
      transaction,
      plans.flatMap((plan) => (plan?.ok === true ? [plan.value] : [])),
    );
    return beginnings.map((beginning, index) => {
      const plan = plans[index];
      if (plan === undefined) {
        const found = begun.get(operationIdOf(scopeOf(beginning)));
        return settled(() => mustExist(found, "an operation"));
      }
      return plan.ok ? { ok: true, value: { ...plan.value, begunAgoMs: 0 } } : plan;
    });
  },
};

async function findBegun(
  transaction: PoolClient,
  scopes: readonly Scope[],
): Promise<ReadonlyMap<string, Begun>> {
  const found = await findOperations(
    transaction,
    scopes.map((scope) => ({ tenant: scope.tenant, id: operationIdOf(scope) })),
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

async function readClock(transaction: PoolClient): Promise<Date> {
  const { rows } = await transaction.query<{ time: Date }>("SELECT clock_timestamp() AS time");
  return mustExist(rows[0], "the clock").time;
}

/** @throws what refuses the operation. */
function planOf(
  { execution: { scope }, intent }: Beginning,
  locked: ReadonlyMap<string, Payment>,
  time: Date,
): Plan {
  if (!intent.ok) {
    throw intent.error;
  }
  if (intent.value.kind === "create") {
    return creationOf(scope, intent.value.terms, time);
  }
  const { kind, paymentId } = intent.value;
  const before = locked.get(nameKey({ tenant: scope.tenant, id: paymentId }));
  if (before === undefined) {
    throw refused("PAYMENT_NOT_FOUND", "there is no such payment");
  }
  const minorUnits = admitted(before, intent.value);
  return {
    operation: newOperation(scope, before, { kind, minorUnits, time }),
    payment: reserve(before, { kind, minorUnits }),
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

function scopeOf({ execution }: Beginning): Scope {
  return execution.scope;
}

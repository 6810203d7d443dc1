import type { PoolClient } from "pg";
import { CallError, NotExecuted } from "../../idempotency/answers/errors.js";
import type { Scope } from "../../idempotency/port/scope.js";
import { type Settled, settled } from "../../runtime/batches.js";
import { pipelined } from "../../runtime/statements.js";
import { type Age, ageOf, type Moment, type ReadMoment, type ReadTime } from "../key-window.js";
import { type Intent, type Operated, operationIdOf, paymentIdOf } from "../operation.js";
import type { Payment } from "../payment.js";
import { mustBeSameRequest, planAgain, planFirst } from "./admit-operation.js";
import { findOperations, firstSendingOf, paymentNameOf } from "./operations.js";
import type { Owned, Step } from "./owners.js";
import { findPayments, lockPayments } from "./payments.js";
import { type Plan, statementsOf } from "./plans.js";
import { byName, mustExist, nameKey, type RowName } from "./rows.js";

/** An operation to begin, or to go on with. */
export interface ToBegin extends Owned {
  /** The intent of the request, or the error that says why it is not valid. */
  readonly intent: Settled<Intent>;
}

/** All of it that decides what happens. */
type Asked = Pick<ToBegin, "intent"> & {
  readonly execution: Pick<ToBegin["execution"], "scope" | "fingerprint">;
};

export interface Begun extends Operated, Age, ReadTime {
  /** True if nothing can have been sent for it yet, as far as this database knows. */
  readonly isNew: boolean;
}

/** The rows that exist before operations begin. */
export interface Before {
  /** The operations that have begun already, by their ids. */
  readonly begun: ReadonlyMap<string, Omit<Begun, "isNew" | "time">>;
  /** The payments that operations are on, by their names; locked. */
  readonly locked: ReadonlyMap<string, Payment>;
  /** The time on the database's clock. */
  readonly time: Date;
  readonly readAt: Moment;
}

/**
 * Begins operations, or finds what earlier attempts of the same request have
 * begun. Only what has not begun is checked: an operation that has is never
 * refused, except to another request. One that may not begin fails by itself:
 * with NotExecuted if it is not valid or the payment's state does not admit it
 * now, with Final if it never will.
 */
export function createBeginStep(readMoment: ReadMoment): Step<ToBegin, Before, Begun> {
  return {
    async read(transaction, beginnings) {
      const readAt = readMoment();
      const [begun, locked, time] = await pipelined(transaction, () => [
        findBegun(transaction, beginnings.map(scopeOf), { readAt, readMoment }),
        lockPaymentsOf(transaction, beginnings),
        readClock(transaction),
      ]);
      return { begun, locked, time, readAt };
    },

    plan(beginnings, before) {
      const plans = beginnings.map((toBegin) => settled(() => planOf(toBegin, before)));
      const planned = plans.flatMap((plan) => (plan.ok && plan.value ? [plan.value] : []));
      const results = beginnings.map((toBegin, index) => {
        const plan = mustExist(plans[index], "a plan");
        return plan.ok ? settled(() => begunBy(plan.value, toBegin, before)) : plan;
      });
      return { statements: statementsOf(planned), results };
    },
  };
}

/**
 * Plans what an operation writes as it begins; undefined where it goes on.
 * @throws as the step does.
 */
export function planOf(asked: Asked, { begun, locked, time, readAt }: Before): Plan | undefined {
  const { scope, fingerprint } = asked.execution;
  const beginning = { scope, fingerprint, time, readAt };
  const found = begun.get(operationIdOf(scope));
  if (found === undefined) {
    const intent = validIntent(asked);
    const payment = locked.get(nameKey(changedPaymentOf(scope, intent)));
    return planFirst({ ...beginning, payment }, intent);
  }
  const { operation } = found;
  mustBeSameRequest(beginning, operation);
  if (operation.state !== "not_executed") {
    return undefined;
  }
  validIntent(asked);
  const payment = mustExist(locked.get(nameKey(paymentNameOf(operation))), "a payment");
  return planAgain(beginning, operation, payment);
}

/** The operation once its plan is written. */
export function begunBy(
  plan: Plan | undefined,
  { execution: { scope } }: Asked,
  { begun, time, readAt }: Before,
): Begun {
  if (plan?.begins === "first") {
    return begunNow(plan, { time, readAt });
  }
  const found = mustExist(begun.get(operationIdOf(scope)), "an operation");
  const { operation, payment } = plan ?? found;
  return { ...found, operation, payment, time, isNew: false };
}

/** An operation that begins now, and never did before. */
export function begunNow({ operation, payment }: Plan, read: ReadTime): Begun {
  return { operation, payment, begunAgoMs: 0, ...read, isNew: true };
}

/** @throws NotExecuted if the request is not valid: nothing has begun for it. */
function validIntent({ intent }: Pick<Asked, "intent">): Intent {
  if (intent.ok) {
    return intent.value;
  }
  const { error } = intent;
  throw error instanceof CallError ? new NotExecuted(error.description) : error;
}

async function findBegun(
  transaction: PoolClient,
  scopes: readonly Scope[],
  { readAt, readMoment }: { readonly readAt: Moment; readonly readMoment: ReadMoment },
): Promise<Before["begun"]> {
  const found = await findOperations(
    transaction,
    scopes.map((scope) => ({ tenant: scope.tenant, id: operationIdOf(scope) })),
  );
  const { wallMs } = readMoment();
  const payments = byName(
    await findPayments(
      transaction,
      found.map(({ operation }) => paymentNameOf(operation)),
    ),
  );
  return new Map(
    found.map(({ operation, begunAgoMs: byDatabaseMs }) => {
      const payment = mustExist(payments.get(nameKey(paymentNameOf(operation))), "a payment");
      const begunAgoMs = ageOf(firstSendingOf(operation), { byDatabaseMs, wallMs });
      return [operation.id, { operation, payment, begunAgoMs, readAt }];
    }),
  );
}

/** The payments that operations are on, locked until the transaction ends. */
async function lockPaymentsOf(
  transaction: PoolClient,
  beginnings: readonly ToBegin[],
): Promise<ReadonlyMap<string, Payment>> {
  const names = beginnings.flatMap(({ execution: { scope }, intent }) =>
    intent.ok ? [changedPaymentOf(scope, intent.value)] : [],
  );
  return byName((await lockPayments(transaction, names)).map(({ payment }) => payment));
}

/** A payment that is yet to be created is not there; one that begins again is. */
function changedPaymentOf(scope: Scope, intent: Intent): RowName {
  const id = intent.kind === "create" ? paymentIdOf(scope) : intent.paymentId;
  return { tenant: scope.tenant, id };
}

async function readClock(transaction: PoolClient): Promise<Date> {
  const { rows } = await transaction.query<{ time: Date }>("SELECT clock_timestamp() AS time");
  return mustExist(rows[0], "the clock").time;
}

function scopeOf({ execution }: ToBegin): Scope {
  return execution.scope;
}

import type { Pool } from "pg";
import { CallError, NotExecuted } from "../../idempotency/answers/errors.js";
import type { Scope } from "../../idempotency/port/scope.js";
import type { Settled } from "../../runtime/batches.js";
import type { Written } from "../../runtime/owned-work.js";
import { type Age, ageOf, type Moment, type ReadMoment, type ReadTime } from "../key-window.js";
import { type Intent, type Operated, operationIdOf, paymentIdOf } from "../operation.js";
import type { Payment } from "../payment.js";
import { mustBeSameRequest, planAgain, planFirst } from "./admit-operation.js";
import { BEGIN_WORKS } from "./beginnings.js";
import { findOperations, firstSendingOf, paymentNameOf } from "./operations.js";
import type { Owned, WriteOwned } from "./owners.js";
import { findPayments } from "./payments.js";
import type { PlannedStep } from "./planned-step.js";
import type { Plan } from "./plans.js";
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
  /** The payments that operations are on, by their names. */
  readonly payments: ReadonlyMap<string, Payment>;
  /** The time on the database's clock. */
  readonly time: Date;
  readonly readAt: Moment;
}

/** What an operation that begins, or goes on, writes, and what it then is. */
export interface BeginPlan extends Begun {
  /** Undefined where it goes on. */
  readonly begins: Plan["begins"] | undefined;
  /** Undefined where the operation creates the payment. */
  readonly before: Payment | undefined;
}

/**
 * Begins operations, or finds what earlier attempts of the same request have
 * begun. Only what has not begun is checked: an operation that has is never
 * refused, except to another request. One that may not begin fails by itself:
 * with NotExecuted if it is not valid or the payment's state does not admit it
 * now, with Final if it never will.
 */
export function createBeginStep({
  pool,
  write,
  readMoment,
}: {
  readonly pool: Pool;
  readonly write: WriteOwned;
  readonly readMoment: ReadMoment;
}): PlannedStep<ToBegin, Before, BeginPlan> {
  return {
    knownOf: () => undefined,

    async read(beginnings) {
      const before = await readBefore(pool, beginnings, readMoment);
      return beginnings.map(() => before);
    },

    plan(toBegin, before) {
      const plan = planOf(toBegin, before);
      const begun = begunBy(plan, toBegin, before);
      const payment = before.payments.get(nameKey(paymentNameOf(begun.operation)));
      return { ...begun, begins: plan?.begins, before: payment };
    },

    async write(planned) {
      const written = planned.map((): Written => "refused");
      for (const work of BEGIN_WORKS) {
        const chosen = planned.flatMap(({ item: { execution }, plan }, index) =>
          work.isOf(plan) ? [{ execution, plan, index }] : [],
        );
        const results = await write(work, chosen, work.valuesOf(chosen.map(({ plan }) => plan)));
        chosen.forEach(({ index }, at) => {
          written[index] = results[at] ?? "refused";
        });
      }
      return written;
    },
  };
}

/**
 * Plans what an operation writes as it begins; undefined where it goes on.
 * @throws as the step does.
 */
function planOf(asked: Asked, { begun, payments, time, readAt }: Before): Plan | undefined {
  const { scope, fingerprint } = asked.execution;
  const beginning = { scope, fingerprint, time, readAt };
  const found = begun.get(operationIdOf(scope));
  if (found === undefined) {
    const intent = validIntent(asked);
    const payment = payments.get(nameKey(changedPaymentOf(scope, intent)));
    return planFirst({ ...beginning, payment }, intent);
  }
  const { operation } = found;
  mustBeSameRequest(beginning, operation);
  if (operation.state !== "not_executed") {
    return undefined;
  }
  validIntent(asked);
  const payment = mustExist(payments.get(nameKey(paymentNameOf(operation))), "a payment");
  return planAgain(beginning, operation, payment);
}

/** The operation once its plan is written. */
function begunBy(
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

/** Reads, without a lock, what operations have begun and the payments that they are on. */
async function readBefore(
  pool: Pool,
  beginnings: readonly ToBegin[],
  readMoment: ReadMoment,
): Promise<Before> {
  const readAt = readMoment();
  const names = beginnings.flatMap(({ execution: { scope }, intent }) =>
    intent.ok ? [changedPaymentOf(scope, intent.value)] : [],
  );
  const [{ found, time }, named] = await Promise.all([
    findOperations(
      pool,
      beginnings.map(({ execution: { scope } }) => ({
        tenant: scope.tenant,
        id: operationIdOf(scope),
      })),
    ),
    findPayments(pool, names),
  ]);
  const { wallMs } = readMoment();
  const payments = new Map(byName(named));
  // A request that is not valid any more may have begun all the same.
  const others = found
    .map(({ operation }) => paymentNameOf(operation))
    .filter((name) => !payments.has(nameKey(name)));
  for (const payment of await findPayments(pool, others)) {
    payments.set(nameKey(payment), payment);
  }
  const begun = found.map(({ operation, begunAgoMs: byDatabaseMs }) => {
    const payment = mustExist(payments.get(nameKey(paymentNameOf(operation))), "a payment");
    const begunAgoMs = ageOf(firstSendingOf(operation), { byDatabaseMs, wallMs });
    return [operation.id, { operation, payment, begunAgoMs, readAt }] as const;
  });
  return { begun: new Map(begun), payments, time, readAt };
}

/** A payment that is yet to be created is not there; one that begins again is. */
function changedPaymentOf(scope: Scope, intent: Intent): RowName {
  const id = intent.kind === "create" ? paymentIdOf(scope) : intent.paymentId;
  return { tenant: scope.tenant, id };
}

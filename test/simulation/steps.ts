import { Pool } from "pg";
import { ClaimLost } from "../../src/idempotency/answers/errors.js";
import type { Execution } from "../../src/idempotency/execution/call.js";
import { endWithoutEffect } from "../../src/payments/end-operation.js";
import { ageOf, beginTimeOf, type Moment, type ReadMoment } from "../../src/payments/key-window.js";
import { isAnswered, type Operation, operationIdOf } from "../../src/payments/operation.js";
import type { Payment } from "../../src/payments/payment.js";
import {
  type Before,
  type BeginPlan,
  createBeginStep,
  type ToBegin,
} from "../../src/payments/postgres/begin.js";
import type { FindOperated } from "../../src/payments/postgres/find-operated.js";
import { createFinishStep } from "../../src/payments/postgres/finish.js";
import { firstSendingOf } from "../../src/payments/postgres/operations.js";
import type { Owned } from "../../src/payments/postgres/owners.js";
import type { PaymentChange } from "../../src/payments/postgres/payment-change.js";
import { type PlannedStep, takeStep } from "../../src/payments/postgres/planned-step.js";
import { mustExist, nameKey } from "../../src/payments/postgres/rows.js";
import type { Steps } from "../../src/payments/postgres/steps.js";
import { createUnknownStep } from "../../src/payments/postgres/unknown.js";
import { ACTION_TIMEOUT_MS } from "../../src/payments/state.js";
import { settled } from "../../src/runtime/batches.js";
import type { Written } from "../../src/runtime/owned-work.js";
import type { HeldPayments } from "../../src/server/resolution.js";
import { CREATION, PAYMENT_ID } from "./calls.js";
import type { Transaction } from "./database.js";
import type { RemoteDatabase } from "./remote-database.js";

/** The rules that the steps rest on, apart from those of the product's own functions. */
export interface StepRules {
  readonly ageOf: typeof ageOf;
  /** What a beginning writes. */
  readonly planned: (plan: BeginPlan) => BeginPlan;
  /** An operation as it is found. */
  readonly found: (operation: Operation, execution: Execution<Transaction>) => Operation;
  /** Whether a payment is still as a step was planned from, by what others can change. */
  readonly isUnchanged: (before: Payment, now: Payment) => boolean;
  /** Whether an operation that was not executed ends with its key. */
  readonly endsWithKey: boolean;
}

export const STEP_RULES: StepRules = {
  ageOf,
  planned: (plan) => plan,
  found: (operation) => operation,
  isUnchanged: (before, now) =>
    before.version === now.version &&
    before.capturing === now.capturing &&
    before.refunding === now.refunding &&
    before.canceling === now.canceling,
  endsWithKey: true,
};

export interface MemorySteps extends Steps {
  readonly hasResult: HeldPayments<Transaction>["hasResult"];
  readonly endAsNotExecuted: HeldPayments<Transaction>["endAsNotExecuted"];
}

/**
 * The steps of the payment service, by its own plans: they are read in one
 * message and written in another, over rows in memory instead of tables.
 */
export function createSteps(options: {
  readonly database: RemoteDatabase;
  readonly databaseNowMs: () => number;
  readonly readMoment: ReadMoment;
  readonly rules: StepRules;
  /** Told of each operation that begins. */
  readonly onBegin: (execution: Execution<Transaction>) => void;
  readonly saw: (what: string) => void;
}): MemorySteps {
  const { database, databaseNowMs, readMoment, rules, onBegin, saw } = options;
  const now = () => new Date(databaseNowMs());

  /** Writes where the claim is still its owner's and the work finds what it was planned for. */
  async function writeOwned(
    given: Owned["execution"],
    work: (
      transaction: Transaction,
      execution: Execution<Transaction>,
    ) => boolean | Promise<boolean>,
  ): Promise<Written> {
    const execution = own(given);
    try {
      const isWritten = await database.transact(execution.scope, async (transaction) => {
        await execution.assertOwner(transaction);
        return work(transaction, execution);
      });
      if (!isWritten) {
        saw("step planned again");
      }
      return isWritten ? "written" : "refused";
    } catch (error) {
      if (error instanceof ClaimLost) {
        return "lost";
      }
      throw error;
    }
  }

  function isAsPlanned(transaction: Transaction, { before }: Pick<PaymentChange, "before">) {
    const payment = transaction.findPayment(PAYMENT_ID);
    return payment !== undefined && rules.isUnchanged(before, payment);
  }

  const findOperated: FindOperated = (operations) =>
    Promise.all(
      operations.map(({ id }) =>
        database.transact(CREATION, async (transaction) => ({
          operation: mustExist(transaction.findOperation(id), "an operation"),
          payment: mustExist(transaction.findPayment(PAYMENT_ID), "a payment"),
        })),
      ),
    );

  const beginStep: PlannedStep<ToBegin, Before, BeginPlan> = {
    ...createBeginStep({ pool: NO_POOL, write: noWrite, readMoment }),
    read: (beginnings) =>
      Promise.all(
        beginnings.map(({ execution }) => {
          const readAt = readMoment();
          return database.transact(execution.scope, async (transaction) =>
            readBefore(transaction, own(execution), readAt),
          );
        }),
      ),
    write: (planned) =>
      Promise.all(
        planned.map(({ item, plan: made }) => {
          const plan = rules.planned(made);
          return writeOwned(item.execution, (transaction, execution) =>
            writeBeginning(transaction, execution, plan),
          );
        }),
      ),
  };

  function readBefore(
    transaction: Transaction,
    execution: Execution<Transaction>,
    readAt: Moment,
  ): Before {
    const time = now();
    const payment = transaction.findPayment(PAYMENT_ID);
    const stored = transaction.findOperation(operationIdOf(execution.scope));
    const payments = new Map(payment === undefined ? [] : [[nameKey(payment), payment]]);
    if (stored === undefined) {
      return { payments, begun: new Map(), time, readAt };
    }
    const operation = rules.found(stored, execution);
    const sentFirst = firstSendingOf(operation);
    const begunAgoMs = rules.ageOf(sentFirst, {
      byDatabaseMs: time.getTime() - sentFirst.getTime(),
      wallMs: readAt.wallMs,
    });
    const found = { operation, payment: mustExist(payment, "a payment"), begunAgoMs, readAt };
    return { payments, begun: new Map([[operation.id, found]]), time, readAt };
  }

  /** @throws if the operation, or the payment that it creates, is there already. */
  function writeBeginning(
    transaction: Transaction,
    execution: Execution<Transaction>,
    { begins, operation, payment, before }: BeginPlan,
  ): boolean {
    if (begins === undefined) {
      return true;
    }
    const stored = transaction.findOperation(operation.id);
    if (begins === "first" && stored !== undefined) {
      throw new Error("the operation is there already");
    }
    if (begins === "again" && stored?.state !== "not_executed") {
      return false;
    }
    if (before === undefined) {
      if (transaction.findPayment(payment.id) !== undefined) {
        throw new Error("the payment is there already");
      }
    } else if (!isAsPlanned(transaction, { before })) {
      return false;
    }
    transaction.putOperation(operation);
    transaction.putPayment(payment);
    onBegin(execution);
    return true;
  }

  const finishStep = createFinishStep({
    write: noWrite,
    findOperated,
    readMoment,
    actionTimeoutMs: ACTION_TIMEOUT_MS,
  });
  const finish: typeof finishStep = {
    ...finishStep,
    write: (planned) =>
      Promise.all(
        planned.map(({ item, plan }) =>
          writeOwned(item.execution, async (transaction, execution) => {
            const stored = transaction.findOperation(plan.operation.id);
            if (stored?.finishTime !== undefined || !isAsPlanned(transaction, plan)) {
              return false;
            }
            transaction.putOperation(plan.operation);
            transaction.putPayment(plan.payment);
            if (plan.body !== undefined) {
              await execution.completeWithin(transaction, plan.body);
            }
            return true;
          }),
        ),
      ),
  };

  const unknownStep = createUnknownStep({ write: noWrite, findOperated, readMoment });
  const unknown: typeof unknownStep = {
    ...unknownStep,
    write: (planned) =>
      Promise.all(
        planned.map(({ item, plan }) =>
          writeOwned(item.execution, (transaction) => {
            if (!isAsPlanned(transaction, plan)) {
              return false;
            }
            const stored = transaction.findOperation(plan.operation.id);
            if (stored !== undefined && stored.finishTime === undefined) {
              transaction.putOperation({ ...stored, state: "unknown" });
            }
            transaction.putPayment(plan.payment);
            return true;
          }),
        ),
      ),
  };

  return {
    begin: ({ execution }, readIntent) =>
      takeOne(beginStep, { execution, intent: settled(readIntent) }),
    finish: (finishing) => takeOne(finish, finishing),
    async markUnknown(unanswered) {
      await takeOne(unknown, unanswered);
    },

    hasResult: (scope) =>
      database.transact(scope, async (transaction) => {
        const operation = transaction.findOperation(operationIdOf(scope));
        return operation !== undefined && isAnswered(operation);
      }),

    endAsNotExecuted: (scope, reopenWithin) =>
      database.transact(scope, async (transaction) => {
        if (!(await reopenWithin(transaction))) {
          return false;
        }
        const begun = transaction.findOperation(operationIdOf(scope));
        if (begun !== undefined && begun.state !== "not_executed" && rules.endsWithKey) {
          const { operation, payment } = endWithoutEffect(begun, {
            payment: mustExist(transaction.findPayment(PAYMENT_ID), "a payment"),
            time: now(),
          });
          const finishTime = beginTimeOf(now(), readMoment());
          transaction.putOperation({ ...operation, finishTime });
          transaction.putPayment(payment);
        }
        return true;
      }),
  };
}

async function takeOne<Item, Known, Plan>(
  step: PlannedStep<Item, Known, Plan>,
  item: Item,
): Promise<Plan> {
  const [taken] = await takeStep(step, [item]);
  if (taken === undefined || !taken.ok) {
    throw taken?.error ?? new Error("the step has no result");
  }
  return taken.value;
}

// The rows of a world are in no table.
const NO_POOL = new Pool();
const noWrite = () => Promise.reject(new Error("the steps of a world write their rows themselves"));

/** `perform` hands on the execution that it was given, which is one of ours. */
function own(execution: Parameters<Steps["begin"]>[0]["execution"]): Execution<Transaction> {
  return execution as unknown as Execution<Transaction>;
}

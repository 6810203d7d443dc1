import type { Execution } from "../../src/idempotency/execution/call.js";
import { endWithDecision, endWithoutEffect } from "../../src/payments/end-operation.js";
import { ageOf, beginTimeOf, type ReadMoment } from "../../src/payments/key-window.js";
import { isAnswered, type Operation, operationIdOf } from "../../src/payments/operation.js";
import type { Payment } from "../../src/payments/payment.js";
import { type Before, begunBy, planOf } from "../../src/payments/postgres/begin.js";
import { firstSendingOf } from "../../src/payments/postgres/operations.js";
import type { LockedPayment } from "../../src/payments/postgres/payments.js";
import type { Plan } from "../../src/payments/postgres/plans.js";
import { mustExist, nameKey } from "../../src/payments/postgres/rows.js";
import type { Steps } from "../../src/payments/postgres/steps.js";
import { toUnknown } from "../../src/payments/state.js";
import { settled } from "../../src/runtime/batches.js";
import type { HeldPayments } from "../../src/server/resolution.js";
import { PAYMENT_ID } from "./calls.js";
import type { Transaction } from "./database.js";
import type { RemoteDatabase } from "./remote-database.js";

/** The rules that the steps rest on, apart from those of the product's own functions. */
export interface StepRules {
  readonly ageOf: typeof ageOf;
  /** What a beginning writes. */
  readonly planned: (plan: Plan) => Plan;
  /** An operation as it is found. */
  readonly found: (operation: Operation, execution: Execution<Transaction>) => Operation;
  /** Whether a payment is still as it was when an operation on it began, by what others can change. */
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

/** The transactions of the payment service, over rows in memory instead of tables. */
export function createSteps(options: {
  readonly database: RemoteDatabase;
  readonly databaseNowMs: () => number;
  readonly readMoment: ReadMoment;
  readonly rules: StepRules;
  /** Told of each operation that begins. */
  readonly onBegin: (execution: Execution<Transaction>) => void;
}): MemorySteps {
  const { database, databaseNowMs, readMoment, rules, onBegin } = options;
  const now = () => new Date(databaseNowMs());

  function asOwner<Result>(
    execution: Execution<Transaction>,
    work: (transaction: Transaction) => Result | Promise<Result>,
  ): Promise<Result> {
    return database.transact(execution.scope, async (transaction) => {
      await execution.assertOwner(transaction);
      return work(transaction);
    });
  }

  function read(transaction: Transaction, execution: Execution<Transaction>): Before {
    const time = now();
    const readAt = readMoment();
    const payment = transaction.findPayment(PAYMENT_ID);
    const stored = transaction.findOperation(operationIdOf(execution.scope));
    const before = {
      payments: new Map(payment === undefined ? [] : [[nameKey(payment), payment]]),
      time,
      readAt,
    };
    if (stored === undefined) {
      return { ...before, begun: new Map() };
    }
    const operation = rules.found(stored, execution);
    const sentFirst = firstSendingOf(operation);
    const begunAgoMs = rules.ageOf(sentFirst, {
      byDatabaseMs: time.getTime() - sentFirst.getTime(),
      wallMs: readAt.wallMs,
    });
    const found = { operation, payment: mustExist(payment, "a payment"), begunAgoMs, readAt };
    return { ...before, begun: new Map([[operation.id, found]]) };
  }

  function lock(transaction: Transaction): LockedPayment {
    const payment = mustExist(transaction.findPayment(PAYMENT_ID), "a payment");
    return { payment, time: now() };
  }

  /** @throws if the operation is not there, or has ended. */
  function findUnfinished(transaction: Transaction, { id }: Operation): Operation {
    const stored = mustExist(transaction.findOperation(id), "an operation");
    if (stored.finishTime !== undefined) {
      throw new Error("an operation that has an answer keeps it");
    }
    return stored;
  }

  return {
    begin: ({ execution: given }, readIntent) => {
      const execution = own(given);
      const asked = { execution, intent: settled(readIntent) };
      return asOwner(execution, (transaction) => {
        const before = read(transaction, execution);
        const planned = planOf(asked, before);
        const plan = planned && rules.planned(planned);
        if (plan !== undefined) {
          transaction.putOperation(plan.operation);
          transaction.putPayment(plan.payment);
          onBegin(execution);
        }
        return begunBy(plan, asked, before);
      });
    },

    finish: ({ execution: given, begun: { operation: begun, ...known }, ...decided }) => {
      const { decision, minorUnits, respond } = decided;
      const execution = own(given);
      return asOwner(execution, async (transaction) => {
        const locked = lock(transaction);
        // Planned from the payment as it was, unless that has changed.
        const before = rules.isUnchanged(known.payment, locked.payment)
          ? known.payment
          : locked.payment;
        const ended = endWithDecision(
          begun,
          { ...locked, payment: before },
          { decision, minorUnits },
        );
        findUnfinished(transaction, begun);
        transaction.putOperation(ended.operation);
        transaction.putPayment(ended.payment);
        const body = respond(ended);
        if (body !== undefined) {
          await execution.completeWithin(transaction, body);
        }
        return { ...ended, body };
      });
    },

    markUnknown: ({
      execution,
      begun: {
        operation: { id, kind },
      },
    }) =>
      asOwner(own(execution), (transaction) => {
        const stored = transaction.findOperation(id);
        if (stored !== undefined && stored.finishTime === undefined) {
          transaction.putOperation({ ...stored, state: "unknown" });
        }
        const payment = transaction.findPayment(PAYMENT_ID);
        if (kind === "create" && payment !== undefined) {
          transaction.putPayment(toUnknown(payment));
        }
      }),

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
          const { operation, payment } = endWithoutEffect(begun, lock(transaction));
          const finishTime = beginTimeOf(now(), readMoment());
          transaction.putOperation({ ...operation, finishTime });
          transaction.putPayment(payment);
        }
        return true;
      }),
  };
}

/** `perform` hands on the execution that it was given, which is one of ours. */
function own(execution: Parameters<Steps["begin"]>[0]["execution"]): Execution<Transaction> {
  return execution as unknown as Execution<Transaction>;
}

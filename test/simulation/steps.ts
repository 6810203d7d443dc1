import type { Execution } from "../../src/idempotency/call.js";
import { endWithDecision, endWithoutEffect } from "../../src/payments/end-operation.js";
import { ageOf, type ReadMoment } from "../../src/payments/key-window.js";
import {
  type Intent,
  isAnswered,
  type Operation,
  operationIdOf,
  paymentIdOf,
} from "../../src/payments/operation.js";
import { type Before, begunBy, planOf } from "../../src/payments/postgres/begin.js";
import { firstSendingOf } from "../../src/payments/postgres/operations.js";
import type { LockedPayment } from "../../src/payments/postgres/payments.js";
import type { Plan } from "../../src/payments/postgres/plans.js";
import { mustExist, nameKey } from "../../src/payments/postgres/rows.js";
import type { Steps } from "../../src/payments/postgres/steps.js";
import { toUnknown } from "../../src/payments/state.js";
import { type Settled, settled } from "../../src/runtime/batches.js";
import type { HeldPayments } from "../../src/server/resolution.js";
import type { Transaction } from "./database.js";
import type { RemoteDatabase } from "./remote-database.js";

/** The rules that the steps rest on, apart from those of the product's own functions. */
export interface StepRules {
  readonly ageOf: typeof ageOf;
  /** What a beginning writes. */
  readonly planned: (plan: Plan) => Plan;
  /** An operation as it is found. */
  readonly found: (operation: Operation, execution: Execution<Transaction>) => Operation;
  /** Whether an operation that was not executed ends with its key. */
  readonly endsWithKey: boolean;
}

export const STEP_RULES: StepRules = {
  ageOf,
  planned: (plan) => plan,
  found: (operation) => operation,
  endsWithKey: true,
};

export type MemorySteps = Steps & Pick<HeldPayments<Transaction>, "hasResult" | "endAsNotExecuted">;

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

  function read(
    transaction: Transaction,
    { execution, intent }: { execution: Execution<Transaction>; intent: Settled<Intent> },
  ): Before {
    const time = now();
    const readAt = readMoment();
    const { scope } = execution;
    const stored = transaction.findOperation(operationIdOf(scope));
    const asked = intent.ok && intent.value.kind !== "create" ? intent.value : undefined;
    const paymentId = stored?.paymentId ?? asked?.paymentId ?? paymentIdOf(scope);
    const payment = transaction.findPayment(paymentId);
    const before = {
      locked: new Map(payment === undefined ? [] : [[nameKey(payment), payment]]),
      time,
      readAt,
    };
    if (stored === undefined) {
      return { ...before, begun: new Map() };
    }
    const operation = rules.found(stored, execution);
    const firstSending = firstSendingOf(operation);
    const begunAgoMs = rules.ageOf(firstSending, {
      byDatabaseMs: time.getTime() - firstSending.getTime(),
      wallMs: readAt.wallMs,
    });
    const found = { operation, payment: mustExist(payment, "a payment"), begunAgoMs, readAt };
    return { ...before, begun: new Map([[operation.id, found]]) };
  }

  function lock(transaction: Transaction, { paymentId }: Operation): LockedPayment {
    const payment = mustExist(transaction.findPayment(paymentId), "a payment");
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
        const before = read(transaction, asked);
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

    finish: ({ execution: given, operation: begun, decision, minorUnits, respond }) => {
      const execution = own(given);
      return asOwner(execution, async (transaction) => {
        const ended = endWithDecision(begun, lock(transaction, begun), { decision, minorUnits });
        findUnfinished(transaction, begun);
        transaction.putOperation(ended.operation);
        transaction.putPayment(ended.payment);
        const answer = respond(ended);
        await execution.completeWithin(transaction, answer);
        return { ...ended, answer };
      });
    },

    markUnknown: ({ execution, operation: { id, kind, paymentId } }) =>
      asOwner(own(execution), (transaction) => {
        const stored = transaction.findOperation(id);
        if (stored !== undefined && stored.finishTime === undefined) {
          transaction.putOperation({ ...stored, state: "unknown" });
        }
        const payment = transaction.findPayment(paymentId);
        if (kind === "create" && payment !== undefined) {
          transaction.putPayment(toUnknown(payment));
        }
      }),

    hasResult: (scope) =>
      database.transact(scope, async (transaction) => {
        const stored = transaction.findOperation(operationIdOf(scope));
        return stored !== undefined && isAnswered(stored);
      }),

    endAsNotExecuted: (scope, reopenWithin) =>
      database.transact(scope, async (transaction) => {
        if (!(await reopenWithin(transaction))) {
          return false;
        }
        const begun = transaction.findOperation(operationIdOf(scope));
        if (begun !== undefined && begun.state !== "not_executed" && rules.endsWithKey) {
          findUnfinished(transaction, begun);
          const ended = endWithoutEffect(begun, lock(transaction, begun), readMoment());
          transaction.putOperation(ended.operation);
          transaction.putPayment(ended.payment);
        }
        return true;
      }),
  };
}

/** `perform` hands on the execution that it was given, which is one of ours. */
function own(execution: Parameters<Steps["begin"]>[0]["execution"]): Execution<Transaction> {
  return execution as unknown as Execution<Transaction>;
}

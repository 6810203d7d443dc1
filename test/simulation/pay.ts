import type { Execution } from "../../src/idempotency/call.js";
import { Code } from "../../src/idempotency/code.js";
import { Final, NotExecuted, Parked } from "../../src/idempotency/errors.js";
import { type Outcome, okOutcome } from "../../src/idempotency/outcome.js";
import { deriveId } from "../../src/idempotency/scope.js";
import { FINAL_REASON, NOT_EXECUTED_REASON } from "./answers.js";
import type { Operation, Payment, Transaction } from "./database.js";
import { claimOf, describe, type HandlerDependencies } from "./handlers.js";
import { type Decision, KEY_MEMORY_MS, KEY_WINDOW_MS } from "./processor.js";

/** How many operations find their payment busy, of those in trouble. */
const BUSY_RATE = 0.3;

/** A capture of the world's payment from its claim to its answer, in the steps of the payment service's `perform`. */
export async function pay(
  dependencies: HandlerDependencies,
  request: string,
  execution: Execution<Transaction>,
): Promise<Outcome> {
  const { database, databaseNowMs, charge, random, mischief } = dependencies;
  const id = deriveId("op", execution.scope);
  const processorKey = dependencies.processorKeyOf("payment", execution);
  const asOwner = <Result>(work: (transaction: Transaction) => Result | Promise<Result>) =>
    database.transact(execution.scope, async (transaction) => {
      await execution.assertOwner(transaction);
      return work(transaction);
    });

  const { operation, begunAgoMs } = await asOwner((transaction) => {
    const found = transaction.find(id);
    if (found !== undefined) {
      return { operation: found, begunAgoMs: databaseNowMs() - found.beginTimeMs };
    }
    if (random.chance(mischief() * BUSY_RATE)) {
      throw new NotExecuted(describe(Code.ABORTED, NOT_EXECUTED_REASON));
    }
    const payment = transaction.findPayment();
    admit(payment, dependencies.saw);
    transaction.putPayment(dependencies.reserve(payment, id));
    const begun: Operation = {
      processorKey,
      state: "pending",
      version: 1,
      beginTimeMs: databaseNowMs(),
    };
    transaction.put(id, begun);
    return { operation: begun, begunAgoMs: 0 };
  });
  if (operation.state === "approved" || operation.state === "declined") {
    return okOutcome(paymentBody(operation));
  }
  if (begunAgoMs > KEY_WINDOW_MS) {
    throw new Parked("the processor may have forgotten the key");
  }
  execution.signal.throwIfAborted();
  const decision = await charge({
    processorKey,
    request,
    memoryMs: KEY_MEMORY_MS,
    claim: claimOf(execution),
  }).catch(async (cause: unknown) => {
    await asOwner((transaction) => {
      const before = transaction.find(id) ?? operation;
      transaction.put(id, { ...before, state: "unknown", version: before.version + 1 });
    });
    throw cause;
  });
  const finished = await asOwner(async (transaction) => {
    const before = transaction.find(id) ?? operation;
    const after: Operation = { ...before, state: decision, version: before.version + 1 };
    transaction.put(id, after);
    transaction.putPayment(settle(transaction.findPayment(), id, decision));
    await execution.completeWithin(transaction, paymentBody(after));
    return after;
  });
  return okOutcome(paymentBody(finished));
}

/** Refuses what there is no unit left for, or none unless an operation in flight leaves it. */
function admit({ authorized, captured, inFlight }: Payment, saw: (what: string) => void): void {
  if (captured >= authorized) {
    saw("capture of nothing refused");
    throw new Final(describe(Code.FAILED_PRECONDITION, FINAL_REASON));
  }
  if (captured + inFlight.length >= authorized) {
    saw("capture of what is in flight refused");
    throw new NotExecuted(describe(Code.ABORTED, NOT_EXECUTED_REASON));
  }
}

function settle(payment: Payment, operationId: string, decision: Decision): Payment {
  return {
    ...payment,
    captured: payment.captured + (decision === "approved" ? 1 : 0),
    inFlight: payment.inFlight.filter((id) => id !== operationId),
  };
}

/** The version tells the answers of two attempts apart, where both were to write. */
function paymentBody({ processorKey, state, version }: Operation): Uint8Array {
  return Buffer.from(JSON.stringify({ processorKey, state, version }));
}

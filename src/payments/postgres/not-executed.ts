import type { Pool, PoolClient } from "pg";
import type { Scope } from "../../idempotency/port/scope.js";
import { write } from "../../runtime/statements.js";
import { inTransaction } from "../../runtime/transaction.js";
import { endWithoutEffect } from "../end-operation.js";
import { beginTimeOf, type ReadMoment, readMoment as readSystemMoment } from "../key-window.js";
import { isAnswered, operationIdOf } from "../operation.js";
import { appendEvents } from "./events.js";
import { findOperations, finishOperations, paymentNameOf } from "./operations.js";
import { lockPayments, updatePayments } from "./payments.js";
import { mustExist } from "./rows.js";

/**
 * Ends the operation of a call that, as is known, did nothing and never will:
 * frees what it had reserved and, with `reopenWithin`, its key for the same
 * request, all in one commit. A payment that it was to create is declined.
 *
 * @returns false if the claim belongs to somebody else by now; nothing is written then
 * @throws if the processor has answered, see `hasResult`
 */
export function endAsNotExecuted(
  pool: Pool,
  {
    scope,
    reopenWithin,
    readMoment = readSystemMoment,
  }: {
    readonly scope: Scope;
    readonly readMoment?: ReadMoment;
    /** Locks the claim, before anything else is; false if it is lost. */
    readonly reopenWithin: (transaction: PoolClient) => Promise<boolean>;
  },
): Promise<boolean> {
  return inTransaction(pool, async (transaction) => {
    if (!(await reopenWithin(transaction))) {
      return false;
    }
    const name = { tenant: scope.tenant, id: operationIdOf(scope) };
    const [found] = (await findOperations(transaction, [name])).found;
    if (found === undefined || found.operation.state === "not_executed") {
      return true; // it never began, or not again
    }
    const { operation: begun } = found;
    const [locked] = await lockPayments(transaction, [paymentNameOf(begun)]);
    const lock = mustExist(locked, "a payment");
    const ended = endWithoutEffect(begun, lock);
    // A call may have been on its way until now: see `firstSendingOf`.
    const finishTime = beginTimeOf(lock.time, readMoment());
    await write(transaction, [
      finishOperations([{ ...ended.operation, finishTime }]),
      updatePayments([ended.payment]),
      appendEvents(ended.moved ? [ended.payment] : []),
    ]);
    return true;
  });
}

/** Resolves with true if the processor has answered the operation of a call, and this database knows it. */
export function hasResult(pool: Pool, scope: Scope): Promise<boolean> {
  return inTransaction(pool, async (transaction) => {
    const name = { tenant: scope.tenant, id: operationIdOf(scope) };
    const [found] = (await findOperations(transaction, [name])).found;
    return found !== undefined && isAnswered(found.operation);
  });
}

import type { Pool, PoolClient } from "pg";
import type { Scope } from "../../idempotency/scope.js";
import { inTransaction } from "../../runtime/transaction.js";
import { endWithoutEffect } from "../end-operation.js";
import { operationIdOf } from "../operation.js";
import { appendEvents } from "./events.js";
import { findOperations, finishOperations, paymentNameOf } from "./operations.js";
import { lockPayments, updatePayments } from "./payments.js";
import { mustExist } from "./rows.js";

export type NotExecutedResult =
  | "ended"
  /** The claim belongs to somebody else by now. Nothing was written. */
  | "claim_lost"
  /** The processor has answered: the operation did happen, or was declined. Nothing was written. */
  | "has_result";

/**
 * Ends the operation of a call that, as is known, did nothing and never will:
 * frees what it had reserved and, with `reopenWithin`, its key for the same
 * request, all in one commit. A payment that it was to create is declined.
 */
export function endAsNotExecuted(
  pool: Pool,
  {
    scope,
    reopenWithin,
  }: {
    readonly scope: Scope;
    /** Locks the claim, before anything else is; false if it is lost. */
    readonly reopenWithin: (transaction: PoolClient) => Promise<boolean>;
  },
): Promise<NotExecutedResult> {
  return inTransaction(pool, async (transaction) => {
    if (!(await reopenWithin(transaction))) {
      return "claim_lost";
    }
    const name = { tenant: scope.tenant, id: operationIdOf(scope) };
    const [found] = await findOperations(transaction, [name]);
    if (found === undefined) {
      return "ended"; // it never began
    }
    const { operation: begun } = found;
    if (begun.state === "approved" || begun.state === "declined") {
      throw new HasResult();
    }
    if (begun.state === "not_executed") {
      return "ended";
    }
    const [locked] = await lockPayments(transaction, [paymentNameOf(begun)]);
    const { operation, payment, moved } = endWithoutEffect(begun, mustExist(locked, "a payment"));
    await finishOperations(transaction, [operation]);
    await updatePayments(transaction, [payment]);
    await appendEvents(transaction, moved ? [payment] : []);
    return "ended" as const;
  }).catch((error: unknown): NotExecutedResult => {
    if (error instanceof HasResult) {
      return "has_result";
    }
    throw error;
  });
}

/** Rolls the transaction back. */
class HasResult extends Error {}

import type { Operated, Operation } from "./operation.js";
import type { FinishedOperation } from "./postgres/operations.js";
import type { LockedPayment } from "./postgres/payments.js";
import type { ProcessorDecision } from "./processor.js";
import { ACTION_TIMEOUT_MS, NOT_EXECUTED, reserveAnew, settle } from "./state.js";

/** An operation that has ended, and its payment as that leaves it. */
export interface Ended extends Operated {
  readonly operation: FinishedOperation;
  /** True if the payment made a transition. */
  readonly moved: boolean;
}

/**
 * Ends an operation with the processor's decision.
 *
 * @param minorUnits what it was decided for, where that is not what the operation had reserved
 */
export function endWithDecision(
  begun: Operation,
  locked: LockedPayment,
  {
    decision,
    minorUnits = begun.minorUnits,
    actionTimeoutMs = ACTION_TIMEOUT_MS,
  }: {
    readonly decision: ProcessorDecision;
    readonly minorUnits?: bigint | undefined;
    /** See `settle`. */
    readonly actionTimeoutMs?: number | undefined;
  },
): Ended {
  const payment =
    minorUnits === begun.minorUnits
      ? locked.payment
      : reserveAnew(locked.payment, begun, minorUnits);
  const ended = { ...begun, minorUnits, state: decision.kind };
  return end(ended, { ...locked, payment }, { decision, actionTimeoutMs });
}

/** Ends an operation that did nothing and never will. A payment that it was to create is declined. */
export function endWithoutEffect(begun: Operation, locked: LockedPayment): Ended {
  const declined = { kind: "declined", declineCode: NOT_EXECUTED } as const;
  return end({ ...begun, state: "not_executed" }, locked, {
    decision: declined,
    actionTimeoutMs: 0,
  });
}

function end(
  ended: Operation,
  { payment: before, time }: LockedPayment,
  {
    decision,
    actionTimeoutMs,
  }: { readonly decision: ProcessorDecision; readonly actionTimeoutMs: number },
): Ended {
  const declineCode = decision.kind === "declined" ? decision.declineCode : "";
  const operation: FinishedOperation = { ...ended, declineCode, finishTime: time };
  const after = settle(before, operation, decision, { time, actionTimeoutMs });
  const moved = after.version !== before.version;
  return { operation, payment: moved ? { ...after, updateTime: time } : after, moved };
}

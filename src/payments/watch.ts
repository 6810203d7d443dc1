import type { Pool } from "pg";
import { type Clock, systemClock } from "../idempotency/clock.js";
import { type PeriodicWork, periodically } from "../idempotency/recovery/periodically.js";
import { endWithDecision } from "./end-operation.js";
import { giveUp } from "./give-up.js";
import type { Operation } from "./operation.js";
import type { Payment } from "./payment.js";
import {
  findOperationInAction,
  lookNextAt,
  lookSoon,
  type ToLookAt,
  takePaymentsToLookAt,
  writeObserved,
} from "./postgres/observe.js";
import {
  namesOf,
  type Processor,
  type ProcessorDecision,
  type ProcessorEffect,
} from "./processor.js";
import { endAuthorization } from "./state.js";

/** After how long to look again at what its customer has just made possible. Milliseconds. */
const LOOK_AGAIN_MS = 60_000;

/** The payments that one round looks at, at once. */
const BATCH_SIZE = 20;

/** The decline code of a payment whose customer has not acted in time. */
const ACTION_EXPIRED = "action_expired";

/** An event of the watch, for a log or a metric. */
export type WatchEvent =
  | { readonly type: "moved"; readonly payment: Payment }
  | { readonly type: "amount_differs"; readonly payment: Payment }
  | { readonly type: "processor_failed"; readonly payment: Payment; readonly error: unknown }
  | { readonly type: "database_failed"; readonly error: unknown };

export interface WatchOptions {
  readonly pool: Pool;
  readonly processor: Processor;
  /** The time between two rounds. Milliseconds. */
  readonly intervalMs: number;
  readonly clock?: Clock;
  /** Is told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: WatchEvent) => void;
}

/**
 * Finds out what has become of payments that wait for something other than a
 * call: a customer who has to act, an authorization that runs out. Only the
 * processor's word moves a payment, never a clock alone. Any number of processes
 * may do so.
 */
export function startPaymentWatch(options: WatchOptions): PeriodicWork {
  const { intervalMs, clock = systemClock } = options;
  return periodically({ intervalMs, clock, work: (signal) => lookAtPayments(options, signal) });
}

/** Looks at all payments that are due, until there are none, or the signal aborts. Never rejects. */
export async function lookAtPayments(
  { pool, processor, onEvent = () => {} }: Omit<WatchOptions, "intervalMs" | "clock">,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      const due = await takePaymentsToLookAt(pool, BATCH_SIZE);
      await Promise.all(due.map((one) => lookAt({ pool, processor, onEvent }, one)));
      if (due.length < BATCH_SIZE || signal.aborted) {
        return;
      }
    }
  } catch (error) {
    onEvent({ type: "database_failed", error });
  }
}

type Looking = Pick<WatchOptions, "pool" | "processor"> & Required<Pick<WatchOptions, "onEvent">>;

async function lookAt(looking: Looking, { payment, time }: ToLookAt): Promise<void> {
  const { pool, processor, onEvent } = looking;
  if (payment.canceling || payment.capturing > 0n) {
    return; // an operation in flight decides
  }
  const operation = await findOperationInAction(pool, payment);
  let effect: ProcessorEffect | undefined;
  try {
    effect = await findEffect(processor, { payment, operation, time });
  } catch (error) {
    onEvent({ type: "processor_failed", payment, error });
    return;
  }
  if (operation === undefined && effect?.endedBy === undefined) {
    await putOff(pool, payment, time);
  }
  if (effect === undefined || (operation === undefined && payment.status === "REQUIRES_ACTION")) {
    return;
  }
  const observed =
    operation === undefined
      ? endedBy(payment, effect, time)
      : settledBy(looking, { payment, operation, time }, effect);
  if (observed === undefined) {
    return;
  }
  if (await writeObserved(pool, observed)) {
    onEvent({ type: "moved", payment: observed.payment });
  } else {
    // Somebody else has written meanwhile, maybe before it was given up at the processor.
    await lookSoon(pool, payment);
  }
}

/**
 * Sets when to look next at what goes on as it was: an authorization that was looked at before its
 * time, at that time. Of one that should have ended the processor is asked until it says so; of
 * what is captured in part nothing more is to be found then.
 */
async function putOff(pool: Pool, payment: Payment, time: Date): Promise<void> {
  const { authorizationExpireTime: expireTime, status } = payment;
  if (!isPast(expireTime, time)) {
    await lookNextAt(pool, payment, expireTime);
  } else if (status !== "AUTHORIZED" && status !== "REQUIRES_ACTION") {
    await lookNextAt(pool, payment, undefined);
  }
}

function isPast(moment: Date | undefined, time: Date): boolean {
  return moment !== undefined && moment <= time;
}

interface Waiting extends ToLookAt {
  /** The operation whose customer has to act; undefined where an authorization runs out. */
  readonly operation: Operation | undefined;
}

/** Asks the processor. What its customer could still do, and is not to, is given up there first. */
async function findEffect(
  processor: Processor,
  { payment, operation, time }: Waiting,
): Promise<ProcessorEffect | undefined> {
  const request = namesOf(payment);
  const found = await processor.lookUp({
    ...request,
    kind: "create",
    processorKey: operation?.processorKey ?? "",
  });
  const expireTime = payment.nextAction?.expireTime;
  const isWaiting = found === undefined || found.decision.kind === "requires_action";
  const isOver = isWaiting && operation !== undefined && isPast(expireTime, time);
  // A customer whose decline is open could be charged after all, once it is declined here.
  if (!isOver && found?.isOpen !== true) {
    return found;
  }
  if (!(await giveUp(processor, request))) {
    return undefined;
  }
  return isOver ? { decision: { kind: "declined", declineCode: ACTION_EXPIRED } } : found;
}

/** What an operation whose customer had to act ends with. Undefined where it goes on waiting. */
function settledBy(
  { onEvent }: Pick<Looking, "onEvent">,
  { payment, operation, time }: ToLookAt & { readonly operation: Operation },
  { decision, amount, endedBy: endedReason }: ProcessorEffect,
) {
  if (decision.kind === "requires_action" || payment.status !== "REQUIRES_ACTION") {
    return undefined;
  }
  if (decision.kind === "approved" && amount !== undefined && !isFor(operation, amount)) {
    onEvent({ type: "amount_differs", payment });
    return undefined;
  }
  const ended = endWithDecision(operation, { payment, time }, { decision: named(decision) });
  // Once more soon after: it may have ended since, and a message that said so may have come before.
  const isOpen = ended.payment.status === "AUTHORIZED";
  const lookTime = new Date(time.getTime() + (endedReason === undefined ? LOOK_AGAIN_MS : 0));
  const after = isOpen ? { ...ended.payment, lookTime } : ended.payment;
  return { ...ended, payment: after, before: payment };
}

function isFor(
  { currencyCode, minorUnits }: Pick<Operation, "currencyCode" | "minorUnits">,
  amount: NonNullable<ProcessorEffect["amount"]>,
): boolean {
  return amount.currencyCode === currencyCode && amount.minorUnits === minorUnits;
}

/** A decline without a code would be none. */
function named(decision: ProcessorDecision): ProcessorDecision {
  return decision.kind === "declined" && decision.declineCode === ""
    ? { ...decision, declineCode: "declined" }
    : decision;
}

/** An authorization that has ended by itself. Undefined where it goes on. */
function endedBy(payment: Payment, { endedBy: reason }: ProcessorEffect, time: Date) {
  if (reason === undefined) {
    return undefined;
  }
  const after = endAuthorization(payment, reason);
  const moved = after.version !== payment.version;
  return {
    before: payment,
    payment: moved ? { ...after, updateTime: time } : after,
    moved,
    operation: undefined,
  };
}

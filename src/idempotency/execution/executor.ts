import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { createRefusals } from "../answers/refusals.js";
import { type Reply, refusedReply, replayedReply } from "../answers/reply.js";
import { type Clock, systemClock } from "../clock.js";
import { sizeOfOutcome } from "../port/outcome.js";
import type { Scope } from "../port/scope.js";
import type { IdempotencyStore } from "../port/store.js";
import { type Admission, createAdmission } from "./admission.js";
import { type Claiming, createClaiming, type ExecuteRequest } from "./claiming.js";
import type { ExecutorEvent } from "./events.js";
import { createUsualDurations } from "./retry-delay.js";
import { type ClaimedCall, createRunning, MAX_ATTEMPTS } from "./running.js";
import { createSettling } from "./settling.js";

/** The longest time for which one attempt may last. Milliseconds. */
const MAX_EXECUTION_MS = 60_000;

/**
 * Calls that may be under way at once. Each holds its request and a timer, a
 * few kilobytes; past this many, waiting costs the callers more than a retry.
 */
export const MAX_CALLS = 10_000;

/**
 * The most that calls under way may hold: their requests, and their answers until these
 * are stored. As many requests as there may be calls, of 25 KiB each; decoded, a
 * byte is in memory a few times, which fits into a heap of Node's usual size. Bytes.
 */
const MAX_CALL_BYTES = 256 * 1024 * 1024;

export interface ExecutorOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** The longest time for which heartbeats extend one attempt. Milliseconds. Default 60,000 (60 s). */
  readonly maxExecutionMs?: number;
  /** The most calls that may be under way at once; later ones are refused as `OVERLOADED`. Default 10,000. */
  readonly maxCalls?: number;
  /** Decides which calls are taken, instead of `maxCalls`. */
  readonly admission?: Admission;
  /** The number of attempts without an outcome after which a claim is held for an operator. Default 200. */
  readonly maxAttempts?: number;
  /**
   * The most bytes that the calls under way may hold: their requests, and their
   * answers until these are stored. A single call is taken however much it holds.
   * Default 256 MiB.
   */
  readonly maxCallBytes?: number;
  readonly clock?: Clock;
  readonly newClaimId?: () => string;
  /** Is told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: ExecutorEvent) => void;
}

export interface Executor<Transaction> {
  /**
   * Executes the call once for its scope, or gives the stored answer again, or
   * refuses with a reason. Never rejects. Every reply is durable before it is given.
   */
  execute(request: ExecuteRequest<Transaction>): Promise<Reply>;

  /**
   * Runs a call again under a claim that was taken over, with no caller. Resolves
   * with the reply that a caller would have got. Never rejects.
   */
  resume(call: ClaimedCall<Transaction>): Promise<Reply>;

  /**
   * From now on refuses every call of `execute` with UNAVAILABLE, before it
   * claims anything. Duplicates that wait for an answer (`IN_FLIGHT_WAIT`) wait no longer.
   */
  stop(): void;

  /** Resolves once no call is under way. Calls whose callers have left count too. */
  drained(): Promise<void>;

  /** Returns the number of calls that are under way. */
  underWay(): number;

  /**
   * After `stop`, gives up the attempts that are running, as if they had lasted
   * too long: their outcomes are unknown, and another process finds them out.
   */
  giveUp(): void;
}

/**
 * Makes an executor: it claims the scope of each call, runs the handler, and
 * stores its outcome. All transports of a process can share one.
 */
export function createExecutor<Transaction = never>(
  options: ExecutorOptions<Transaction>,
): Executor<Transaction> {
  const { store, clock = systemClock, newClaimId = randomUUID } = options;
  const { maxExecutionMs = MAX_EXECUTION_MS, maxCalls = MAX_CALLS } = options;
  const { admission = createAdmission({ maxCalls, clock }) } = options;
  const { maxAttempts = MAX_ATTEMPTS, maxCallBytes = MAX_CALL_BYTES } = options;
  const { onEvent = () => {} } = options;
  const durations = createUsualDurations();
  const refusals = createRefusals({
    durations,
    onRefused: (scope, reason) => onEvent({ type: "refused", scope, reason }),
  });
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every call that waits listens; maxCalls bounds them
  const claim = createClaiming<Transaction>({
    store,
    clock,
    newClaimId,
    delayUntilAnswer: refusals.delayUntilAnswer,
    withoutPlace,
    stopping: stopping.signal,
  });
  const running = createRunning<Transaction>({
    store,
    clock,
    maxExecutionMs,
    maxAttempts,
    withoutPlace,
  });
  const settle = createSettling({ store, clock, maxExecutionMs, refusals, onEvent });
  const waitingForDrain: (() => void)[] = [];
  let calls = 0;
  let callBytes = 0;

  async function execute(request: ExecuteRequest<Transaction>): Promise<Reply> {
    if (stopping.signal.aborted) {
      return refusals.stopping(request.scope);
    }
    const { scope } = request;
    const { length: requestBytes } = request.request;
    const isFull = callBytes > 0 && callBytes + requestBytes > maxCallBytes;
    if (isFull || request.isAbandoned?.() || !admission.enter(scope.tenant)) {
      return refusals.overloaded(scope, admission.retryDelayMs());
    }
    try {
      return await holding(requestBytes, () =>
        counted(scope, async () => answer(request, await claim(request))),
      );
    } finally {
      admission.leave(scope.tenant);
    }
  }

  /** Counts what a call holds meanwhile. */
  async function holding(bytes: number, during: () => Promise<Reply>): Promise<Reply> {
    callBytes += bytes;
    try {
      return await during();
    } finally {
      callBytes -= bytes;
    }
  }

  /** Counts a call as under way, and answers for a store that fails. */
  async function counted(scope: Scope, reply: () => Promise<Reply>): Promise<Reply> {
    calls += 1;
    try {
      return await reply();
    } catch (error) {
      onEvent({ type: "store_failed", scope, error });
      return refusals.storeUnavailable(scope);
    } finally {
      calls -= 1;
      if (calls === 0) {
        for (const resolve of waitingForDrain.splice(0)) {
          resolve();
        }
      }
    }
  }

  /** While the work lasts, its call takes no place from others of its tenant. */
  async function withoutPlace<Result>(
    { tenant }: Scope,
    work: () => Promise<Result>,
  ): Promise<Result> {
    admission.pause(tenant);
    try {
      return await work();
    } finally {
      admission.resume(tenant);
    }
  }

  async function answer(
    { scope, policy, run }: ExecuteRequest<Transaction>,
    { result, mayBeClaimedAgain, enteredAtMs }: Claiming,
  ): Promise<Reply> {
    switch (result.kind) {
      case "claimed": {
        const { claim, begun } = result;
        return execution({ claim, begun, policy, run, mayBeClaimedAgain, enteredAtMs });
      }
      case "replay":
        onEvent({ type: "replayed", scope });
        return replayedReply(result.outcome);
      case "in_progress":
        return refusals.inProgress(scope, result);
      case "held":
        return refusals.held(scope, { heldMs: result.heldMs, leaseMs: policy.leaseMs });
      case "mismatch":
        return mayBeClaimedAgain ? refusals.storeUnavailable(scope) : refusals.mismatch(scope);
      case "expired":
        return refusals.expired(scope);
      case "invalid":
        return refusedReply(result.error);
      case "not_asked":
        return mayBeClaimedAgain ? refusals.storeUnavailable(scope) : refusals.overloaded(scope);
    }
  }

  /** Runs an attempt and settles it. */
  async function execution(call: ClaimedCall<Transaction>): Promise<Reply> {
    const { scope } = call.claim;
    const { enteredAtMs } = call;
    const startedAtMs = clock.nowMs();
    const { result, elsewhereMs } = await running.run(call);
    const answerBytes = result.kind === "ended" ? sizeOfOutcome(result.outcome) : 0;
    const reply = await holding(answerBytes, () => settle(call, result));
    const endedAtMs = clock.nowMs();
    if (enteredAtMs !== undefined) {
      admission.worked({ enteredAtMs, workMs: endedAtMs - enteredAtMs - elsewhereMs });
    }
    const durationMs = endedAtMs - startedAtMs;
    durations.record(scope.operation, durationMs);
    onEvent({ type: "executed", scope, durationMs });
    return reply;
  }

  return {
    execute,
    resume: (call) => counted(call.claim.scope, () => execution(call)),
    stop: () => stopping.abort(),
    underWay: () => calls,
    giveUp: running.giveUp,
    async drained() {
      if (calls > 0) {
        await new Promise<void>((resolve) => waitingForDrain.push(resolve));
      }
    },
  };
}

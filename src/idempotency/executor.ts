import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { type Admission, createAdmission } from "./admission.js";
import { type AttemptResult, attempt, extendingWhile, GIVEN_UP, type Run } from "./attempt.js";
import type { Execution } from "./call.js";
import { type Clock, sleep, systemClock } from "./clock.js";
import { type ErrorDescription, StoreOverloaded } from "./errors.js";
import type { Fingerprint } from "./fingerprint.js";
import { classify, sizeOfOutcome } from "./outcome.js";
import type { MethodPolicy } from "./policy.js";
import type { Reason } from "./reasons.js";
import { createRefusals } from "./refusals.js";
import { finalReply, firstReply, type Reply, refusedReply, replayedReply } from "./reply.js";
import { createUsualDurations } from "./retry-delay.js";
import { retrying } from "./retrying.js";
import { rememberingScope, type Scope } from "./scope.js";
import type { Claim, ClaimRequest, ClaimResult, IdempotencyStore } from "./store.js";

/** How long one attempt may last. Milliseconds. */
const MAX_EXECUTION_MS = 60_000;

/**
 * Calls that may be under way at once. Each holds its request and a timer, a
 * few kilobytes; past this many, waiting costs the callers more than a retry.
 */
export const MAX_CALLS = 10_000;

/**
 * How many attempts a claim may have without an outcome before it is held for
 * an operator. By then recovery alone has tried for half a day, and the next
 * attempt would do no better.
 */
export const MAX_ATTEMPTS = 200;

/**
 * What calls under way may hold: their requests, and their answers until these
 * are stored. As many requests as there may be calls, of 25 KiB each; decoded, a
 * byte is in memory a few times, which fits into a heap of Node's usual size. Bytes.
 */
const MAX_CALL_BYTES = 256 * 1024 * 1024;

/** The first delay before an unknown outcome is found out by another attempt; doubles with each. */
const FIRST_RERUN_DELAY_MS = 100;

export interface ExecutorOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** How long heartbeats may extend one attempt. Default 60 s. */
  readonly maxExecutionMs?: number;
  /** How many calls may be under way at once. Default 10,000. */
  readonly maxCalls?: number;
  /** Instead of `maxCalls`: decides which calls are taken. */
  readonly admission?: Admission;
  /** After how many attempts without an outcome a claim is held for an operator. Default 200. */
  readonly maxAttempts?: number;
  /**
   * What they may hold: requests, and answers that are not stored yet. One call
   * is taken whatever it holds. Default 256 MiB.
   */
  readonly maxCallBytes?: number;
  readonly clock?: Clock;
  readonly newClaimId?: () => string;
  /** Told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: ExecutorEvent) => void;
}

export type ExecutorEvent =
  | { readonly type: "executed"; readonly scope: Scope; readonly durationMs: number }
  | { readonly type: "replayed"; readonly scope: Scope }
  | { readonly type: "refused"; readonly scope: Scope; readonly reason: Reason }
  | { readonly type: "outcome_unknown"; readonly scope: Scope; readonly reason: string }
  | { readonly type: "store_failed"; readonly scope: Scope; readonly error: unknown };

export interface ExecuteRequest<Transaction> {
  readonly scope: Scope;
  readonly policy: MethodPolicy;
  readonly fingerprint: Fingerprint;
  /** The request's bytes, from which another attempt can repeat the call. */
  readonly request: Uint8Array;
  /** The same, decoded, as the handler gets it. */
  readonly message?: object;
  /**
   * Why the request is not valid, where that is known before its handler runs.
   * It is told so only where the key has no record: a stored answer comes first.
   */
  readonly invalid?: ErrorDescription | undefined;
  readonly run: Run<Transaction>;
  /** Aborted when nobody waits for the reply. Ends waiting, never an attempt. */
  readonly signal: AbortSignal;
  /** Whether the signal is aborted, where that is known without making one. Nothing is begun then. */
  readonly isAbandoned?: (() => boolean) | undefined;
}

/** What came of asking for a claim. */
interface Claiming {
  readonly result: ClaimResult | { readonly kind: "not_asked" };
  /** See `ClaimedCall`. Nobody may be told for good then that nothing happens. */
  readonly mayBeClaimedAgain: boolean;
}

function notAsked(error: unknown): { readonly kind: "not_asked" } {
  if (error instanceof StoreOverloaded) {
    return { kind: "not_asked" };
  }
  throw error;
}

/** A call whose claim is ours. */
export interface ClaimedCall<Transaction> {
  readonly claim: Claim;
  readonly policy: MethodPolicy;
  readonly run: Run<Transaction>;
  /** A request for this claim went unanswered: it may still reach the store, even after a release. */
  readonly mayBeClaimedAgain?: boolean;
  /** It gets an attempt whatever the number before: an operator brings the outcome. */
  readonly isUnbounded?: boolean;
  /** When it was admitted, where it takes a place. By the executor's clock. Milliseconds. */
  readonly enteredAtMs?: number;
}

export interface Executor<Transaction> {
  /**
   * Executes the call once for its scope, or answers as it was answered before,
   * or says why it cannot. Never rejects. No reply is given before what it says
   * is durable.
   */
  execute(request: ExecuteRequest<Transaction>): Promise<Reply>;

  /**
   * Runs a call again under a claim that was taken over, with no caller. Resolves
   * with what a caller would have been told. Never rejects.
   */
  resume(call: ClaimedCall<Transaction>): Promise<Reply>;

  /**
   * From now on refuses every call of `execute` with UNAVAILABLE, before it
   * claims anything; calls that wait for another's answer wait no longer.
   */
  stop(): void;

  /** Resolves once no call is under way, also none whose caller has left. */
  drained(): Promise<void>;

  /** How many calls are under way. */
  underWay(): number;

  /**
   * After `stop`, gives up the attempts that are running, as if they had lasted
   * too long: their outcomes are unknown, and others find them out.
   */
  giveUp(): void;
}

/** The one place where claims become answers. Every transport calls it. */
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
  const waitingForDrain: (() => void)[] = [];
  const running = new Set<() => void>();
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every call that waits listens; maxCalls bounds them
  let isGivingUp = false;
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
      return await holding(requestBytes, () => counted(scope, claimAndAnswer, request));
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
  async function counted<Call>(
    scope: Scope,
    reply: (call: Call) => Promise<Reply>,
    call: Call,
  ): Promise<Reply> {
    calls += 1;
    try {
      return await reply(call);
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

  /** Claims, where the policy says so once a call in flight has its answer; then answers. */
  async function claimAndAnswer(request: ExecuteRequest<Transaction>): Promise<Reply> {
    const { policy, fingerprint, message, invalid } = request;
    let enteredAtMs = clock.nowMs();
    const scope = rememberingScope(request.scope);
    if (invalid !== undefined && !(await retrying(clock, () => hasRecord(scope)))) {
      return refusedReply(invalid);
    }
    const claimRequest: ClaimRequest = {
      scope,
      claimId: newClaimId(),
      fingerprint,
      request: request.request,
      ...(message === undefined ? {} : { message }),
      isAbandoned: request.isAbandoned,
      onLostOwner: policy.onLostOwner,
      leaseMs: policy.leaseMs,
    };
    const waitUntilMs = clock.nowMs() + policy.inFlightWaitMs;
    let unanswered = 0;
    // Asked again after a lost reply, the store recognises the claim's id.
    const ask = async () => {
      unanswered += 1;
      let result: Claiming["result"];
      try {
        result = await store.claim(
          unanswered > 1 ? { ...claimRequest, mayBeOwner: true } : claimRequest,
        );
      } catch (error) {
        result = notAsked(error);
      }
      unanswered -= 1;
      return result;
    };
    for (;;) {
      const result = await retrying(clock, ask);
      const claiming = { result, mayBeClaimedAgain: unanswered > 0 };
      const leftMs = waitUntilMs - clock.nowMs();
      if (result.kind !== "in_progress" || leftMs <= 0) {
        return answer(request, claiming, enteredAtMs);
      }
      const signals = [request.signal, stopping.signal];
      const delayMs = Math.min(leftMs, refusals.delayUntilAnswer(scope, result));
      await withoutPlace(scope, () => sleep(clock, delayMs, ...signals));
      enteredAtMs = clock.nowMs();
      if (signals.some(({ aborted }) => aborted)) {
        return answer(request, claiming, enteredAtMs); // asking again might begin what nobody waits for, or should begin
      }
    }
  }

  async function hasRecord(scope: Scope): Promise<boolean> {
    return (await store.get(scope)) !== undefined;
  }

  async function answer(
    request: ExecuteRequest<Transaction>,
    { result, mayBeClaimedAgain }: Claiming,
    enteredAtMs: number,
  ): Promise<Reply> {
    const { scope, policy } = request;
    switch (result.kind) {
      case "claimed":
        return runClaimed({
          claim: result.claim,
          policy,
          run: request.run,
          mayBeClaimedAgain,
          enteredAtMs,
        });
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
      case "not_asked":
        return mayBeClaimedAgain ? refusals.storeUnavailable(scope) : refusals.overloaded(scope);
    }
  }

  async function attemptOnce(
    { claim, policy, run, isUnbounded = false }: ClaimedCall<Transaction>,
    elsewhere: Execution<Transaction>["elsewhere"],
  ): Promise<AttemptResult> {
    if (isGivingUp) {
      return GIVEN_UP; // claimed since, and for others to run
    }
    return claim.attempt > maxAttempts && !isUnbounded
      ? { kind: "parked", reason: `${maxAttempts} attempts have ended without an outcome` }
      : attempt({ store, clock, claim, policy, maxExecutionMs, run, elsewhere, running });
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

  async function runClaimed(call: ClaimedCall<Transaction>): Promise<Reply> {
    const { scope } = call.claim;
    const { enteredAtMs } = call;
    const startedAtMs = clock.nowMs();
    let elsewhereMs = 0;
    const result = await attemptOnce(call, async (work) => {
      const leftAtMs = clock.nowMs();
      try {
        return await (enteredAtMs === undefined ? work() : withoutPlace(scope, work));
      } finally {
        elsewhereMs += clock.nowMs() - leftAtMs;
      }
    });
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

  /** Makes an attempt's result durable, and only then a reply. */
  async function settle(
    { policy, claim, mayBeClaimedAgain = false }: ClaimedCall<Transaction>,
    result: AttemptResult,
  ): Promise<Reply> {
    const { scope } = claim;
    switch (result.kind) {
      case "stored":
        await store.committed(claim, result.outcome, policy.retentionMs);
        return finalReply(result.outcome);
      case "ended": {
        const { outcome, declared } = result;
        switch (classify(outcome.code, declared, claim.attempt)) {
          case "final": {
            const completed = await extendingWhile(
              { store, clock, claim, policy, maxExecutionMs },
              outcome,
              () => retrying(clock, () => store.complete(claim, outcome, policy.retentionMs)),
            );
            return completed ? finalReply(outcome) : refusals.claimLost(scope);
          }
          case "not_executed":
            if (!(await retrying(clock, () => store.release(claim)))) {
              return refusals.claimLost(scope);
            }
            return mayBeClaimedAgain ? refusals.storeUnavailable(scope) : firstReply(outcome);
          case "unknown":
            return outcomeUnknown(scope, policy, claim, outcome.message);
        }
        break;
      }
      case "failed":
        return outcomeUnknown(scope, policy, claim, result.reason);
      case "parked":
        onEvent({ type: "outcome_unknown", scope, reason: result.reason });
        return (await retrying(clock, () =>
          store.suspend(claim, { kind: "hold", reason: result.reason }),
        ))
          ? refusals.held(scope, { heldMs: 0, leaseMs: policy.leaseMs })
          : refusals.claimLost(scope);
      case "claim_lost":
        return refusals.claimLost(scope);
    }
  }

  async function outcomeUnknown(
    scope: Scope,
    policy: MethodPolicy,
    claim: Claim,
    reason: string,
  ): Promise<Reply> {
    onEvent({ type: "outcome_unknown", scope, reason });
    const { onLostOwner, leaseMs } = policy;
    const afterMs = Math.min(leaseMs, FIRST_RERUN_DELAY_MS * 2 ** (claim.attempt - 1));
    const suspended = await retrying(clock, () =>
      store.suspend(
        claim,
        onLostOwner === "rerun" ? { kind: "rerun", afterMs, reason } : { kind: "hold", reason },
      ),
    );
    if (!suspended) {
      return refusals.claimLost(scope);
    }
    return onLostOwner === "rerun"
      ? refusals.outcomeUnknown(scope, afterMs)
      : refusals.held(scope, { heldMs: 0, leaseMs });
  }

  return {
    execute,
    resume: (call) => counted(call.claim.scope, runClaimed, call),
    stop: () => stopping.abort(),
    underWay: () => calls,
    giveUp() {
      isGivingUp = true;
      for (const giveUp of running) {
        giveUp();
      }
    },
    async drained() {
      if (calls > 0) {
        await new Promise<void>((resolve) => waitingForDrain.push(resolve));
      }
    },
  };
}

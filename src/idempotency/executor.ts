import { randomUUID } from "node:crypto";
import { type AttemptResult, attempt, type Run } from "./attempt.js";
import { type Clock, sleep, systemClock } from "./clock.js";
import { type ErrorDescription, type RefusalReason, refusal } from "./errors.js";
import type { Fingerprint } from "./fingerprint.js";
import { classify } from "./outcome.js";
import type { MethodPolicy } from "./policy.js";
import { finalReply, firstReply, type Reply, refusedReply, replayedReply } from "./reply.js";
import { createUsualDurations, retryDelayMs } from "./retry-delay.js";
import type { Scope } from "./scope.js";
import type { Claim, ClaimRequest, ClaimResult, IdempotencyStore } from "./store.js";

/** How long one attempt may last. Milliseconds. */
const MAX_EXECUTION_MS = 60_000;

/**
 * Calls that may be under way at once. Each holds its request and a timer, a
 * few kilobytes; past this many, waiting costs the callers more than a retry.
 */
const MAX_CALLS = 10_000;

/** After how long to try a store again that could not be reached. */
const STORE_RETRY_DELAY_MS = 1_000;

/** After how long to try an overloaded server again. */
const OVERLOAD_RETRY_DELAY_MS = 1_000;

/** The first delay before an unknown outcome is found out by another attempt; doubles with each. */
const FIRST_RERUN_DELAY_MS = 100;

/**
 * How often a store that fails is asked. Every call of an owner may be
 * repeated; a store that is away for longer leaves the claim to its lease.
 */
const STORE_ATTEMPTS = 3;
const FIRST_STORE_DELAY_MS = 100;

export interface ExecutorOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** How long heartbeats may extend one attempt. Default 60 s. */
  readonly maxExecutionMs?: number;
  /** How many calls may be under way at once. Default 10,000. */
  readonly maxCalls?: number;
  readonly clock?: Clock;
  readonly newClaimId?: () => string;
  /** Told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: ExecutorEvent) => void;
}

export type ExecutorEvent =
  | { readonly type: "executed"; readonly scope: Scope; readonly durationMs: number }
  | { readonly type: "replayed"; readonly scope: Scope }
  | { readonly type: "refused"; readonly scope: Scope; readonly reason: RefusalReason }
  | { readonly type: "outcome_unknown"; readonly scope: Scope; readonly reason: string }
  | { readonly type: "store_failed"; readonly scope: Scope; readonly error: unknown };

export interface ExecuteRequest<Transaction> {
  readonly scope: Scope;
  readonly policy: MethodPolicy;
  readonly fingerprint: Fingerprint;
  /** The request's bytes, from which another attempt can repeat the call. */
  readonly request: Uint8Array;
  readonly run: Run<Transaction>;
  /** Aborted when nobody waits for the reply. Ends waiting, never an attempt. */
  readonly signal: AbortSignal;
}

/** What came of asking for a claim. */
interface Claiming {
  readonly result: ClaimResult;
  /** See `ClaimedCall`. Nobody may be told for good then that nothing happens. */
  readonly mayBeClaimedAgain: boolean;
}

/** A call whose claim is ours. */
export interface ClaimedCall<Transaction> {
  readonly claim: Claim;
  readonly policy: MethodPolicy;
  readonly run: Run<Transaction>;
  /** A request for this claim went unanswered: it may still reach the store, even after a release. */
  readonly mayBeClaimedAgain?: boolean;
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

  /** Resolves once no call is under way, also none whose caller has left. */
  drained(): Promise<void>;
}

/** The one place where claims become answers. Every transport calls it. */
export function createExecutor<Transaction = never>(
  options: ExecutorOptions<Transaction>,
): Executor<Transaction> {
  const { store, clock = systemClock, newClaimId = randomUUID } = options;
  const { maxExecutionMs = MAX_EXECUTION_MS, maxCalls = MAX_CALLS } = options;
  const { onEvent = () => {} } = options;
  const durations = createUsualDurations();
  const waitingForDrain: (() => void)[] = [];
  let calls = 0;

  async function execute(request: ExecuteRequest<Transaction>): Promise<Reply> {
    if (calls >= maxCalls) {
      return refuse(request.scope, "OVERLOADED", "too many calls are under way", {
        retryDelayMs: OVERLOAD_RETRY_DELAY_MS,
      });
    }
    return counted(request.scope, async () => answer(request, await claimOrWait(request)));
  }

  /** Counts a call as under way, and answers for a store that fails. */
  async function counted(scope: Scope, call: () => Promise<Reply>): Promise<Reply> {
    calls += 1;
    try {
      return await call();
    } catch (error) {
      onEvent({ type: "store_failed", scope, error });
      return storeUnavailable(scope);
    } finally {
      calls -= 1;
      if (calls === 0) {
        for (const resolve of waitingForDrain.splice(0)) {
          resolve();
        }
      }
    }
  }

  /** Claims; where the policy says so, waits for the answer of a call in flight. */
  async function claimOrWait(request: ExecuteRequest<Transaction>): Promise<Claiming> {
    const { scope, policy, fingerprint, signal } = request;
    const claimRequest: ClaimRequest = {
      scope,
      claimId: newClaimId(),
      fingerprint,
      request: request.request,
      onLostOwner: policy.onLostOwner,
      leaseMs: policy.leaseMs,
    };
    const waitUntilMs = clock.nowMs() + policy.inFlightWaitMs;
    let unanswered = 0;
    // Asked again after a lost reply, the store recognises the claim's id.
    const ask = async () => {
      unanswered += 1;
      const result = await store.claim(claimRequest);
      unanswered -= 1;
      return result;
    };
    for (;;) {
      const result = await retrying(ask);
      const claiming = { result, mayBeClaimedAgain: unanswered > 0 };
      const leftMs = waitUntilMs - clock.nowMs();
      if (result.kind !== "in_progress" || leftMs <= 0) {
        return claiming;
      }
      await sleep(clock, Math.min(leftMs, delayUntilAnswer(scope, result)), signal);
      if (signal.aborted) {
        return claiming; // asking again might begin what nobody waits for
      }
    }
  }

  async function answer(
    request: ExecuteRequest<Transaction>,
    { result, mayBeClaimedAgain }: Claiming,
  ): Promise<Reply> {
    const { scope, policy } = request;
    switch (result.kind) {
      case "claimed":
        return runClaimed({ claim: result.claim, policy, run: request.run, mayBeClaimedAgain });
      case "replay":
        onEvent({ type: "replayed", scope });
        return replayedReply(result.outcome);
      case "in_progress":
        return refuse(scope, "REQUEST_IN_PROGRESS", "a call with this key is still executing", {
          retryDelayMs: delayUntilAnswer(scope, result),
        });
      case "held":
        return refuse(
          scope,
          "OUTCOME_UNKNOWN",
          "an earlier call with this key may have acted; an operator has to find out",
          { retryDelayMs: policy.leaseMs },
        );
      case "mismatch":
        return mayBeClaimedAgain
          ? storeUnavailable(scope)
          : refuse(
              scope,
              "IDEMPOTENCY_KEY_REUSED",
              "this key was used for another request; send that request again, or a new key for a new intent",
            );
      case "expired":
        return refuse(
          scope,
          "IDEMPOTENCY_KEY_EXPIRED",
          "the answer to this key has passed its retention; look up what the call did",
        );
    }
  }

  async function runClaimed(call: ClaimedCall<Transaction>): Promise<Reply> {
    const { claim, policy, run } = call;
    const { scope } = claim;
    const startedAtMs = clock.nowMs();
    const result = await attempt({ store, clock, claim, policy, maxExecutionMs, run });
    const reply = await settle(call, result);
    const durationMs = clock.nowMs() - startedAtMs;
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
            const completed = await retrying(() =>
              store.complete(claim, outcome, policy.retentionMs),
            );
            return completed ? finalReply(outcome) : claimLost(scope);
          }
          case "not_executed":
            if (!(await retrying(() => store.release(claim)))) {
              return claimLost(scope);
            }
            return mayBeClaimedAgain ? storeUnavailable(scope) : firstReply(outcome);
          case "unknown":
            return outcomeUnknown(scope, policy, claim, outcome.message);
        }
        break;
      }
      case "failed":
        return outcomeUnknown(scope, policy, claim, result.reason);
      case "parked":
        onEvent({ type: "outcome_unknown", scope, reason: result.reason });
        return (await retrying(() => store.suspend(claim, { kind: "hold", reason: result.reason })))
          ? unknownReply(scope, policy.leaseMs)
          : claimLost(scope);
      case "claim_lost":
        return claimLost(scope);
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
    const suspended = await retrying(() =>
      store.suspend(
        claim,
        onLostOwner === "rerun" ? { kind: "rerun", afterMs, reason } : { kind: "hold", reason },
      ),
    );
    return suspended
      ? unknownReply(scope, onLostOwner === "rerun" ? afterMs : leaseMs)
      : claimLost(scope);
  }

  function unknownReply(scope: Scope, retryDelayMs: number): Reply {
    return refuse(
      scope,
      "OUTCOME_UNKNOWN",
      "whether the call acted is not known yet; a retry with the same key gets the answer",
      { retryDelayMs },
    );
  }

  function storeUnavailable(scope: Scope): Reply {
    return refuse(
      scope,
      "STORE_UNAVAILABLE",
      "the store of record cannot be reached; this call or an earlier one may have acted",
      { retryDelayMs: STORE_RETRY_DELAY_MS },
    );
  }

  function claimLost(scope: Scope): Reply {
    return refuse(scope, "CLAIM_LOST", "another attempt has taken over this call", {
      retryDelayMs: retryDelayMs({
        usualMs: durations.usualMs(scope.operation),
        elapsedMs: 0,
        leaseRemainingMs: Number.POSITIVE_INFINITY,
      }),
    });
  }

  function delayUntilAnswer(
    scope: Scope,
    { elapsedMs = 0, leaseRemainingMs }: ClaimResult & { kind: "in_progress" },
  ): number {
    const usualMs = durations.usualMs(scope.operation);
    return retryDelayMs({ usualMs, elapsedMs, leaseRemainingMs });
  }

  function refuse(
    scope: Scope,
    reason: RefusalReason,
    message: string,
    more: Pick<ErrorDescription, "retryDelayMs"> = {},
  ): Reply {
    onEvent({ type: "refused", scope, reason });
    return refusedReply(refusal(reason, message, more));
  }

  async function retrying<Result>(call: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await call();
      } catch (error) {
        if (tries === STORE_ATTEMPTS) {
          throw error;
        }
        await new Promise<void>((resolve) => clock.setTimer(FIRST_STORE_DELAY_MS * tries, resolve));
      }
    }
  }

  return {
    execute,
    resume: (call) => counted(call.claim.scope, () => runClaimed(call)),
    async drained() {
      if (calls > 0) {
        await new Promise<void>((resolve) => waitingForDrain.push(resolve));
      }
    },
  };
}

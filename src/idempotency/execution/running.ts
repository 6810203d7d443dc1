import type { Clock } from "../clock.js";
import type { Scope } from "../port/scope.js";
import type { Claim, IdempotencyStore } from "../port/store.js";
import type { MethodPolicy } from "../request/policy.js";
import { type AttemptResult, attempt, GIVEN_UP, type Run } from "./attempt.js";

/**
 * The number of attempts that a claim may have without an outcome before it is held for
 * an operator. By then recovery alone has tried for half a day, and the next
 * attempt would do no better.
 */
export const MAX_ATTEMPTS = 200;

/** A call whose claim is ours. */
export interface ClaimedCall<Transaction> {
  readonly claim: Claim;
  /** See `Execution`. */
  readonly begun?: object | undefined;
  readonly policy: MethodPolicy;
  readonly run: Run<Transaction>;
  /** A request for this claim went unanswered: it may still reach the store, even after a release. */
  readonly mayBeClaimedAgain?: boolean;
  /** The claim gets an attempt however many there were before: an operator brings the outcome. */
  readonly isUnbounded?: boolean;
  /** The time at which the call was admitted, where it takes a place. Milliseconds on the executor's clock. */
  readonly enteredAtMs?: number;
}

/** An attempt that has ended. */
export interface Ran {
  readonly result: AttemptResult;
  /** The time for which it waited for other systems. Milliseconds. */
  readonly elsewhereMs: number;
}

export interface Running<Transaction> {
  /** Runs one attempt of a call. Never rejects. */
  run(call: ClaimedCall<Transaction>): Promise<Ran>;
  /** Ends the attempts that are running, and from now on each as it begins. Their outcomes are unknown. */
  giveUp(): void;
}

export interface RunningOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly clock: Clock;
  readonly maxExecutionMs: number;
  readonly maxAttempts: number;
  /** Waits for another system, and takes no place from other calls meanwhile. */
  readonly withoutPlace: <Result>(scope: Scope, work: () => Promise<Result>) => Promise<Result>;
}

export function createRunning<Transaction>({
  store,
  clock,
  maxExecutionMs,
  maxAttempts,
  withoutPlace,
}: RunningOptions<Transaction>): Running<Transaction> {
  /** The functions that give up each running attempt. */
  const running = new Set<() => void>();
  let isGivingUp = false;

  async function run(call: ClaimedCall<Transaction>): Promise<Ran> {
    const { claim, begun, policy, enteredAtMs, isUnbounded = false } = call;
    if (isGivingUp) {
      return { result: GIVEN_UP, elsewhereMs: 0 }; // claimed since, and for others to run
    }
    if (claim.attempt > maxAttempts && !isUnbounded) {
      const reason = `${maxAttempts} attempts have ended without an outcome`;
      return { result: { kind: "parked", reason }, elsewhereMs: 0 };
    }
    let elsewhereMs = 0;
    const result = await attempt({
      store,
      clock,
      claim,
      begun,
      policy,
      maxExecutionMs,
      run: call.run,
      async elsewhere(work) {
        const leftAtMs = clock.nowMs();
        try {
          return await (enteredAtMs === undefined ? work() : withoutPlace(claim.scope, work));
        } finally {
          elsewhereMs += clock.nowMs() - leftAtMs;
        }
      },
      running,
    });
    return { result, elsewhereMs };
  }

  return {
    run,
    giveUp() {
      isGivingUp = true;
      for (const giveUp of running) {
        giveUp();
      }
    },
  };
}

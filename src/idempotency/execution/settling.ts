import type { Refusals } from "../answers/refusals.js";
import { finalReply, firstReply, type Reply } from "../answers/reply.js";
import type { Clock } from "../clock.js";
import { classify, type Outcome } from "../port/outcome.js";
import type { IdempotencyStore, Suspension } from "../port/store.js";
import { type AttemptResult, extendingWhile } from "./attempt.js";
import type { ExecutorEvent } from "./events.js";
import { retrying } from "./retrying.js";
import type { ClaimedCall } from "./running.js";

/** The first delay before an unknown outcome is found out by another attempt; doubles with each. */
const FIRST_RERUN_DELAY_MS = 100;

export interface SettlingOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly clock: Clock;
  readonly maxExecutionMs: number;
  readonly refusals: Refusals;
  readonly onEvent: (event: ExecutorEvent) => void;
}

/** A call whose attempt has ended. */
type Ended = Omit<ClaimedCall<never>, "run">;

/** Makes an attempt's result durable, and only then a reply. Rejects if the store fails. */
export function createSettling<Transaction>({
  store,
  clock,
  maxExecutionMs,
  refusals,
  onEvent,
}: SettlingOptions<Transaction>): (call: Ended, result: AttemptResult) => Promise<Reply> {
  async function settle(call: Ended, result: AttemptResult): Promise<Reply> {
    const { claim, policy } = call;
    switch (result.kind) {
      case "stored":
        await store.committed(claim, result.outcome, policy.retentionMs);
        return finalReply(result.outcome);
      case "ended":
        switch (classify(result.outcome.code, result.declared, claim.attempt)) {
          case "final":
            return complete(call, result.outcome);
          case "not_executed":
            return release(call, result.outcome);
          case "unknown":
            return suspend(call, unknown(call, result.outcome.message));
        }
        break;
      case "failed":
        return suspend(call, unknown(call, result.reason));
      case "parked":
        return suspend(call, { kind: "hold", reason: result.reason });
      case "claim_lost":
        return refusals.claimLost(claim.scope);
    }
  }

  async function complete({ claim, policy }: Ended, outcome: Outcome): Promise<Reply> {
    const completed = await extendingWhile(
      { store, clock, claim, policy, maxExecutionMs },
      outcome,
      () => retrying(clock, () => store.complete(claim, outcome, policy.retentionMs)),
    );
    return completed ? finalReply(outcome) : refusals.claimLost(claim.scope);
  }

  async function release(
    { claim, mayBeClaimedAgain = false }: Ended,
    outcome: Outcome,
  ): Promise<Reply> {
    if (!(await retrying(clock, () => store.release(claim)))) {
      return refusals.claimLost(claim.scope);
    }
    return mayBeClaimedAgain ? refusals.storeUnavailable(claim.scope) : firstReply(outcome);
  }

  async function suspend({ claim, policy }: Ended, suspension: Suspension): Promise<Reply> {
    const { scope } = claim;
    onEvent({ type: "outcome_unknown", scope, reason: suspension.reason });
    if (!(await retrying(clock, () => store.suspend(claim, suspension)))) {
      return refusals.claimLost(scope);
    }
    return suspension.kind === "rerun"
      ? refusals.outcomeUnknown(scope, suspension.afterMs)
      : refusals.held(scope, { heldMs: 0, leaseMs: policy.leaseMs });
  }

  return settle;
}

/** Returns the state in which a claim is left whose outcome is not known. */
function unknown({ claim, policy }: Ended, reason: string): Suspension {
  const { onLostOwner, leaseMs } = policy;
  const afterMs = Math.min(leaseMs, FIRST_RERUN_DELAY_MS * 2 ** (claim.attempt - 1));
  return onLostOwner === "rerun" ? { kind: "rerun", afterMs, reason } : { kind: "hold", reason };
}

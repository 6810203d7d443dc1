import {
  type HeldKey,
  heldDelayMs,
  retryDelayMs,
  type UsualDurations,
} from "../execution/retry-delay.js";
import type { Scope } from "../port/scope.js";
import type { ClaimResult } from "../port/store.js";
import { type ErrorDescription, refusal } from "./errors.js";
import type { Reason } from "./reasons.js";
import { type Reply, refusedReply } from "./reply.js";

/** After how long to try a store again that could not be reached. */
const STORE_RETRY_DELAY_MS = 1_000;

/** After how long to try an overloaded server again. */
const OVERLOAD_RETRY_DELAY_MS = 1_000;

/** After how long to come back to a server that is stopping: another one may take the call at once. */
const STOPPING_RETRY_DELAY_MS = 100;

/** The refusal of a call that reaches a server while it stops. It was not begun, unless the message says otherwise. */
export function stopping(
  message = "this server is stopping, and did not begin this call",
): ErrorDescription {
  return refusal("STORE_UNAVAILABLE", message, { retryDelayMs: STOPPING_RETRY_DELAY_MS });
}

/** The refusal of a call that was not begun, as too many are under way. */
export function overloaded(retryDelayMs = OVERLOAD_RETRY_DELAY_MS): ErrorDescription {
  return refusal("OVERLOADED", "too many calls are under way", { retryDelayMs });
}

export type InProgress = ClaimResult & { readonly kind: "in_progress" };

export type Refusals = ReturnType<typeof createRefusals>;

/** The refusals that callers get instead of an answer: the words, and when to come back. */
export function createRefusals({
  durations,
  onRefused,
}: {
  readonly durations: UsualDurations;
  readonly onRefused: (scope: Scope, reason: Reason) => void;
}) {
  function refuse(
    scope: Scope,
    reason: Reason,
    message: string,
    more: Partial<Pick<ErrorDescription, "next" | "retryDelayMs">> = {},
  ): Reply {
    onRefused(scope, reason);
    return refusedReply(refusal(reason, message, more));
  }

  /** After how long a duplicate should ask for the answer. */
  function delayUntilAnswer(scope: Scope, { elapsedMs = 0, leaseRemainingMs }: InProgress): number {
    const usualMs = durations.usualMs(scope.operation);
    return retryDelayMs({ usualMs, elapsedMs, leaseRemainingMs });
  }

  return {
    delayUntilAnswer,

    overloaded(scope: Scope, retryDelayMs?: number): Reply {
      onRefused(scope, "OVERLOADED");
      return refusedReply(overloaded(retryDelayMs));
    },

    stopping(scope: Scope): Reply {
      onRefused(scope, "STORE_UNAVAILABLE");
      return refusedReply(stopping());
    },

    storeUnavailable: (scope: Scope) =>
      refuse(
        scope,
        "STORE_UNAVAILABLE",
        "the store of record cannot be reached; this call or an earlier one may have acted",
        { retryDelayMs: STORE_RETRY_DELAY_MS },
      ),

    inProgress: (scope: Scope, result: InProgress) =>
      refuse(scope, "REQUEST_IN_PROGRESS", "a call with this key is still executing", {
        retryDelayMs: delayUntilAnswer(scope, result),
      }),

    /** Nobody is finding out by program, so no retry by itself ever gets the answer. */
    held: (scope: Scope, key: HeldKey) =>
      refuse(
        scope,
        "OUTCOME_UNKNOWN",
        "a call with this key may have acted; an operator has to find out",
        { next: "look_up", retryDelayMs: heldDelayMs(key) },
      ),

    mismatch: (scope: Scope) =>
      refuse(
        scope,
        "IDEMPOTENCY_KEY_REUSED",
        "this key was used for another request; send that request again, or a new key for a new intent",
      ),

    expired: (scope: Scope) =>
      refuse(
        scope,
        "IDEMPOTENCY_KEY_EXPIRED",
        "the answer to this key has passed its retention; look up what the call did",
      ),

    outcomeUnknown: (scope: Scope, delayMs: number) =>
      refuse(
        scope,
        "OUTCOME_UNKNOWN",
        "whether the call acted is not known yet; a retry with the same key gets the answer",
        { retryDelayMs: delayMs },
      ),

    claimLost: (scope: Scope) =>
      refuse(scope, "CLAIM_LOST", "another attempt has taken over this call", {
        retryDelayMs: retryDelayMs({
          usualMs: durations.usualMs(scope.operation),
          elapsedMs: 0,
          leaseRemainingMs: Number.POSITIVE_INFINITY,
        }),
      }),
  };
}

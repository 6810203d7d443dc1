import { type ErrorDescription, StoreOverloaded } from "../answers/errors.js";
import type { Refusals } from "../answers/refusals.js";
import { type Clock, sleep } from "../clock.js";
import { rememberingScope, type Scope } from "../port/scope.js";
import type { ClaimRequest, ClaimResult, IdempotencyStore } from "../port/store.js";
import type { Fingerprint } from "../request/fingerprint.js";
import type { MethodPolicy } from "../request/policy.js";
import type { Run } from "./attempt.js";
import { retrying } from "./retrying.js";

/** A call for an executor: what it is about, and how it is run. */
export interface ExecuteRequest<Transaction> {
  readonly scope: Scope;
  readonly policy: MethodPolicy;
  readonly fingerprint: Fingerprint;
  /** The request's bytes, from which another attempt can repeat the call. */
  readonly request: Uint8Array;
  /** The request, decoded, as the handler gets it. */
  readonly message?: object;
  /**
   * The error of a request that is not valid, where that is known before its
   * handler runs. The caller gets it only where the key has no record: a stored
   * answer comes first.
   */
  readonly invalid?: ErrorDescription | undefined;
  readonly run: Run<Transaction>;
  /** Aborted when nobody waits for the reply. Ends waiting, never an attempt. */
  readonly signal: AbortSignal;
  /** Returns true once the signal is aborted, or would be if it had been made. Nothing is begun then. */
  readonly isAbandoned?: (() => boolean) | undefined;
}

/** The result of asking for a claim. */
export interface Claiming {
  readonly result:
    | ClaimResult
    /** The request is not valid, and its key has no record. */
    | { readonly kind: "invalid"; readonly error: ErrorDescription }
    /** The store had too much to do. */
    | { readonly kind: "not_asked" };
  /** See `ClaimedCall`. Nobody may be told for good then that nothing happens. */
  readonly mayBeClaimedAgain: boolean;
  /** The time since which the call is at work, on the executor's clock. Milliseconds. */
  readonly enteredAtMs: number;
}

export interface ClaimingOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly clock: Clock;
  readonly newClaimId: () => string;
  readonly delayUntilAnswer: Refusals["delayUntilAnswer"];
  /** Waits for another call, and takes no place from others meanwhile. */
  readonly withoutPlace: (scope: Scope, wait: () => Promise<void>) => Promise<void>;
  /** Aborted when the server stops: nothing is waited for any more. */
  readonly stopping: AbortSignal;
}

/**
 * Asks for the claim of a call: where the policy says so, again until a call in
 * flight has its answer. Rejects if the store of record says nothing.
 */
export function createClaiming<Transaction>({
  store,
  clock,
  newClaimId,
  delayUntilAnswer,
  withoutPlace,
  stopping,
}: ClaimingOptions<Transaction>): (request: ExecuteRequest<Transaction>) => Promise<Claiming> {
  async function claim(request: ExecuteRequest<Transaction>): Promise<Claiming> {
    let enteredAtMs = clock.nowMs();
    const scope = rememberingScope(request.scope);
    const { invalid } = request;
    if (invalid !== undefined && !(await retrying(clock, () => hasRecord(scope)))) {
      const result = { kind: "invalid", error: invalid } as const;
      return { result, mayBeClaimedAgain: false, enteredAtMs };
    }
    const asking = createAsking(claimRequestOf(request, scope));
    const waitUntilMs = clock.nowMs() + request.policy.inFlightWaitMs;
    for (;;) {
      const result = await retrying(clock, asking.ask);
      const claiming = { result, mayBeClaimedAgain: asking.isUnanswered(), enteredAtMs };
      const leftMs = waitUntilMs - clock.nowMs();
      if (result.kind !== "in_progress" || leftMs <= 0) {
        return claiming;
      }
      // Not before: most calls never need a signal, which is made for who asks for it.
      const signals = [request.signal, stopping];
      const delayMs = Math.min(leftMs, delayUntilAnswer(scope, result));
      await withoutPlace(scope, () => sleep(clock, delayMs, ...signals));
      enteredAtMs = clock.nowMs();
      if (signals.some(({ aborted }) => aborted)) {
        // Asking again might begin what nobody waits for, or should begin.
        return { ...claiming, enteredAtMs };
      }
    }
  }

  async function hasRecord(scope: Scope): Promise<boolean> {
    return (await store.get(scope)) !== undefined;
  }

  function claimRequestOf(request: ExecuteRequest<Transaction>, scope: Scope): ClaimRequest {
    const { policy, fingerprint, message, isAbandoned } = request;
    return {
      scope,
      claimId: newClaimId(),
      fingerprint,
      request: request.request,
      ...(message === undefined ? {} : { message }),
      isAbandoned,
      onLostOwner: policy.onLostOwner,
      leaseMs: policy.leaseMs,
    };
  }

  /** Asked again after a lost reply, the store recognises the claim's id. */
  function createAsking(request: ClaimRequest) {
    let unanswered = 0;
    return {
      isUnanswered: () => unanswered > 0,

      async ask(): Promise<Claiming["result"]> {
        unanswered += 1;
        let result: Claiming["result"];
        try {
          result = await store.claim(unanswered > 1 ? { ...request, mayBeOwner: true } : request);
        } catch (error) {
          result = notAsked(error);
        }
        unanswered -= 1;
        return result;
      },
    };
  }

  return claim;
}

/** @throws any other error of a store: it says nothing of whether the claim was made. */
function notAsked(error: unknown): Claiming["result"] {
  if (error instanceof StoreOverloaded) {
    return { kind: "not_asked" };
  }
  throw error;
}

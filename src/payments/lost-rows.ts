import { type CallError, NotExecuted, refusal } from "../idempotency/answers/errors.js";
import type { Scope } from "../idempotency/port/scope.js";
import type { KeyWindow } from "./key-window.js";
import { type Intent, paymentIdOf, processorKeyOf } from "./operation.js";
import type { LookUpRequest, Processor } from "./processor.js";

/** After how long to ask again for what the database may have lost. Milliseconds. */
const RETRY_DELAY_MS = 1_000;

/** The rows that the database may have lost when it was put back to an earlier state. */
export interface LostRows {
  /** Returns true if the processor may still know of operations that the database has lost, as far as is known. */
  arePossible(): boolean;
  /** Returns true if a look-up finds all that was sent before they were lost. */
  areVisible(): boolean;
  /**
   * The same, as the database itself says now: one that was put back a moment
   * ago is not noticed yet. Rejects if it cannot be asked.
   */
  areFound(): Promise<boolean>;
  /**
   * The error that answers a call which the database refuses as it is now. Where
   * the processor knows the call, it was executed before rows were lost: the
   * refusal would be wrong, and the call succeeds once the calls before it have
   * come again.
   */
  confirm(refused: CallError, readIntent: () => Intent, scope: Scope): Promise<CallError>;
}

/** Refusals that follow from what the database holds, and not from the request alone. */
const byState: ReadonlySet<string> = new Set([
  "PAYMENT_NOT_FOUND",
  "PAYMENT_NOT_CAPTURABLE",
  "PAYMENT_NOT_CANCELABLE",
  "PAYMENT_NOT_REFUNDABLE",
  "AMOUNT_EXCEEDS_AUTHORIZED",
  "AMOUNT_EXCEEDS_CAPTURED",
]);

export interface LostRowsOptions {
  readonly processor: Pick<Processor, "lookUp" | "traits">;
  readonly keyWindow: Pick<KeyWindow, "windowMs" | "longestCallMs">;
  /**
   * Returns the time since the database was put back to an earlier state, as it may have
   * been. Milliseconds; undefined where it never was.
   */
  readonly restoredAgoMs: () => number | undefined;
  /** Looks at the database, so that `restoredAgoMs` says what is true now. Rejects if it cannot. */
  readonly lookForRestore: () => Promise<void>;
}

export function createLostRows({
  processor,
  keyWindow: { windowMs, longestCallMs },
  restoredAgoMs,
  lookForRestore,
}: LostRowsOptions): LostRows {
  const { lookUp } = processor.traits;
  // By then an acquirer with keys has forgotten all that the database has lost. One without them
  // never forgets that it was sent something, and is asked as long as it can be asked.
  const isAskedForEver = processor.traits.keys === undefined && lookUp !== undefined;
  const possibleMs = isAskedForEver ? Number.POSITIVE_INFINITY : windowMs;
  const arePossible = () => {
    const agoMs = restoredAgoMs();
    return agoMs !== undefined && agoMs < possibleMs;
  };
  /** Calls that were sent before may arrive until then, and be found later; twice, since clocks are read on two machines. */
  const mayStillArrive = () =>
    lookUp === undefined ||
    (restoredAgoMs() ?? Number.POSITIVE_INFINITY) < 2 * longestCallMs + lookUp.visibleAfterMs;

  async function areFound(): Promise<boolean> {
    await lookForRestore();
    return arePossible();
  }

  return {
    arePossible,
    areFound,
    areVisible: () => !mayStillArrive(),

    async confirm(refused, readIntent, scope) {
      if (!byState.has(refused.description.reason)) {
        return refused;
      }
      try {
        if (!(await areFound())) {
          return refused;
        }
        const mayArrive = mayStillArrive(); // asked before the processor is
        const effect = await processor.lookUp(requestOf(readIntent(), scope));
        const isKnown = effect === undefined ? mayArrive : effect.decision.kind === "approved";
        return isKnown ? notKnownYet() : refused;
      } catch {
        return notKnownYet();
      }
    },
  };
}

function requestOf(intent: Intent, scope: Scope): LookUpRequest {
  return {
    kind: intent.kind,
    processorKey: processorKeyOf(scope),
    tenant: scope.tenant,
    paymentId: intent.kind === "create" ? paymentIdOf(scope) : intent.paymentId,
  };
}

/** The refusal of a call that depends on rows which the database may have lost. */
export function notKnownYet(): NotExecuted {
  return new NotExecuted(
    refusal(
      "OUTCOME_UNKNOWN",
      "the database was restored a short while ago and may lack what this call builds on: repeat the calls before it, then this one with the same key",
      { retryDelayMs: RETRY_DELAY_MS },
    ),
  );
}

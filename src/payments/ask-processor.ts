import type { Operated } from "./operation.js";
import { type Processor, type ProcessorDecision, ProcessorRefused, send } from "./processor.js";

/** What came of asking the processor. */
export type ProcessorAnswer =
  | {
      readonly kind: "decided";
      readonly decision: ProcessorDecision;
      /** What it was decided for, where that is not what was asked. */
      readonly minorUnits?: bigint;
    }
  /** It may have acted or not. `isFinal`: asking again would get no other answer. */
  | { readonly kind: "unknown"; readonly isFinal: boolean; readonly cause: unknown };

export interface Asking {
  /** Whether nothing was ever sent under the operation's key before. */
  readonly isFirstSending: boolean;
  /** Whether the request left the amount to the state of the payment. */
  readonly isAmountImplied: () => boolean;
}

/** The decline code of a call that the processor cannot make sense of. */
const INVALID_REQUEST = "invalid_request";

/**
 * Sends an operation. A refusal for good is an answer where no earlier call can
 * have acted; else it is unknown what an earlier one did, and no repetition
 * finds out.
 */
export async function ask(
  processor: Processor,
  operated: Operated,
  { isFirstSending, isAmountImplied }: Asking,
): Promise<ProcessorAnswer> {
  try {
    return { kind: "decided", decision: await send(processor, operated) };
  } catch (error) {
    if (!(error instanceof ProcessorRefused)) {
      return { kind: "unknown", isFinal: false, cause: error };
    }
    switch (error.refusal) {
      case "invalid":
        return isFirstSending
          ? { kind: "decided", decision: { kind: "declined", declineCode: INVALID_REQUEST } }
          : { kind: "unknown", isFinal: true, cause: error };
      case "key_reused":
        return isAmountImplied()
          ? earlierAnswer(processor, operated, error)
          : { kind: "unknown", isFinal: true, cause: error };
    }
  }
}

/**
 * The answer that the key has got already, for another amount: of all that
 * remained there was less or more then, before the database lost rows.
 */
async function earlierAnswer(
  processor: Processor,
  { operation }: Operated,
  refused: ProcessorRefused,
): Promise<ProcessorAnswer> {
  try {
    const effect = await processor.lookUp(operation.processorKey);
    if (effect === undefined) {
      return { kind: "unknown", isFinal: false, cause: refused };
    }
    const { decision, amount } = effect;
    if (amount === undefined) {
      return { kind: "decided", decision };
    }
    return amount.currencyCode === operation.currencyCode
      ? { kind: "decided", decision, minorUnits: amount.minorUnits }
      : { kind: "unknown", isFinal: true, cause: refused };
  } catch (error) {
    return { kind: "unknown", isFinal: false, cause: error };
  }
}

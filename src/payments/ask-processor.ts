import type { Operated } from "./operation.js";
import { type Processor, type ProcessorDecision, ProcessorRefused, send } from "./processor.js";

/** The result of asking the processor. */
export type ProcessorAnswer =
  | {
      readonly kind: "decided";
      readonly decision: ProcessorDecision;
      /** The amount of the decision, where it is not the one that was asked for. */
      readonly minorUnits?: bigint;
    }
  /** It may have acted or not. `isFinal`: asking again would get no other answer. */
  | { readonly kind: "unknown"; readonly isFinal: boolean; readonly cause: unknown };

export interface Asking {
  /** True if nothing was ever sent under the operation's key before. */
  readonly isFirstSending: boolean;
  /** Returns true if the request left the amount to the state of the payment. */
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
  asking: Asking,
): Promise<ProcessorAnswer> {
  try {
    return { kind: "decided", decision: await send(processor, operated) };
  } catch (error) {
    return error instanceof ProcessorRefused
      ? afterRefusal(processor, operated, { ...asking, refused: error })
      : { kind: "unknown", isFinal: false, cause: error };
  }
}

interface Refused extends Asking {
  readonly refused: ProcessorRefused;
}

async function afterRefusal(
  processor: Processor,
  operated: Operated,
  refusal: Refused,
): Promise<ProcessorAnswer> {
  const { isFirstSending, isAmountImplied, refused } = refusal;
  const unknown = { kind: "unknown", isFinal: true, cause: refused } as const;
  switch (refused.refusal) {
    case "invalid": {
      const earlier = await earlierAnswer(processor, operated, refusal);
      const declined = { kind: "declined", declineCode: INVALID_REQUEST } as const;
      return earlier ?? (isFirstSending ? { kind: "decided", decision: declined } : unknown);
    }
    case "key_reused":
      return isAmountImplied()
        ? ((await earlierAnswer(processor, operated, refusal)) ?? { ...unknown, isFinal: false })
        : unknown;
  }
}

/**
 * The answer that the key has got already; undefined where the processor knows
 * of none. It counts for more than what is said of one call: a processor may
 * act, and then fail with the status of a refusal. It may be for another
 * amount: of all that remained there was less or more before the database lost
 * rows.
 */
async function earlierAnswer(
  processor: Processor,
  { operation }: Operated,
  { isAmountImplied, refused }: Refused,
): Promise<ProcessorAnswer | undefined> {
  try {
    const effect = await processor.lookUp(operation.processorKey);
    if (effect === undefined) {
      return undefined;
    }
    const { decision, amount } = effect;
    if (amount === undefined) {
      return { kind: "decided", decision };
    }
    const { currencyCode, minorUnits } = amount;
    const isOurs =
      currencyCode === operation.currencyCode &&
      (minorUnits === operation.minorUnits || isAmountImplied());
    return isOurs
      ? { kind: "decided", decision, minorUnits }
      : { kind: "unknown", isFinal: true, cause: refused };
  } catch (error) {
    return { kind: "unknown", isFinal: false, cause: error };
  }
}

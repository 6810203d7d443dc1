import { giveUp } from "./give-up.js";
import type { Operated } from "./operation.js";
import {
  lookUp,
  namesOf,
  type Processor,
  type ProcessorDecision,
  ProcessorRefused,
  send,
} from "./processor.js";

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
  /** True if nothing was ever sent for the operation, as far as this database knows. */
  readonly isNew: boolean;
  /** True if the database knows that for certain. */
  readonly isFirstSending: boolean;
  /** Returns true if a look-up finds all that earlier attempts can have sent for the operation. */
  readonly isVisible: () => boolean;
  /** Returns true if the request left the amount to the state of the payment. */
  readonly isAmountImplied: () => boolean;
}

/** The decline code of a call that the processor cannot make sense of. */
const INVALID_REQUEST = "invalid_request";

/**
 * Sends an operation, or looks up what an earlier call did where sending it
 * again is not safe. A refusal for good is an answer where no earlier call can
 * have acted; else it is unknown what an earlier one did, and no repetition
 * finds out.
 */
export async function ask(
  processor: Processor,
  operated: Operated,
  asking: Asking,
): Promise<ProcessorAnswer> {
  const { keys } = processor.traits;
  if (!asking.isFirstSending) {
    if (keys === undefined) {
      return askForEarlier(processor, operated, asking);
    }
    if (keys.otherRequest === "first_answer" && asking.isAmountImplied()) {
      // Its answer to a repetition would not say that it is for another amount.
      const earlier = await earlierAnswer(processor, operated, asking);
      if (earlier !== undefined) {
        return earlier;
      }
    }
  }
  const answer = await sendOnce(processor, operated, asking);
  if (answer.kind === "decided" || answer.isFinal || !mayBeKept(processor, asking)) {
    return answer;
  }
  // Its error may be the one of an earlier call, and stay so for as long as the key is kept.
  const earlier = await earlierAnswer(processor, operated, asking);
  return earlier?.kind === "decided" ? earlier : answer;
}

/** Returns true if an error may be what the processor has kept of an earlier call that acted. */
function mayBeKept({ traits: { keys, lookUp } }: Processor, { isFirstSending }: Asking): boolean {
  return keys?.keepsErrors === "all" && lookUp !== undefined && !isFirstSending;
}

async function sendOnce(
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

/**
 * Finds out what became of an operation that may have been sent to an acquirer
 * without keys. It is not sent again: where nothing is found, a person decides.
 */
async function askForEarlier(
  processor: Processor,
  operated: Operated,
  asking: Asking,
): Promise<ProcessorAnswer> {
  if (processor.traits.lookUp === undefined) {
    return { kind: "unknown", isFinal: true, cause: new Error(`${SENT_ONCE}, nor look-ups`) };
  }
  const isVisible = asking.isVisible(); // asked before the processor is
  const earlier = await earlierAnswer(processor, operated, asking);
  if (earlier !== undefined || !isVisible) {
    return earlier ?? { kind: "unknown", isFinal: false, cause: new Error("not found yet") };
  }
  return asking.isNew
    ? sendOnce(processor, operated, asking) // Rows were lost, and this was not among them.
    : {
        kind: "unknown",
        isFinal: true,
        cause: new Error(`${SENT_ONCE}, and finds no such effect`),
      };
}

const SENT_ONCE = "nothing is sent twice to an acquirer that honours no keys";

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
  operated: Operated,
  {
    isAmountImplied,
    refused = new Error("the processor did it for another amount"),
  }: Pick<Asking, "isAmountImplied"> & { readonly refused?: Error },
): Promise<ProcessorAnswer | undefined> {
  try {
    const effect = await lookUp(processor, operated);
    if (effect === undefined) {
      return undefined;
    }
    if (effect.isOpen === true && !(await giveUp(processor, namesOf(operated.payment)))) {
      // Its customer may yet be charged, or has been, so it is no answer for good.
      return { kind: "unknown", isFinal: false, cause: new Error("the decline is still open") };
    }
    // One that has ended since is answered as it was: if a call of ours ended it, that call comes again.
    const { decision, amount } = effect;
    const { operation } = operated;
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

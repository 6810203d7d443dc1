import type { Asking } from "./ask-processor.js";
import type { Age, KeyWindow } from "./key-window.js";
import type { LostRows } from "./lost-rows.js";
import type { Processor } from "./processor.js";

/** One attempt at an operation that has begun. */
export interface Attempt extends Age {
  /** True if nothing can have been sent for it yet, as far as this database knows. */
  readonly isNew: boolean;
}

/** The knowledge that repetitions are decided by. */
export interface Repeating {
  readonly processor: Pick<Processor, "traits">;
  readonly keyWindow: Pick<KeyWindow, "isOpen" | "hasArrived">;
  readonly lostRows: Pick<LostRows, "arePossible" | "areVisible">;
}

/** Returns true if nothing more may be sent for an operation, since its key may be forgotten by now. */
export function isPastWindow(
  attempt: Attempt,
  { processor: { traits }, keyWindow }: Pick<Repeating, "processor" | "keyWindow">,
): boolean {
  // Without keys an operation that may have been sent is only looked up.
  const maySend = traits.keys !== undefined || attempt.isNew;
  return maySend && !keyWindow.isOpen(attempt);
}

/** Returns how the processor is asked in an attempt. */
export function askingOf(
  attempt: Attempt,
  { processor: { traits }, keyWindow, lostRows }: Repeating,
  isAmountImplied: () => boolean,
): Asking {
  const { isNew } = attempt;
  return {
    isNew,
    isFirstSending: isNew && !lostRows.arePossible(),
    isVisible: () =>
      isNew
        ? lostRows.areVisible()
        : keyWindow.hasArrived(attempt, traits.lookUp?.visibleAfterMs ?? 0),
    isAmountImplied,
  };
}

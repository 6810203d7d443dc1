import type { Clock } from "../../idempotency/clock.js";
import { movedAverage } from "../../idempotency/execution/moving-average.js";
import type { Lock } from "./script.js";

/**
 * A lock is marked as executing once its call has taken twice as long as calls
 * usually do, within these bounds: at 40 ms where they take 20. So most calls
 * never pay for a mark, also where the process is busy; until then their
 * duplicates in other processes go to the store of record. Milliseconds.
 */
const MARK_AFTER_MS = { min: 20, max: 1_000 };

/** The weight of one more call in what is usual: about the last twenty count. */
const WEIGHT = 0.1;

/** A lock under which a call may be executing. */
export interface KeptLock extends Lock {
  /** The time at which the call began, on the clock; NaN before that. */
  keptAtMs: number;
}

/** The locks of this process under which a call is executing, and which are not marked yet. */
export interface ExecutingLocks<Kept extends KeptLock = KeptLock> {
  add(lock: Kept): void;
  /** Marks the lock of that name at once, if it is one of them: there are duplicates. */
  hurry(name: string): void;
  /** The call has ended. True if the lock was never marked, so that no duplicate can have seen a mark. */
  remove(lock: Kept): boolean;
}

/** One timer for all of them, and none while there are none. */
export function createExecutingLocks<Kept extends KeptLock = KeptLock>({
  clock,
  mark,
}: {
  readonly clock: Clock;
  readonly mark: (lock: Kept) => void;
}): ExecutingLocks<Kept> {
  // By name, in the order in which their time comes.
  const unmarked = new Map<string, Kept>();
  let hasTimer = false;
  let usualMs = 0;

  function startTimer(delayMs: number): void {
    hasTimer = true;
    clock.setTimer(delayMs, () => {
      hasTimer = false;
      markDue();
    });
  }

  function markAfterMs(): number {
    return Math.max(MARK_AFTER_MS.min, Math.min(2 * usualMs, MARK_AFTER_MS.max));
  }

  function markDue(): void {
    for (const [name, lock] of unmarked) {
      const leftMs = lock.keptAtMs + markAfterMs() - clock.nowMs();
      if (leftMs > 0) {
        startTimer(leftMs);
        return;
      }
      unmarked.delete(name);
      mark(lock);
    }
  }

  return {
    add(lock) {
      lock.keptAtMs = clock.nowMs();
      unmarked.delete(lock.name); // so that it goes to the end
      unmarked.set(lock.name, lock);
      if (!hasTimer) {
        startTimer(markAfterMs());
      }
    },
    hurry(name) {
      const found = unmarked.get(name);
      if (found !== undefined) {
        unmarked.delete(name);
        mark(found);
      }
    },
    remove(lock) {
      if (!Number.isNaN(lock.keptAtMs)) {
        usualMs = movedAverage(usualMs, clock.nowMs() - lock.keptAtMs, WEIGHT);
      }
      return unmarked.get(lock.name) === lock && unmarked.delete(lock.name);
    },
  };
}

import type { Clock } from "../../idempotency/clock.js";
import type { Lock } from "./script.js";

/**
 * How long a call executes before its lock says so. Most have ended by then,
 * and never pay for it; meanwhile their duplicates in other processes go to the
 * store of record. Milliseconds.
 */
const MARK_AFTER_MS = 20;

/** The locks of this process under which a call is executing, and nothing says so yet. */
export interface Marks {
  add(lock: Lock): void;
  /** Marks the lock of that name at once, if it is one of them: there are duplicates. */
  hurry(name: string): void;
  /** The call has ended. True if the lock was one of them: nobody was told of it. */
  remove(lock: Lock): boolean;
}

/** One timer for all of them, and none while there are none. */
export function createMarks({
  clock,
  mark,
}: {
  readonly clock: Clock;
  readonly mark: (lock: Lock) => void;
}): Marks {
  // By name, in the order in which their time comes.
  const unmarked = new Map<string, { readonly lock: Lock; readonly dueMs: number }>();
  let hasTimer = false;

  function startTimer(delayMs: number): void {
    hasTimer = true;
    clock.setTimer(delayMs, () => {
      hasTimer = false;
      markDue();
    });
  }

  function markDue(): void {
    for (const [name, { lock, dueMs }] of unmarked) {
      const leftMs = dueMs - clock.nowMs();
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
      unmarked.delete(lock.name); // so that it goes to the end
      unmarked.set(lock.name, { lock, dueMs: clock.nowMs() + MARK_AFTER_MS });
      if (!hasTimer) {
        startTimer(MARK_AFTER_MS);
      }
    },
    hurry(name) {
      const found = unmarked.get(name);
      if (found !== undefined) {
        unmarked.delete(name);
        mark(found.lock);
      }
    },
    remove(lock) {
      return unmarked.get(lock.name)?.lock === lock && unmarked.delete(lock.name);
    },
  };
}

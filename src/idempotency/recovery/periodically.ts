import type { Clock } from "../clock.js";

/** Work that is repeated until it is stopped. */
export interface PeriodicWork {
  /** Begins no further round, and waits for the one that is running. */
  stop(): Promise<void>;
}

/**
 * Does rounds of work, the first after `intervalMs` and each next one that long
 * after the last has ended: a slow round never runs into the next.
 */
export function periodically(options: {
  readonly intervalMs: number;
  readonly clock: Clock;
  /** One round. Must not reject; the signal aborts when it should come to an end. */
  readonly work: (signal: AbortSignal) => Promise<void>;
}): PeriodicWork {
  const { intervalMs, clock, work } = options;
  const stopping = new AbortController();
  let working = Promise.resolve();
  let cancelTimer = schedule();

  function schedule(): () => void {
    return clock.setTimer(intervalMs, () => {
      working = work(stopping.signal).finally(() => {
        if (!stopping.signal.aborted) {
          cancelTimer = schedule();
        }
      });
    });
  }

  return {
    async stop() {
      stopping.abort();
      cancelTimer();
      await working;
    },
  };
}

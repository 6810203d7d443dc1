import type { Clock } from "../../../src/idempotency/clock.js";

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Lets time pass. Each timer that falls due fires at its own time, and what follows runs before the next. */
  advance(durationMs: number): Promise<void>;
  /** How many timers are waiting: none after everything has ended. */
  waitingTimers(): number;
}

export function createManualClock(): ManualClock {
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  let nowMs = 0;

  function nextTimer(untilMs: number) {
    return [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  }

  return {
    nowMs: () => nowMs,
    setTimer(delayMs, callback) {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    async advance(durationMs) {
      const untilMs = nowMs + durationMs;
      await settled();
      for (let timer = nextTimer(untilMs); timer !== undefined; timer = nextTimer(untilMs)) {
        nowMs = timer.atMs;
        timers.delete(timer);
        timer.callback();
        await settled();
      }
      nowMs = untilMs;
    },
    waitingTimers: () => timers.size,
  };
}

/** Resolves once all that is not waiting for a timer or for I/O has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Time as the executor sees it, so that a test can replay it. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary origin. */
  nowMs(): number;
  /** Calls back once after `delayMs`, unless the returned function is called first. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or as soon as one of the signals aborts. */
export function sleep(
  clock: Clock,
  delayMs: number,
  ...signals: readonly AbortSignal[]
): Promise<void> {
  return new Promise((resolve) => {
    if (signals.some(({ aborted }) => aborted)) {
      resolve();
      return;
    }
    const wake = () => {
      cancel();
      for (const signal of signals) {
        signal.removeEventListener("abort", wake);
      }
      resolve();
    };
    const cancel = clock.setTimer(delayMs, wake);
    for (const signal of signals) {
      signal.addEventListener("abort", wake);
    }
  });
}

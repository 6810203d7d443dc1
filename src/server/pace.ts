export interface PaceOptions {
  /** The least time between two lines. Milliseconds. */
  readonly intervalMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/**
 * Makes what is asked before each line of a log that peers can cause: how many
 * were left out since the last one, or undefined where this one is left out too.
 */
export function createPace({ intervalMs, now }: PaceOptions): () => number | undefined {
  let nextAtMs = Number.NEGATIVE_INFINITY;
  let omitted = 0;
  return () => {
    const nowMs = now();
    if (nowMs < nextAtMs) {
      omitted += 1;
      return undefined;
    }
    const since = omitted;
    nextAtMs = nowMs + intervalMs;
    omitted = 0;
    return since;
  };
}

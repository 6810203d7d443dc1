import type { Logger } from "./log.js";

/** How often a line is written while it lasts. Milliseconds. */
const INTERVAL_MS = 10_000;

export interface OverloadLogOptions {
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** Makes what is told of each call refused for overload, and says so in the log now and then. */
export function createOverloadLog({ log, now }: OverloadLogOptions): () => void {
  let nextAtMs = Number.NEGATIVE_INFINITY;
  let refused = 0;
  return () => {
    refused += 1;
    const nowMs = now();
    if (nowMs >= nextAtMs) {
      log.warn({ refused }, "calls are refused: more come than can be done");
      nextAtMs = nowMs + INTERVAL_MS;
      refused = 0;
    }
  };
}

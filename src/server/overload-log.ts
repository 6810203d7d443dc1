import type { Logger } from "./log.js";
import { createPace } from "./pace.js";

/** The time between two lines while it lasts. Milliseconds. */
const INTERVAL_MS = 10_000;

export interface OverloadLogOptions {
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** Makes the function that is called for each call refused for overload; it logs them now and then. */
export function createOverloadLog({ log, now }: OverloadLogOptions): () => void {
  const pace = createPace({ intervalMs: INTERVAL_MS, now });
  return () => {
    const omitted = pace();
    if (omitted !== undefined) {
      log.warn({ refused: omitted + 1 }, "calls are refused: more come than can be done");
    }
  };
}

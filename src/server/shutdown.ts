import { within } from "../runtime/within.js";

/** The part of the limit that each closing leaves to those after it, so that none is skipped. Milliseconds. */
const KEPT_BACK_MS = 3_000;

/** Where less than that is left, each closing may take this part of it. */
const SHARE = 3 / 4;

/** Closes what has been started, the last one first. */
export interface Shutdown {
  /** `close` gets how long it may take, in milliseconds; past it the next one has its turn. */
  add(close: (limitMs: number) => unknown): void;
  /** Closes all of it, also where one fails, and then throws the first failure. */
  closeAll(): Promise<void>;
  /** Closes all of it within a limit. Resolves with the errors of what failed, or did not end in time. */
  closeWithin(limitMs: number): Promise<readonly unknown[]>;
}

export function createShutdown(): Shutdown {
  const started: ((limitMs: number) => unknown)[] = [];

  async function closeWithin(limitMs: number): Promise<unknown[]> {
    const failures: unknown[] = [];
    const startedAtMs = performance.now();
    for (let close = started.pop(); close !== undefined; close = started.pop()) {
      const leftMs = Math.max(0, limitMs - (performance.now() - startedAtMs));
      const ownMs = Math.max(leftMs - KEPT_BACK_MS, leftMs * SHARE);
      try {
        if (!(await within(Promise.resolve(close(ownMs)), ownMs))) {
          throw new Error(`what was started did not end within ${Math.round(ownMs)} ms`);
        }
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  return {
    add: (close) => started.push(close),
    closeWithin,
    async closeAll() {
      const failures = await closeWithin(Number.POSITIVE_INFINITY);
      if (failures.length > 0) {
        throw failures[0];
      }
    },
  };
}

import { within } from "../runtime/within.js";

/** What each end leaves to those after it, so that none is skipped. Milliseconds. */
const KEPT_BACK_MS = 3_000;

/** Of a short time, each end may take this part of what is left. */
const SHARE = 3 / 4;

/** What has been started and must be ended, the last one first. */
export interface Shutdown {
  /** `close` is told how long it may take, in milliseconds; past it the next one has its turn. */
  add(close: (limitMs: number) => unknown): void;
  /** Ends all of it, also where one fails, and then throws the first failure. */
  closeAll(): Promise<void>;
  /** The same within a limit. Resolves with what failed, or did not end in time. */
  closeWithin(limitMs: number): Promise<readonly unknown[]>;
}

export function createShutdown(): Shutdown {
  const ends: ((limitMs: number) => unknown)[] = [];

  async function closeWithin(limitMs: number): Promise<unknown[]> {
    const failures: unknown[] = [];
    const startedAtMs = performance.now();
    for (let close = ends.pop(); close !== undefined; close = ends.pop()) {
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
    add: (close) => ends.push(close),
    closeWithin,
    async closeAll() {
      const failures = await closeWithin(Number.POSITIVE_INFINITY);
      if (failures.length > 0) {
        throw failures[0];
      }
    },
  };
}

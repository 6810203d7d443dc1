/** Keys remembered at once. Beyond it the oldest is forgotten, which only shortens an estimate. */
const MAX_KEYS = 10_000;

/** A key not asked for during this time is another story when it comes back. Milliseconds. */
const FORGET_AFTER_MS = 60_000;

/**
 * Remembers since when duplicates of a key arrive: the least time for which
 * its first call has been executing. A lock does not tell.
 */
export function createFirstSeen(nowMs: () => number) {
  const seen = new Map<string, { sinceMs: number; lastMs: number }>();
  return {
    /** Notes one more duplicate and returns the milliseconds since the first. */
    elapsedMs(key: string): number {
      const now = nowMs();
      const known = seen.get(key);
      if (known !== undefined && now - known.lastMs < FORGET_AFTER_MS) {
        known.lastMs = now;
        return now - known.sinceMs;
      }
      const oldest = seen.keys().next();
      if (seen.size >= MAX_KEYS && oldest.done !== true) {
        seen.delete(oldest.value);
      }
      seen.set(key, { sinceMs: now, lastMs: now });
      return 0;
    },
    forget(key: string): void {
      seen.delete(key);
    },
  };
}

import { movedAverage } from "./moving-average.js";

/** Never tell a caller to come back sooner: a round trip of its own costs about this much. */
const MIN_RETRY_DELAY_MS = 50;

/** The weight of one more duration in the average: about the last ten calls count. */
const WEIGHT = 0.2;

/** After how long a duplicate should come back for the answer. Milliseconds. */
export function retryDelayMs(inFlight: {
  /** The time that this method usually takes. */
  readonly usualMs: number;
  /** The time for which the first call has been executing. */
  readonly elapsedMs: number;
  /** After this another attempt can take over, so waiting longer is pointless. */
  readonly leaseRemainingMs: number;
}): number {
  const { usualMs, elapsedMs, leaseRemainingMs } = inFlight;
  // A call that outlasts the usual is as likely as not to last as long again.
  const remainingMs = elapsedMs < usualMs ? usualMs - elapsedMs : elapsedMs;
  return Math.max(MIN_RETRY_DELAY_MS, Math.min(remainingMs, leaseRemainingMs));
}

/**
 * The longest that a caller of a held key waits before it asks again: who comes
 * once an hour costs nothing, and still learns of the answer on the same day.
 */
const MAX_HELD_DELAY_MS = 3_600_000;

/**
 * After how long to ask again for a key that an operator has to end: as long
 * again as it has been held, since one that has waited a day rarely ends in the
 * next second; at least the lease.
 */
export function heldDelayMs({ heldMs, leaseMs }: HeldKey): number {
  return Math.min(Math.max(MIN_RETRY_DELAY_MS, leaseMs, heldMs), MAX_HELD_DELAY_MS);
}

export interface HeldKey {
  readonly heldMs: number;
  readonly leaseMs: number;
}

/** Knows how long each operation usually takes, from the calls that ended here. */
export interface UsualDurations {
  record(operation: string, durationMs: number): void;
  /** 0 while nothing is known. */
  usualMs(operation: string): number;
}

/** Holds one number for each operation; their count is bounded by the schema. */
export function createUsualDurations(): UsualDurations {
  const averages = new Map<string, number>();
  return {
    record(operation, durationMs) {
      const average = averages.get(operation) ?? durationMs;
      averages.set(operation, movedAverage(average, durationMs, WEIGHT));
    },
    usualMs: (operation) => averages.get(operation) ?? 0,
  };
}

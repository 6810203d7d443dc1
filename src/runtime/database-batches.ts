import type { BatchesOptions, Turn } from "./batches.js";
import { isLockTimeout, mayBeOneRow } from "./row-errors.js";

const MEBIBYTE = 1024 * 1024;

/** The options by which items that share statements of the database are gathered. */
const databaseBatches = {
  /** Two, so that a batch that waits for another's row does not hold up the next one. */
  lanes: 2,
  /** 128 items are some milliseconds of work. More at once would only make all of them wait. */
  maxBatchSize: 128,
  /**
   * Twenty times what so many usual items take, and some hundredths of a second
   * of work. Far from what Postgres takes at once, 1 GiB, also in the copies that
   * the driver makes.
   */
  maxBatchBytes: 4 * MEBIBYTE,
  mayRepeat: mayBeOneRow,
} as const satisfies Partial<BatchesOptions<unknown, unknown>>;

/** The options for items whose callers own nothing yet: past the bounds they are refused as overloaded. */
export const refusableBatches = {
  ...databaseBatches,
  /** The most calls that a process has under way, and several seconds of work. */
  maxWaiting: 10_000,
  /** A second or two of work, and a quarter of what calls under way may hold. */
  maxWaitingBytes: 64 * MEBIBYTE,
} as const satisfies Partial<BatchesOptions<unknown, unknown>>;

/**
 * Of owners. They may have acted, so none is refused for want of room: what
 * bounds them is the executor, which counts the calls under way and what they hold.
 */
export const ownersBatches = {
  ...databaseBatches,
  maxWaiting: Number.POSITIVE_INFINITY,
  maxWaitingBytes: Number.POSITIVE_INFINITY,
  /**
   * As long as a statement may take at most, ten seconds. Giving up leaves an
   * outcome unknown, and finding it out costs more than the wait.
   */
  patience: { hasToWait: isLockTimeout, turns: 10 },
} as const satisfies Partial<BatchesOptions<unknown, unknown>>;

/**
 * The longest time for which an item waits for a lock: what another process has inserted and not
 * committed, or a row whose lock a stopped one holds, must not hold up the
 * others. Milliseconds.
 */
export const LOCK_TIMEOUTS_MS: Readonly<Record<Turn, number>> = {
  /** Far longer than a healthy transaction takes. */
  together: 500,
  /** Its batch has waited before it, and its neighbours wait behind it. */
  alone: 100,
  /** The items behind it wait for other locks, of which one may be free by then. */
  patiently: 1_000,
};

import type { BatchesOptions } from "./batches.js";
import { mayBeOneRow } from "./row-errors.js";

/** How items that share statements of the database are gathered. */
export const databaseBatches = {
  /** Two, so that a batch that waits for another's row does not hold up the next one. */
  lanes: 2,
  /** Some milliseconds of work. More at once would only make all of them wait. */
  maxBatchSize: 128,
  /** As many as a process has calls under way at most; several seconds of work. */
  maxWaiting: 10_000,
  mayRepeat: mayBeOneRow,
} as const satisfies Partial<BatchesOptions<unknown, unknown>>;

/**
 * How long a batch waits for a lock before its items are tried one by one: what
 * another process has inserted and not committed, or a payment whose lock a
 * stopped one holds, must not hold up the others. Far longer than a healthy
 * transaction takes. Milliseconds.
 */
export const BATCH_LOCK_TIMEOUT_MS = 500;

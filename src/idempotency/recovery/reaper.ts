import { type Clock, systemClock } from "../clock.js";
import type { IdempotencyStore } from "../port/store.js";
import { type PeriodicWork, periodically } from "./periodically.js";

/** The time between two looks for answers past their retention: nobody waits for them. Milliseconds. */
const INTERVAL_MS = 10_000;

/** Answers in one batch. Few enough that a store holds their rows for milliseconds. */
const BATCH_SIZE = 500;

/** Batches in one round: 5,000 answers a second, more than a process gives. */
const MAX_BATCHES = 100;

export interface ReaperOptions {
  readonly store: Pick<IdempotencyStore, "reap">;
  /** The time between two rounds. Milliseconds. Default 10,000 (10 s). */
  readonly intervalMs?: number;
  /** The number of answers that are trimmed at once. Default 500. */
  readonly batchSize?: number;
  readonly clock?: Clock;
  /** Is told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: ReaperEvent) => void;
}

/** An event of the reaper, for a log or a metric. */
export type ReaperEvent =
  | { readonly type: "reaped"; readonly count: number }
  | { readonly type: "store_failed"; readonly error: unknown };

/**
 * Shrinks answers past their retention to tombstones, which refuse their keys
 * for good. Any number of processes may do so. It only frees space: a key is
 * refused from the moment its retention ends, reaped or not.
 */
export function startReaper(options: ReaperOptions): PeriodicWork {
  const { store, intervalMs = INTERVAL_MS, batchSize = BATCH_SIZE } = options;
  const { clock = systemClock, onEvent = () => {} } = options;

  async function reap(signal: AbortSignal): Promise<void> {
    try {
      for (let batches = 0; batches < MAX_BATCHES && !signal.aborted; batches += 1) {
        const count = await store.reap(batchSize);
        if (count > 0) {
          onEvent({ type: "reaped", count });
        }
        if (count < batchSize) {
          return;
        }
      }
    } catch (error) {
      onEvent({ type: "store_failed", error });
    }
  }

  return periodically({ intervalMs, clock, work: reap });
}

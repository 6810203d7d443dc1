import type { Pool } from "pg";
import { type Clock, systemClock } from "../../idempotency/clock.js";
import { type PeriodicWork, periodically } from "../../idempotency/recovery/periodically.js";

/** The time between two looks. Milliseconds. */
const INTERVAL_MS = 60_000;

/** Processes may differ in their leases; none has one that is as long by far. Milliseconds. */
const LEAST_BOUND_MS = 3_600_000;

export interface ImpossibleLeasesOptions {
  /** The lease that claims get here. Milliseconds. */
  readonly leaseMs: number;
  /** The time between two looks. Milliseconds. Default 60,000 (1 min). */
  readonly intervalMs?: number;
  readonly clock?: Clock;
  /** Is told how many leases were ended. Must not throw. */
  readonly onEnded: (count: number) => void;
}

/**
 * Ends leases that are further ahead than any can be: they were given out while
 * the database's clock was ahead, before somebody set it right. Without this
 * nobody would take their claims over until it has come so far again. Looks
 * now, and then again and again until it is stopped.
 *
 * @throws if the database cannot be asked now
 */
export async function endImpossibleLeases(
  pool: Pool,
  options: ImpossibleLeasesOptions,
): Promise<PeriodicWork> {
  const { leaseMs, intervalMs = INTERVAL_MS, clock = systemClock, onEnded } = options;
  const boundMs = Math.max(LEAST_BOUND_MS, 2 * leaseMs);

  async function end(): Promise<void> {
    // Of few rows: those of the index of leases past the bound.
    const { rowCount } = await pool.query(
      `UPDATE idempotency_records SET lease_until = clock_timestamp()
       WHERE state = 'executing' AND lease_until > now() + $1 * interval '1 millisecond'`,
      [boundMs],
    );
    if (rowCount !== null && rowCount > 0) {
      onEnded(rowCount);
    }
  }

  await end();
  return periodically({
    intervalMs,
    clock,
    // What fails is left to the next round.
    work: () => end().catch(() => {}),
  });
}

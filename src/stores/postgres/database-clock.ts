import type { Pool } from "pg";

/** Clocks drift apart by a tenth of a second in an hour, at worst. Milliseconds. */
const LOOK_AGAIN_AFTER_MS = 60_000;

/**
 * Tells the time of the database's clock without asking for it each time: as
 * much later than it was when it was read as this process's own clock, which nobody sets, has gone on.
 */
export function createDatabaseClock(pool: Pool): () => Promise<Date> {
  let read: { readonly timeMs: number; readonly atMs: number } | undefined;
  return async () => {
    const nowMs = performance.now();
    if (read === undefined || nowMs - read.atMs > LOOK_AGAIN_AFTER_MS) {
      const { rows } = await pool.query<{ time: Date }>("SELECT clock_timestamp() AS time");
      const [row] = rows;
      if (row === undefined) {
        throw new Error("the database has not told its time");
      }
      read = { timeMs: row.time.getTime(), atMs: performance.now() };
    }
    return new Date(read.timeMs + performance.now() - read.atMs);
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { recoveryBackoffMs } from "../../src/idempotency/port/store.js";
import type { Intent } from "./intents.js";
import {
  LEASE_MS,
  LONG_ON_THE_WAY_MS,
  PROCESSOR_TIMEOUT_MS,
  RECOVERY_INTERVAL_MS,
} from "./settings.js";
import type { Traffic } from "./traffic.js";

const POLL_MS = 250;

/** What a busy machine takes besides, for as many held keys as there may be. Milliseconds. */
const BUSY_MS = 60_000;

export interface Quiet {
  readonly tookMs: number;
  readonly boundMs: number;
  /** Records that have neither an end nor an operator. */
  readonly executing: number;
  /** Records that an operator did not end. */
  readonly held: number;
  /** Callers without an answer. */
  readonly unanswered: readonly Intent[];
}

/**
 * Waits, with all faults over, until nothing is being executed, nothing is held
 * and every caller has its answer. At most until every key that cannot be found
 * out has passed the processor's window, twice where an operator has set it
 * free, has been ended, and recovery, which leaves a key that has ended many
 * owners alone for longer, has run it once more.
 */
export async function untilQuiet(
  databaseUrl: string,
  { traffic, keyWindowMs }: { readonly traffic: Traffic; readonly keyWindowMs: number },
): Promise<Quiet> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  const startedAtMs = performance.now();
  try {
    const { attempts } = await readUnfinished(pool);
    const onceMs =
      keyWindowMs + LONG_ON_THE_WAY_MS + LEASE_MS + RECOVERY_INTERVAL_MS + PROCESSOR_TIMEOUT_MS;
    const boundMs = 2 * onceMs + recoveryBackoffMs(Math.max(1, attempts)) + BUSY_MS;
    for (;;) {
      const { executing, held } = await readUnfinished(pool);
      const unanswered = traffic.asking();
      const tookMs = performance.now() - startedAtMs;
      const isQuiet = executing === 0 && held === 0 && unanswered.length === 0;
      if (isQuiet || tookMs > boundMs) {
        return { tookMs, boundMs, executing, held, unanswered };
      }
      await sleep(POLL_MS);
    }
  } finally {
    await pool.end();
  }
}

interface Unfinished {
  readonly executing: number;
  readonly held: number;
  /** The most owners that any record being executed has had. */
  readonly attempts: number;
}

async function readUnfinished(pool: pg.Pool): Promise<Unfinished> {
  const { rows } = await pool.query<Unfinished>(
    `SELECT count(*) FILTER (WHERE state = 'executing')::int AS executing,
       count(*) FILTER (WHERE state = 'held')::int AS held,
       coalesce(max(attempts) FILTER (WHERE state = 'executing'), 0)::int AS attempts
     FROM idempotency_records`,
  );
  const [row] = rows;
  if (row === undefined) {
    throw new Error("the database does not count its records");
  }
  return row;
}

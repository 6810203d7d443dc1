import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { recoveryBackoffMs } from "../../src/idempotency/store.js";
import type { Intent } from "./intents.js";
import { KEY_WINDOW_MS, LEASE_MS, PROCESSOR_TIMEOUT_MS, RECOVERY_INTERVAL_MS } from "./settings.js";
import type { Traffic } from "./traffic.js";

const POLL_MS = 250;

/** What the store of record still has to do, or leaves to an operator. */
interface Unfinished {
  readonly executing: number;
  /** The most owners that any record being executed has had. */
  readonly attempts: number;
  readonly parked: readonly ParkedKey[];
}

export interface ParkedKey {
  readonly operation: string;
  readonly key: string;
  readonly reason: string | null;
  readonly paymentId: string | null;
  readonly paymentMethod: string | null;
}

export interface Quiet {
  readonly tookMs: number;
  readonly boundMs: number;
  readonly unfinished: Unfinished;
  /** Callers without an answer that nothing explains. */
  readonly unexplained: readonly Intent[];
}

/**
 * Waits, with all faults over, until nothing is being executed and every caller
 * has its answer or waits for an operator. At most until every key that cannot
 * be found out has passed the processor's window, and recovery, which leaves a
 * key that has ended many owners alone for longer, has run it once more.
 */
export async function untilQuiet(databaseUrl: string, traffic: Traffic): Promise<Quiet> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  const startedAtMs = performance.now();
  try {
    const { attempts } = await readUnfinished(pool);
    const boundMs =
      KEY_WINDOW_MS +
      recoveryBackoffMs(Math.max(1, attempts)) +
      2 * (LEASE_MS + RECOVERY_INTERVAL_MS + PROCESSOR_TIMEOUT_MS);
    for (;;) {
      const unfinished = await readUnfinished(pool);
      const unexplained = traffic.asking().filter((intent) => !isExplained(intent, unfinished));
      const tookMs = performance.now() - startedAtMs;
      const isQuiet = unfinished.executing === 0 && unexplained.length === 0;
      if (isQuiet || tookMs > boundMs) {
        return { tookMs, boundMs, unfinished, unexplained };
      }
      await sleep(POLL_MS);
    }
  } finally {
    await pool.end();
  }
}

async function readUnfinished(pool: pg.Pool): Promise<Unfinished> {
  const executing = await pool.query<{ count: string; attempts: number }>(
    `SELECT count(*), coalesce(max(attempts), 0) AS attempts
     FROM idempotency_records WHERE state = 'executing'`,
  );
  const parked = await pool.query<ParkedKey>(
    `SELECT r.operation, r.idempotency_key AS key, r.unknown_reason AS reason,
       o.payment_id AS "paymentId", p.payment_method AS "paymentMethod"
     FROM idempotency_records r
     LEFT JOIN operations o ON o.tenant = r.tenant AND r.unknown_reason LIKE '%' || o.id || '%'
     LEFT JOIN payments p ON p.tenant = o.tenant AND p.id = o.payment_id
     WHERE r.state = 'held'`,
  );
  const [row] = executing.rows;
  return {
    executing: Number(row?.count ?? 0),
    attempts: row?.attempts ?? 0,
    parked: parked.rows,
  };
}

/** Whether a caller waits for an operator: for its own key, or for one in the way. */
function isExplained({ scope, paymentId, lastReason }: Intent, { parked }: Unfinished): boolean {
  return parked.some(
    (held) =>
      (held.operation === scope.operation && held.key === scope.key) ||
      (lastReason === "PAYMENT_BUSY" && held.paymentId === paymentId),
  );
}

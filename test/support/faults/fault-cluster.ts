import pg from "pg";
import { expect } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { type ClientLog, createClientLog } from "../../invariants/client-log.js";
import { expectAudit } from "../operators/audit.js";
import { byKey, openPayments, type PaymentsClient } from "../payments/payments-client.js";
import { type Cluster, startCluster } from "../service/cluster.js";
import { openProcessor, type Processor } from "../service/processor.js";
import { type ServiceProcess, waitUntil } from "../service/service-process.js";

/** The shortest there is: what a test waits for. */
export const LEASE_MS = 1_000;

export const RECOVERY_INTERVAL_MS = 200;

/** Until recovery has ended what was begun, on a busy machine. */
const RECOVERY_LIMIT_MS = 40_000;

/** For services that keep answers in their process, where those of a fault cluster read them each time. */
export const KEEPING_ANSWERS = { RESPONSE_CACHE_MEMORY_MIB: "32" };

/** A cluster whose processes a test stops, seen from all sides. */
export interface FaultCluster extends Cluster {
  readonly processor: Processor;
  /** What the clients of `connect` were told. */
  readonly log: ClientLog;
  readonly pool: pg.Pool;
  /** A client of one service, with its writes noted down. */
  connect(service: ServiceProcess | undefined): PaymentsClient;
  /** The record of a key, as the store of record has it. */
  recordOf(key: string): Promise<{ readonly state: string; readonly attempts: number } | undefined>;
  /** Resolves once nothing is executing any more, with how long that took. Milliseconds. */
  recovered(): Promise<number>;
  /** How many claims were taken over from their owners, by recovery or by a duplicate. */
  countTakeovers(): Promise<{ readonly recovery: number; readonly duplicates: number }>;
  /** Expects that the key's payment was charged once, in the journal and in the books. */
  expectOneCharge(key: string): Promise<void>;
  /** Expects that no invariant is violated and nothing is left to do. */
  expectNothingViolated(): Promise<void>;
}

export interface FaultClusterOptions {
  readonly services: number;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startFaultCluster(options: FaultClusterOptions): Promise<FaultCluster> {
  const cluster = await startCluster({
    services: options.services,
    env: {
      IDEMPOTENCY_LEASE_MS: String(LEASE_MS),
      RECOVERY_INTERVAL_MS: String(RECOVERY_INTERVAL_MS),
      RESPONSE_CACHE_MEMORY_MIB: "0",
      ...options.env,
    },
  });
  const processor = openProcessor(cluster.sandbox.address);
  const pool = new pg.Pool({ connectionString: cluster.database.url });
  pool.on("error", () => {}); // dropping the database ends idle connections
  const log = createClientLog();
  const clients: PaymentsClient[] = [];

  async function countTakeoversBy(detail: string): Promise<number> {
    const { rowCount } = await pool.query(
      "SELECT FROM idempotency_events WHERE type = 'taken_over' AND detail = $1",
      [detail],
    );
    return rowCount ?? 0;
  }

  const connect = (service: ServiceProcess | undefined) => {
    const client = openPayments(service?.grpcAddress ?? "");
    clients.push(client);
    return { ...client, ...log.on(client) };
  };

  return {
    ...cluster,
    processor,
    log,
    pool,
    connect,

    async recordOf(key) {
      const { rows } = await pool.query<{ state: string; attempts: number }>(
        "SELECT state, attempts FROM idempotency_records WHERE idempotency_key = $1",
        [key],
      );
      return rows[0];
    },

    async recovered() {
      const startedAtMs = performance.now();
      await waitUntil(async () => {
        const { rowCount } = await pool.query(
          "SELECT FROM idempotency_records WHERE state NOT IN ('completed', 'expired')",
        );
        return rowCount === 0;
      }, RECOVERY_LIMIT_MS);
      return performance.now() - startedAtMs;
    },

    countTakeovers: async () => ({
      recovery: await countTakeoversBy("by recovery"),
      duplicates: await countTakeoversBy("by a duplicate call"),
    }),

    async expectOneCharge(key) {
      const survivor = connect(cluster.services.find(isRunning));
      const { response } = await survivor.getPayment(byKey(key));
      const payment = response?.payment;
      expect(payment?.status).toBe(PaymentStatus.CAPTURED);
      expect(await processor.effectTypesOf(payment?.id)).toEqual(["AUTHORIZE_CAPTURE"]);
      const ledger = await survivor.listLedgerEntries({ paymentId: payment?.id ?? "" });
      const amounts = ledger.response?.entries.map(({ amount }) => amount?.minorUnits);
      expect(amounts).toEqual([1_999n, -1_999n]);
    },

    async expectNothingViolated() {
      await expectAudit(cluster, { calls: log.calls });
    },

    async stop() {
      for (const client of clients) {
        client.close();
      }
      processor.close();
      await pool.end();
      await cluster.stop();
    },
  };
}

/** Whether the process is there, stopped or not. */
function isRunning({ pid }: ServiceProcess): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** One line of what a test did to what, for whoever reads its output. */
export function tell(line: string): void {
  console.log(line);
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`;
}

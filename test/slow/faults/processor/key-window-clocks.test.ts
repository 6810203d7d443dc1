import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { paymentIdOfKey } from "../../../../src/payments/operation.js";
import { clockShimAvailable } from "../../../support/clock-shim/clock-shim.js";
import { tell } from "../../../support/faults/fault-cluster.js";
import {
  type ShiftedPostgres,
  startShiftedPostgres,
} from "../../../support/faults/shifted-postgres.js";
import { expectAudit } from "../../../support/operators/audit.js";
import {
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../../support/service/cluster.js";
import {
  ALL_CALLS,
  openProcessor,
  type Processor,
  processorKeyOfCall,
} from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

const WINDOW_MS = 4_000;

/** Much longer than the window. Seconds. */
const BEHIND_SECONDS = 60;
const AHEAD_SECONDS = 3_600;

const STEP_LIMIT_MS = 40_000;

describe.skipIf(!clockShimAvailable)(
  "a Postgres whose clock jumps after an operation began",
  () => {
    let postgres: ShiftedPostgres;
    let pool: pg.Pool;
    let cluster: Cluster;
    let processor: Processor;
    let client: PaymentsClient;

    beforeAll(async () => {
      postgres = await startShiftedPostgres();
      pool = new pg.Pool({ connectionString: postgres.url });
      pool.on("error", () => {}); // its server is stopped at the end
      cluster = await startCluster({
        services: 1,
        redisNodes: 0,
        env: {
          DATABASE_URL: postgres.url,
          PROCESSOR_TIMEOUT_MS: "1s",
          PROCESSOR_KEY_WINDOW_MS: String(WINDOW_MS),
          IDEMPOTENCY_LEASE_MS: "1s",
          RECOVERY_INTERVAL_MS: "1h", // callers find out here, so that a test sees each step
        },
      });
      processor = openProcessor(cluster.sandbox.address);
      client = openPayments(cluster.targets()[0] ?? "");
    });

    beforeEach(() => postgres.shift(0));

    afterAll(async () => {
      client?.close();
      processor?.close();
      await cluster?.stop();
      await pool?.end();
      await postgres?.stop();
    });

    async function secondsAhead(): Promise<number> {
      const { rows } = await pool.query<{ ms: number }>(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms",
      );
      return Math.round(((rows[0]?.ms ?? 0) - Date.now()) / 1_000) + 0; // never -0
    }

    /** Leases are the database's too: one that is over by the right clock is ended here. */
    async function endLease(key: string): Promise<void> {
      await pool.query(
        `UPDATE idempotency_records SET lease_until = clock_timestamp() - interval '1 ms'
       WHERE idempotency_key = $1`,
        [key],
      );
    }

    it.each([
      { what: "behind, as that of a standby that is promoted", before: 0, after: -BEHIND_SECONDS },
      { what: "back, from far ahead", before: AHEAD_SECONDS, after: 0 },
      { what: "back, from far ahead to behind", before: AHEAD_SECONDS, after: -BEHIND_SECONDS },
    ])("$what: nothing is sent past the processor's window", async ({ before, after }) => {
      const key = `clock-${before}-${after}`;
      const processorKey = processorKeyOfCall("CreatePayment", key);
      const pay = () => client.createPayment(paymentOf("tok_visa"), key);
      await postgres.shift(before);
      expect(await secondsAhead()).toBe(before);
      await processor.arm({ action: FaultAction.ERROR_AFTER, processorKey, count: ALL_CALLS });
      const startedAtMs = performance.now();
      expect(refusalOf(await pay()).reason).toBe("OUTCOME_UNKNOWN");
      await postgres.shift(after);
      expect(await secondsAhead()).toBe(after);

      await waitUntil(() => performance.now() - startedAtMs > WINDOW_MS, STEP_LIMIT_MS);
      const sent = await processor.callsOf(processorKey);
      await processor.arm({ action: FaultAction.FORGET_KEY, processorKey, count: ALL_CALLS });
      await endLease(key);
      expect(refusalOf(await pay()).reason).toBe("OUTCOME_UNKNOWN");
      const { rows } = await pool.query<{ state: string; reason: string }>(
        `SELECT state, unknown_reason AS reason FROM idempotency_records WHERE idempotency_key = $1`,
        [key],
      );
      expect(rows).toEqual([
        { state: "held", reason: expect.stringMatching(/began too long ago/) },
      ]);
      expect(await processor.callsOf(processorKey)).toBe(sent);
      expect(await processor.effectsOf(paymentIdOfKey("default", key))).toHaveLength(1);
      tell(
        `Postgres' clock ${before} s, then ${after} s ahead: ${sent} calls, none past the window, effects 1`,
      );
    });

    it("violate no invariant", async () => {
      await expectAudit({ database: postgres, sandbox: cluster.sandbox });
    });
  },
);

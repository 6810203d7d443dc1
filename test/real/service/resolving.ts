import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import pg from "pg";
import { expect } from "vitest";
import {
  RecordState,
  type ResolveKeyRequestSchema,
} from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { UnaryResult } from "../../../src/grpc/client.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { createClientLog } from "../../invariants/client-log.js";
import { expectAudit } from "../../support/operators/audit.js";
import type { PaymentLeft, Told } from "../../support/operators/resolution-table.js";
import { isReplayed, openPayments, refusalOf } from "../../support/payments/payments-client.js";
import { startCluster } from "../../support/service/cluster.js";
import { openProcessor } from "../../support/service/processor.js";
import { waitUntil } from "../../support/service/service-process.js";

const SERVICE = "payonce.payments.v1.PaymentService";

/** Until a busy machine has made as many attempts as the window has room for. */
const PARKED_LIMIT_MS = 40_000;

export type Method = "CreatePayment" | "CapturePayment" | "CancelPayment" | "RefundPayment";

type Found = MessageInitShape<typeof ResolveKeyRequestSchema>["resolution"] & object;

/** What an operator says of a payment's key. */
export { resolutions as found } from "../../support/operators/operator.js";

export type Resolving = Awaited<ReturnType<typeof startResolving>>;

/** A service whose processor forgets soon, so that calls without an answer are parked. */
export async function startResolving(env: Readonly<Record<string, string>> = {}) {
  const cluster = await startCluster({
    services: 1,
    env: {
      PROCESSOR_TIMEOUT_MS: "2s",
      PROCESSOR_KEY_WINDOW_MS: "5s",
      RECOVERY_INTERVAL_MS: "100",
      ...env,
    },
  });
  const processor = openProcessor(cluster.sandbox.address);
  const pool = new pg.Pool({ connectionString: cluster.database.url });
  pool.on("error", () => {}); // dropping the database ends idle connections
  const client = openPayments(cluster.targets()[0] ?? "");
  const log = createClientLog();

  const nameOf = (method: Method, key: string) => ({
    operation: `${SERVICE}/${method}`,
    idempotencyKey: key,
  });

  async function recordOf(method: Method, key: string) {
    const { response } = await client.getRecord({ name: nameOf(method, key) });
    const record = response?.record;
    return (
      record && {
        state: RecordState[record.state]?.toLowerCase(),
        fencingToken: record.fencingToken,
        attempts: record.attempts,
      }
    );
  }

  async function paymentRow(paymentId: string) {
    const { rows } = await pool.query<{ reserved: boolean; version: string; versions: string }>(
      `SELECT capturing <> 0 OR refunding <> 0 OR canceling AS reserved, version,
         (SELECT string_agg(e.version::text, ' ' ORDER BY e.id) FROM payment_events e
          WHERE e.tenant = p.tenant AND e.payment_id = p.id) AS versions
       FROM payments p WHERE id = $1`,
      [paymentId],
    );
    return rows[0];
  }

  return {
    ...cluster,
    processor,
    pool,
    client: { ...client, ...log.on(client) },
    recordOf,

    /** Resolves with the fencing token that an operator reads. */
    async untilHeld(method: Method, key: string): Promise<bigint> {
      const isHeld = async () => (await recordOf(method, key))?.state === "held";
      await waitUntil(isHeld, PARKED_LIMIT_MS);
      return (await recordOf(method, key))?.fencingToken ?? 0n;
    },

    /** Says what an operator found, under the fencing token that was read. */
    resolve: (method: Method, key: string, fencingToken: bigint, resolution: Found) =>
      client.resolveKey({
        name: nameOf(method, key),
        fencingToken,
        reason: "asked the bank",
        resolution,
      }),

    /** Expects a payment to be so for everyone who looks: its reader, the processor and the books. */
    async expectLeft(paymentId: string, left: PaymentLeft | undefined): Promise<void> {
      const lookup = { case: "paymentId", value: paymentId } as const;
      const payment = (await client.getPayment({ lookup })).response?.payment;
      const effects = await processor.effectTypesOf(paymentId);
      if (left === undefined) {
        expect([payment, effects]).toEqual([undefined, []]);
        return;
      }
      expect({
        status: payment && PaymentStatus[payment.status],
        declineCode: payment?.declineCode,
        captured: payment?.captured?.minorUnits ?? 0n,
        refunded: payment?.refunded?.minorUnits ?? 0n,
        effects,
      }).toEqual(left);
      const row = await paymentRow(paymentId);
      expect(row?.reserved).toBe(false);
      const versions = Array.from({ length: Number(row?.version) }, (_, index) => index + 1);
      expect(row?.versions).toBe(versions.join(" "));
      const { response } = await client.listLedgerEntries({ paymentId });
      const booked = (response?.entries ?? []).map(({ amount }) => amount?.minorUnits ?? 0n);
      expect(booked.reduce((sum, minorUnits) => sum + minorUnits, 0n)).toBe(0n);
      const moved = booked.reduce((sum, each) => (each > 0n ? sum + each : sum), 0n);
      expect(moved).toBe(left.captured + left.refunded);
    },

    expectNothingViolated: () => expectAudit(cluster, { calls: log.calls }),

    async stop() {
      client.close();
      processor.close();
      await pool.end();
      await cluster.stop();
    },
  };
}

/** Expects that a call was told this. */
export function expectTold(
  result: UnaryResult<DescMessage>,
  { says, isReplayed: was }: Told,
): void {
  const told = result.code === Code.OK ? "OK" : refusalOf(result).reason;
  expect({ says: told, isReplayed: isReplayed(result) }).toEqual({ says, isReplayed: was });
}

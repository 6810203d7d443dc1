import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { RecordState } from "../../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { CaptureMethod } from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { resolve } from "../../../support/operators/operator.js";
import { type PaymentsClient, paymentOf } from "../../../support/payments/payments-client.js";

// Claims, steps of payments, heartbeats, recovery, the reaper and operators lock
// rows of the same two tables. They take claims before payments and each by its
// name, so none ever waits for one that waits for it.

/** `DEADLOCK_SECONDS=600` looks for longer. */
const SECONDS = Number(process.env.DEADLOCK_SECONDS ?? 20);

const PAYMENTS = 4;
const CALLERS = 24;

/** Keys whose window is over are held, and an operator ends them meanwhile. */
const env = {
  PROCESSOR_TIMEOUT_MS: "300ms",
  PROCESSOR_KEY_WINDOW_MS: "2s",
  IDEMPOTENCY_RETENTION_MS: "3s",
};

let cluster: FaultCluster;
beforeAll(async () => {
  cluster = await startFaultCluster({ services: 3, env });
});
afterAll(() => cluster?.stop());

it(
  "all that locks rows at once: none waits for one that waits for it",
  async () => {
    const clients = cluster.services.map(cluster.connect);
    const [first] = clients;
    if (first === undefined) {
      throw new Error("there is no service");
    }
    const request = paymentOf("tok_visa", {
      captureMethod: CaptureMethod.MANUAL,
      amount: { currencyCode: "EUR", minorUnits: 1_000_000n },
    });
    const ids = await Promise.all(
      Array.from({ length: PAYMENTS }, async (_, index) => {
        const { response } = await first.createPayment(request, `payment-${index}`);
        return response?.payment?.id ?? "";
      }),
    );
    const endMs = performance.now() + SECONDS * 1_000;
    const whileOpen = async (act: () => Promise<unknown>) => {
      while (performance.now() < endMs) {
        await act();
      }
    };
    let calls = 0;
    let resolved = 0;
    const pay = async (caller: number) => {
      calls += 1;
      const client = clients[calls % clients.length] ?? first;
      const paymentId = ids[calls % ids.length] ?? "";
      const amount = { currencyCode: "EUR", minorUnits: 1n };
      // Each key comes again from another caller, at the same time or later.
      const key = `${caller >> 1}-${Math.floor(calls / CALLERS)}`;
      await send(client, { paymentId, amount }, key);
    };
    await Promise.all([
      ...Array.from({ length: CALLERS }, (_, caller) => whileOpen(() => pay(caller))),
      whileOpen(async () => {
        await cluster.processor.arm({ action: FaultAction.DROP_AFTER, count: 3 });
        await sleep(200);
      }),
      whileOpen(async () => {
        const { response } = await first.listRecords({ state: RecordState.HELD });
        for (const record of response?.records ?? []) {
          const kind = resolved % 2 === 0 ? "error" : "not_executed";
          const answer = await resolve(first, record, kind);
          resolved += answer.code === 0 ? 1 : 0;
        }
        await sleep(100);
      }),
    ]);
    await cluster.processor.arm();
    const { recovery, duplicates } = await cluster.countTakeovers();
    tell(
      `${calls} calls on ${PAYMENTS} payments, ${recovery + duplicates} takeovers, ${resolved} resolutions, ${SECONDS} s`,
    );
    expect(recovery + duplicates).toBeGreaterThan(0);
    expect(resolved).toBeGreaterThan(0);
    // A connection reports what it has met when it is idle, a second later at most.
    await sleep(1_500);
    const { rows } = await cluster.pool.query<{ deadlocks: number }>(
      "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()",
    );
    expect(rows).toEqual([{ deadlocks: 0 }]);
  },
  SECONDS * 1_000 + 60_000,
);

type Change = {
  readonly paymentId: string;
  readonly amount: { currencyCode: string; minorUnits: bigint };
};

function send(client: PaymentsClient, change: Change, key: string) {
  switch (Number.parseInt(key, 10) % 3) {
    case 0:
      return client.refundPayment(change, key);
    case 1:
      return client.capturePayment(change, key);
    default:
      return client.createPayment(paymentOf("tok_visa"), key);
  }
}

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Code } from "../../../src/idempotency/code.js";
import { type Cluster, startCluster } from "../../support/cluster.js";
import {
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../support/payments-client.js";

/** Far more at once than a service takes of one tenant. */
const CALLS = 4_000;

/** Each call in its time on a quiet machine; on a busy one some take longer. Milliseconds. */
const NEXT_CALL_LIMIT_MS = 5_000;

let cluster: Cluster;
let payments: PaymentsClient;

beforeAll(async () => {
  cluster = await startCluster({ services: 1 });
  payments = openPayments(cluster.targets()[0] ?? "");
});
afterAll(async () => {
  payments?.close();
  await cluster?.stop();
});

/** Counts what came of calls that were sent at once. */
async function sendAtOnce(): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  await Promise.all(
    Array.from({ length: CALLS }, async () => {
      const result = await payments.createPayment(paymentOf("tok_visa"), randomUUID());
      const kind = result.code === Code.OK ? "OK" : (refusalOf(result)?.reason ?? "nothing");
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }),
  );
  return counts;
}

it("more calls than can be done: some are refused unread, the others answered, and then all is well", async () => {
  const counts = await sendAtOnce();
  expect([...counts.keys()].sort()).toEqual(["OK", "OVERLOADED"]);
  expect(counts.get("OVERLOADED")).toBeGreaterThan(CALLS / 4);
  expect(counts.get("OK")).toBeGreaterThan(100);

  await sleep(1_000);
  const startedAtMs = performance.now();
  expect((await payments.createPayment(paymentOf("tok_visa"), randomUUID())).code).toBe(Code.OK);
  expect(performance.now() - startedAtMs).toBeLessThan(NEXT_CALL_LIMIT_MS);

  const [service] = cluster.services;
  expect(service?.output()).toContain("more come than can be done");
  const metrics = await (await fetch(`http://${service?.httpAddress}/metrics`)).text();
  const shed = Number(/^payonce_shed_total (\d+)$/m.exec(metrics)?.[1]);
  expect(shed).toBeGreaterThan(CALLS / 10);
});

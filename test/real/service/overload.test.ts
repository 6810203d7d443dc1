import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { status as grpcStatus } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { openRawGrpc } from "../../support/calls/raw-grpc.js";
import {
  openPayments,
  type PaymentsClient,
  paymentOf,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";

const { createPayment } = PaymentService.method;

/** On one connection. Each burst has one connection more. */
const CALLS = 4_000;

const MAX_BURSTS = 5;

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

/** Counts the statuses of calls that were sent at once, over so many connections. */
async function sendAtOnce(connections: number): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const note = (status: unknown) => {
    if (status !== undefined) {
      const name = grpcStatus[Number(status)] ?? String(status);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  };
  const sendAll = async () => {
    const attacker = openRawGrpc(cluster.targets()[0] ?? "");
    await Promise.all(
      Array.from({ length: CALLS }, async () => {
        const stream = attacker.send(createPayment, paymentOf("tok_visa"), randomUUID());
        stream.on("response", (headers) => note(headers["grpc-status"]));
        stream.on("trailers", (trailers) => note(trailers["grpc-status"]));
        stream.resume();
        await once(stream, "close");
      }),
    );
    attacker.close();
  };
  await Promise.all(Array.from({ length: connections }, sendAll));
  return counts;
}

/** How many calls were refused on their headers alone. */
async function countShed(): Promise<number> {
  const [service] = cluster.services;
  const metrics = await (await fetch(`http://${service?.httpAddress}/metrics`)).text();
  return Number(/^payonce_shed_total (\d+)$/m.exec(metrics)?.[1]);
}

it("more calls than can be done: some are refused unread, the others answered, and then all is well", async () => {
  // How large a burst has to be depends on the machine; one of a few is large enough, on each.
  for (let burst = 1; ; burst += 1) {
    const counts = await sendAtOnce(burst);
    const { OK = 0, RESOURCE_EXHAUSTED = 0, ...others } = Object.fromEntries(counts);
    expect(others).toEqual({});
    expect(OK).toBeGreaterThan(100);
    if (RESOURCE_EXHAUSTED > 100 && (await countShed()) > 100) {
      break;
    }
    expect(burst).toBeLessThan(MAX_BURSTS);
  }

  await sleep(1_000);
  const startedAtMs = performance.now();
  expect((await payments.createPayment(paymentOf("tok_visa"), randomUUID())).code).toBe(Code.OK);
  expect(performance.now() - startedAtMs).toBeLessThan(NEXT_CALL_LIMIT_MS);

  const [service] = cluster.services;
  expect(service?.output()).toContain("more come than can be done");
});

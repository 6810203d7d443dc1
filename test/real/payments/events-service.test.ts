import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CaptureMethod, PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { openEventStream } from "../../support/calls/event-stream.js";
import {
  eur,
  openPayments,
  paymentOf,
  untilAnswered,
} from "../../support/payments/payments-client.js";
import { type Cluster, startCluster } from "../../support/service/cluster.js";
import { waitUntil } from "../../support/service/service-process.js";
import { transitionOf } from "./event-reader.js";

/** Short, so that recovery begins soon after a kill. */
const LEASE_MS = 1_500;
const STEP_LIMIT_MS = 30_000;
/** A second for those that read, and time for a busy machine. */
const STOP_LIMIT_MS = 10_000;
const PAYMENTS = 40;
const CAPTURES = 3;
/** Created, authorized, and captured in parts. */
const TRANSITIONS = PAYMENTS * (2 + CAPTURES);

let cluster: Cluster;
beforeAll(async () => {
  const env = { IDEMPOTENCY_LEASE_MS: String(LEASE_MS) };
  cluster = await startCluster({ services: 0, redisNodes: 0, env });
});
afterAll(() => cluster.stop());

/** Makes payments, each captured in parts. A payment stops at its first failure. */
async function makePayments(target: string): Promise<void> {
  const client = openPayments(target);
  const request = paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL });
  await Promise.all(
    Array.from({ length: PAYMENTS }, async (_, index) => {
      const created = await untilAnswered(() => client.createPayment(request, `payment-${index}`));
      let payment = created.answer.response?.payment;
      for (let part = 0; part < CAPTURES && payment !== undefined; part += 1) {
        const capture = { paymentId: payment.id, amount: eur(100n) };
        const key = `payment-${index}-${part}`;
        const captured = await untilAnswered(() => client.capturePayment(capture, key));
        payment = captured.answer.response?.payment;
      }
    }),
  );
  client.close();
}

/** What the streams must have brought, from the rows themselves. */
async function storedTransitions(): Promise<string[]> {
  const database = new pg.Client({ connectionString: cluster.database.url });
  await database.connect();
  const { rows } = await database.query<{ transition: string }>(
    "SELECT payment_id || ' ' || version AS transition FROM payment_events ORDER BY id",
  );
  await database.end();
  return rows.map(({ transition }) => transition);
}

it("after kill -9 and recovery, a stream that resumes has had every transition once, in order", async () => {
  const killed = await cluster.addService();
  const before = openEventStream(killed.grpcAddress);
  const interrupted = makePayments(killed.grpcAddress);
  await waitUntil(() => before.events.length > TRANSITIONS / 4, STEP_LIMIT_MS);
  killed.kill("SIGKILL");
  expect((await before.error).code).toBe(status.UNAVAILABLE);
  await interrupted;

  const service = await cluster.addService();
  const last = before.events.at(-1);
  const after = openEventStream(service.grpcAddress, { afterEventId: last?.id ?? "" });
  await makePayments(service.grpcAddress);
  const seen = () => [...before.events, ...after.events];
  await waitUntil(() => seen().length >= TRANSITIONS, STEP_LIMIT_MS);
  const fromTheStart = openEventStream(service.grpcAddress);
  await waitUntil(() => fromTheStart.events.length >= TRANSITIONS, STEP_LIMIT_MS);

  const transitions = seen().map(transitionOf);
  expect(transitions).toEqual(await storedTransitions());
  expect(new Set(transitions).size).toBe(TRANSITIONS);
  expect(new Set(seen().map(({ id }) => id)).size).toBe(TRANSITIONS);
  expect(fromTheStart.events).toEqual(seen());
  for (const { call } of [after, fromTheStart]) {
    call.cancel();
  }
});

it("streams that are open do not hold up a service that stops, over gRPC or over Connect", async () => {
  const service = await cluster.addService();
  const overGrpc = openEventStream(service.grpcAddress);
  const transport = createConnectTransport({
    baseUrl: `http://${service.httpAddress}`,
    httpVersion: "1.1",
  });
  let overConnect = 0;
  const cut = (async () => {
    for await (const _ of createClient(PaymentService, transport).streamPaymentEvents({})) {
      overConnect += 1;
    }
  })();
  cut.catch(() => {}); // told below
  const client = openPayments(service.grpcAddress);
  await client.createPayment(paymentOf("tok_visa"), "at-shutdown");
  client.close();
  await waitUntil(() => overConnect > 1 && overGrpc.events.length > 1, STEP_LIMIT_MS);
  const stopping = performance.now();
  service.kill("SIGTERM");
  expect(await service.exited).toBe(0);
  expect(performance.now() - stopping).toBeLessThan(STOP_LIMIT_MS);
  await expect(cut).rejects.toThrow();
  expect((await overGrpc.error).code).not.toBe(status.OK);
});

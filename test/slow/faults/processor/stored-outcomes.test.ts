import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PUSHBACK_TRAILER } from "../../../../src/idempotency/answers/errors.js";
import { scopeHash } from "../../../../src/idempotency/port/scope.js";
import {
  type GoldenOutcome,
  goldenDrawnCopy,
  goldenOutcomes,
} from "../../../fixtures/outcomes/golden.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { countDecisions } from "../../../support/faults/gate-metrics.js";
import {
  answerOf,
  isReplayed,
  type PaymentsClient,
  paymentOf,
} from "../../../support/payments/payments-client.js";
import type { ServiceProcess } from "../../../support/service/service-process.js";

const OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";

let cluster: FaultCluster;
let service: ServiceProcess;
let client: PaymentsClient;
let redis: readonly Redis[];

beforeAll(async () => {
  cluster = await startFaultCluster({ services: 1 });
  await cluster.pool.query(
    `UPDATE deployment
     SET id = $1, generation_id = $2, write_xid = pg_current_xact_id()::xid`,
    [goldenDrawnCopy.deploymentId, goldenDrawnCopy.generation],
  );
  service = await cluster.addService();
  client = cluster.connect(service);
  redis = cluster.redisNodes.map(({ url }) => new Redis(url));
});

afterAll(async () => {
  for (const node of redis ?? []) {
    node.disconnect();
  }
  await cluster?.stop();
});

const pay = (key: string) => client.createPayment(paymentOf("tok_visa"), key);

/** The answer that an outcome holds; a final error also tells native retries to stop. */
function expectedAnswer(golden: Omit<GoldenOutcome, "name" | "stored">) {
  const { code, message, body, headers, trailers } = golden;
  const pushback = [PUSHBACK_TRAILER, Buffer.from("-1").toString("hex")];
  return {
    code,
    message,
    body,
    headers: expect.arrayContaining(headers.map((entry) => [...entry])),
    trailers: expect.arrayContaining([
      ...trailers.map((entry) => [...entry]),
      ...(code === 0 ? [] : [pushback]),
    ]),
  };
}

describe("an outcome that the first build stored is replayed byte for byte", () => {
  it.each(goldenOutcomes)("$name", async ({ name, stored, ...golden }) => {
    const key = name.replaceAll(" ", "-");
    await pay(key);
    const { rowCount } = await cluster.pool.query(
      "UPDATE idempotency_records SET outcome = $1 WHERE idempotency_key = $2",
      [Buffer.from(stored, "hex"), key],
    );
    expect(rowCount).toBe(1);
    await Promise.all(redis.map((node) => node.flushall()));
    const replay = await pay(key);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(expectedAnswer(golden));
    // The build that replays it knows the same of it when asked as an operator.
    const record = await client.getRecord({ name: { operation: OPERATION, idempotencyKey: key } });
    const kept = record.response?.record?.outcome;
    expect(kept?.code).toBe(golden.code);
    expect(Buffer.from(kept?.body ?? []).toString("hex")).toBe(golden.body);
    tell(`${name}: ${stored.length / 2} stored bytes replayed, code ${golden.code}`);
  });
});

/** What the copy is called in Redis. */
function goldenName(): string {
  const { key, deploymentId, generation } = goldenDrawnCopy;
  const hash = Buffer.from(scopeHash({ tenant: "default", operation: OPERATION, key }));
  return `payonce:${deploymentId}:${generation}:copy:${hash.toString("hex")}`;
}

describe("a copy that an older build left in Redis is replayed with no database call", () => {
  it.each([
    { what: "as it was made", copy: goldenDrawnCopy.copy },
    { what: "with a field that only a later build knows", copy: goldenDrawnCopy.laterCopy },
  ])("$what", async ({ copy }) => {
    const { key, answer } = goldenDrawnCopy;
    const name = goldenName();
    await Promise.all(redis.map((node) => node.set(name, Buffer.from(copy, "hex"))));
    const hits = await countDecisions(service, "hit");
    const replay = await pay(key);
    expect(isReplayed(replay)).toBe(true);
    expect(answerOf(replay)).toEqual(expectedAnswer(answer));
    expect(await countDecisions(service, "hit")).toBe(hits + 1);
    expect(await cluster.recordOf(key)).toBeUndefined();
  });

  it("but never one that has lost a byte", async () => {
    const { key, copy } = goldenDrawnCopy;
    const name = goldenName();
    const cut = Buffer.from(copy, "hex").subarray(0, -1);
    await Promise.all(redis.map((node) => node.set(name, cut)));
    expect(isReplayed(await pay(key))).toBe(false);
    await cluster.expectOneCharge(key);
  });
});

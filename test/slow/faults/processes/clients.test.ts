import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PaymentService } from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { callUnary } from "../../../../src/grpc/client.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import { KEY_METADATA } from "../../../../src/idempotency/request/key.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  answerOf,
  byKey,
  isReplayed,
  openPayments,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../../../support/payments/payments-client.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";
import { beginWaitingPayment } from "../../../support/service/waiting-payment.js";

const { createPayment } = PaymentService.method;

/** How long the processor takes: the client is gone by then. */
const PROCESSOR_DELAY_MS = 1_500;

/** Long enough for a call to begin, shorter than the processor takes. */
const CLIENT_DEADLINE_MS = 700;

/** A cache that forgets, and an answer that expires, within a test. */
const CACHE_TTL_MS = 500;
const RETENTION_MS = 6_000;

let cluster: FaultCluster;
let clients: readonly PaymentsClient[];

beforeAll(async () => {
  cluster = await startFaultCluster({
    services: 3,
    env: { IDEMPOTENCY_LEASE_MS: "5s", RESPONSE_CACHE_TTL_MS: String(CACHE_TTL_MS) },
  });
  clients = cluster.services.map((service) => cluster.connect(service));
});

afterAll(() => cluster?.stop());

describe("a client that leaves", () => {
  it("because it cancels: the work is finished and a retry gets its answer", async () => {
    const key = "canceled";
    const client = openClient();
    const cancel = new AbortController();
    const { result } = await beginSlow(key, () => callUntilCanceled(client, key, cancel.signal));
    cancel.abort();
    expect(await result).toBe(Code.CANCELLED);
    client.close();
    await expectAnswerForRetry(key);
  });

  it("because its deadline passes: the work is finished and a retry gets its answer", async () => {
    const key = "late";
    const client = openClient();
    const { result } = await beginSlow(key, () =>
      callUnary(client, {
        method: createPayment,
        request: paymentOf("tok_visa"),
        metadata: keyMetadata(key),
        timeoutMs: CLIENT_DEADLINE_MS,
      }),
    );
    expect((await result).code).toBe(Code.DEADLINE_EXCEEDED);
    client.close();
    await expectAnswerForRetry(key);
  });
});

describe("a client that hedges", () => {
  it("with three copies at once, one to each service: one charge, one answer", async () => {
    const key = "copies";
    const copies = await Promise.all(
      clients.map((client) =>
        untilAnswered(() => client.createPayment(paymentOf("tok_visa"), key)),
      ),
    );
    const answers = copies.map(({ answer }) => answerOf(answer));
    expect(answers).toEqual(answers.map(() => answers[0]));
    expect(copies.filter(({ answer }) => !isReplayed(answer))).toHaveLength(1);
    await cluster.expectOneCharge(key);
    tell("3 copies of one call at 3 services: one executed, effects 1");
  });

  it("by its own service config: the copies are refused, the first one is the answer", async () => {
    const key = "hedged";
    const client = new Client(`ipv4:${cluster.targets().join(",")}`, credentials.createInsecure(), {
      "grpc.service_config": JSON.stringify({
        loadBalancingConfig: [{ round_robin: {} }],
        methodConfig: [
          {
            name: [{ service: PaymentService.typeName }],
            hedgingPolicy: {
              maxAttempts: 3,
              hedgingDelay: "0.05s",
              nonFatalStatusCodes: ["ABORTED", "UNAVAILABLE"],
            },
          },
        ],
      }),
    });
    const before = await countRefused();
    const { result } = await beginSlow(key, () =>
      callUnary(client, {
        method: createPayment,
        request: paymentOf("tok_visa"),
        metadata: keyMetadata(key),
      }),
    );
    const hedged = await result;
    client.close();
    const refused = (await countRefused()) - before;
    tell(`a hedging client: ${refused} copies were refused while the first ran, effects 1`);
    expect(hedged.code).toBe(Code.OK);
    expect(refused).toBeGreaterThan(0);
    expect(await cluster.processor.callsOf(processorKeyOfCall("CreatePayment", key))).toBe(1n);
    const replay = await clientAt(2).createPayment(paymentOf("tok_visa"), key);
    expect(answerOf(replay)).toEqual(answerOf(hedged));
    await cluster.expectOneCharge(key);
  });
});

describe("a client that comes back", () => {
  it("after a day, when no cache remembers it: gets the same bytes", async () => {
    const key = "next-day";
    const first = await clientAt(0).createPayment(paymentOf("tok_visa"), key);
    await letADayPass(key);
    for (const client of clients) {
      const replay = await client.createPayment(paymentOf("tok_visa"), key);
      expect(isReplayed(replay)).toBe(true);
      expect(answerOf(replay)).toEqual(answerOf(first));
    }
    await cluster.expectOneCharge(key);
    tell("3 retries after a day, all from the store of record: same bytes, effects 1");
  });

  it("after a day with three copies at once: none is told that a call is executing", async () => {
    const key = "next-day-copies";
    const unlogged = cluster.targets().map((target) => openPayments(target));
    const first = await clientAt(0).createPayment(paymentOf("tok_visa"), key);
    await letADayPass(key);
    const replays = await Promise.all(
      unlogged.map((client) => client.createPayment(paymentOf("tok_visa"), key)),
    );
    for (const client of unlogged) {
      client.close();
    }
    tell(`3 copies at once after a day: codes ${replays.map(({ code }) => code).join(" ")}`);
    expect(replays.map(answerOf)).toEqual(replays.map(() => answerOf(first)));
  });

  it("after the retention: is told so, and finds its payment by the key", async () => {
    const key = "after-retention";
    const service = await cluster.addService({ IDEMPOTENCY_RETENTION_MS: String(RETENTION_MS) });
    const client = cluster.connect(service);
    const first = await client.createPayment(paymentOf("tok_visa"), key);
    expect(first.code).toBe(Code.OK);
    const ask = () => clientAt(0).createPayment(paymentOf("tok_visa"), key);
    await waitUntil(async () => (await ask()).code !== Code.OK, 4 * RETENTION_MS);
    expect(refusalOf(await ask())).toMatchObject({
      code: Code.FAILED_PRECONDITION,
      reason: "IDEMPOTENCY_KEY_EXPIRED",
      next: "look_up",
      pushback: "-1",
    });
    const { response } = await clientAt(1).getPayment(byKey(key));
    expect(response?.payment).toEqual(first.response?.payment);
    await cluster.expectOneCharge(key);
    await service.stop();
    tell(`retries until after a retention of ${RETENTION_MS} ms: refused as expired, effects 1`);
  });
});

it("none of them violates an invariant", () => cluster.expectNothingViolated());

/** The answer is there though nobody waited for it: after one execution, by nobody else. */
async function expectAnswerForRetry(key: string): Promise<void> {
  const retries = await Promise.all(
    clients.map((client) => untilAnswered(() => client.createPayment(paymentOf("tok_visa"), key))),
  );
  const answers = retries.map(({ answer }) => answer);
  tell(`the client of key ${key} left: ${answers.length} retries got one answer, effects 1`);
  expect(answers.map(isReplayed)).toEqual([true, true, true]);
  const [one] = answers.map(answerOf);
  expect(answers.map(answerOf)).toEqual(answers.map(() => one));
  expect(await cluster.recordOf(key)).toEqual({ state: "completed", attempts: 1 });
  expect(await cluster.processor.callsOf(processorKeyOfCall("CreatePayment", key))).toBe(1n);
  await cluster.expectOneCharge(key);
}

/** Nothing but the store of record remembers the key then, and all that it holds is a day older. */
async function letADayPass(key: string): Promise<void> {
  await sleep(2 * CACHE_TTL_MS);
  const times = ["create_time", "claim_time", "lease_until", "complete_time", "expire_time"];
  await cluster.pool.query(
    `UPDATE idempotency_records
     SET ${times.map((time) => `${time} = ${time} - interval '1 day'`).join(", ")}
     WHERE idempotency_key = $1`,
    [key],
  );
}

/** Begins a call that the processor lets wait before it acts. */
function beginSlow<Result>(key: string, send: () => Promise<Result>) {
  return beginWaitingPayment({
    processor: cluster.processor,
    key,
    delayMs: PROCESSOR_DELAY_MS,
    send,
  });
}

/** Resolves with the status that the client itself sees. */
function callUntilCanceled(client: Client, key: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    const call = client.makeUnaryRequest(
      `/${PaymentService.typeName}/${createPayment.name}`,
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      Buffer.from(
        toBinary(createPayment.input, create(createPayment.input, paymentOf("tok_visa"))),
      ),
      keyMetadata(key),
      (error) => resolve(error?.code ?? Code.OK),
    );
    signal.addEventListener("abort", () => call.cancel());
  });
}

/** How many calls the services have refused because one with their key was executing. */
async function countRefused(): Promise<number> {
  const counts = await Promise.all(
    cluster.services.slice(0, clients.length).map(async ({ httpAddress }) => {
      const metrics = await (await fetch(`http://${httpAddress}/metrics`)).text();
      return Number(
        /^payonce_calls_total\{.*"REQUEST_IN_PROGRESS"\} (\d+)$/m.exec(metrics)?.[1] ?? 0,
      );
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

function keyMetadata(key: string): Metadata {
  const metadata = new Metadata();
  metadata.set(KEY_METADATA, key);
  return metadata;
}

function openClient(): Client {
  return new Client(cluster.targets()[0] ?? "", credentials.createInsecure());
}

function clientAt(index: number): PaymentsClient {
  const client = clients[index];
  if (client === undefined) {
    throw new RangeError(`there is no service ${index}`);
  }
  return client;
}

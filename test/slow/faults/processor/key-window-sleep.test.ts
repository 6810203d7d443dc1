import type { DescMessage } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CaptureMethod } from "../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import type { UnaryResult } from "../../../../src/grpc/client.js";
import { paymentIdOfKey } from "../../../../src/payments/operation.js";
import { startTcpProxy, type TcpProxy } from "../../../support/calls/tcp-proxy.js";
import { holdAt, installBreakpoints, type Point } from "../../../support/faults/breakpoints.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import { portOf } from "../../../support/faults/own-postgres.js";
import {
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

const WINDOW_MS = 8_000;
const CALL_MS = 2_000;

/** How long a request is under way to the processor: as long as a call may take, nearly. */
const NETWORK_MS = 1_900;

/** Before the last attempts that the window has room for. */
const SLOW_AFTER_MS = 5_200;

const STEP_LIMIT_MS = 40_000;

let cluster: FaultCluster;
let client: PaymentsClient;

beforeAll(async () => {
  // Only callers take over here, so that nobody parks what an owner that sleeps has left.
  cluster = await startFaultCluster({
    services: 1,
    env: {
      PROCESSOR_TIMEOUT_MS: String(CALL_MS),
      PROCESSOR_KEY_WINDOW_MS: String(WINDOW_MS),
      RECOVERY_INTERVAL_MS: "1h",
    },
  });
  await installBreakpoints(cluster.pool);
  client = cluster.connect(cluster.services[0]);
});

afterAll(() => cluster?.stop());

/** How long ago the operation under a processor key began. Milliseconds; undefined if it has not. */
async function ageMs(processorKey: string): Promise<number | undefined> {
  const { rows } = await cluster.pool.query<{ age_ms: number }>(
    `SELECT (extract(epoch FROM clock_timestamp() - begin_time) * 1000)::float8 AS age_ms
     FROM operations WHERE processor_key = $1`,
    [processorKey],
  );
  return rows[0]?.age_ms;
}

async function untilAge(processorKey: string, passedMs: number): Promise<void> {
  const isPast = async () => ((await ageMs(processorKey)) ?? 0) > passedMs;
  await waitUntil(isPast, STEP_LIMIT_MS);
}

interface SleepyCall {
  readonly what: string;
  readonly method: "CreatePayment" | "CapturePayment";
  readonly point: Point;
  readonly send: (owner: PaymentsClient, key: string) => Promise<UnaryResult<DescMessage>>;
}

describe("an owner that is stopped right after it began, and wakes up past the window", () => {
  const calls: readonly SleepyCall[] = [
    {
      what: "with its claim, on a key that nobody had used",
      method: "CreatePayment",
      point: "claim, at its commit",
      send: (owner, key) => owner.createPayment(paymentOf("tok_visa"), key),
    },
    {
      what: "in a transaction of its own",
      method: "CapturePayment",
      point: "begin, at its commit",
      send: (owner, key) =>
        owner.capturePayment({ paymentId: paymentIdOfKey("default", "to-be-captured") }, key),
    },
  ];

  it.each(calls)("$what: sends nothing, and parks", async ({ what, method, point, send }) => {
    await client.createPayment(
      paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL }),
      "to-be-captured",
    );
    const key = `sleepy-${method}`;
    const processorKey = processorKeyOfCall(method, key);
    const owner = await cluster.addService();
    const hold = await holdAt(cluster.database.url, point);
    const call = send(cluster.connect(owner), key);
    await hold.reached();
    owner.kill("SIGSTOP");
    await hold.release();
    await untilAge(processorKey, WINDOW_MS);
    await cluster.processor.arm({ action: FaultAction.FORGET_KEY, processorKey, count: ALL_CALLS });
    owner.kill("SIGCONT");
    expect(refusalOf(await call).reason).toBe("OUTCOME_UNKNOWN");
    expect(await cluster.recordOf(key)).toMatchObject({ state: "held", attempts: 1 });
    expect(await cluster.processor.callsOf(processorKey)).toBe(0n);
    tell(`stopped owner pid ${owner.pid}: began ${what}, woke up past the window, sent nothing`);
  });
});

describe("a network that becomes slow before the window ends", () => {
  /** Each key is in another moment of its attempts then. */
  const keys = Array.from({ length: 8 }, (_, index) => ({
    key: `slow-${index}`,
    startMs: index * 250,
  }));

  let proxy: TcpProxy;
  let slow: PaymentsClient;

  beforeAll(async () => {
    proxy = await startTcpProxy(portOf(`tcp://${cluster.sandbox.address}`));
    const service = await cluster.addService({ PROCESSOR_URL: `127.0.0.1:${proxy.port}` });
    slow = cluster.connect(service);
  });

  afterAll(() => proxy?.close());

  it("brings no call after the processor has forgotten its key: all are charged once", async () => {
    const { processor } = cluster;
    const forgotten = new Set<string>();
    const sent = new Map<string, bigint>();
    const armAll = () =>
      processor.arm(
        ...keys.map(({ key }) => ({
          action: forgotten.has(key) ? FaultAction.FORGET_KEY : FaultAction.ERROR_AFTER,
          processorKey: processorKeyOfCall("CreatePayment", key),
          count: ALL_CALLS,
        })),
      );
    await armAll();
    const startedAtMs = performance.now();
    const held = keys.map(async ({ key, startMs }) => {
      await waitUntil(() => performance.now() - startedAtMs >= startMs, STEP_LIMIT_MS);
      await waitUntil(async () => {
        await slow.createPayment(paymentOf("tok_visa"), key);
        return (await cluster.recordOf(key))?.state === "held";
      }, STEP_LIMIT_MS);
    });
    await waitUntil(() => performance.now() - startedAtMs >= SLOW_AFTER_MS, STEP_LIMIT_MS);
    proxy.delay(NETWORK_MS);

    for (const { key } of keys) {
      const processorKey = processorKeyOfCall("CreatePayment", key);
      await untilAge(processorKey, WINDOW_MS);
      sent.set(key, await processor.callsOf(processorKey));
      // Each call that came from now on would be a new charge.
      forgotten.add(key);
      await armAll();
    }
    await Promise.all(held);
    for (const { key } of keys) {
      const processorKey = processorKeyOfCall("CreatePayment", key);
      await untilAge(processorKey, WINDOW_MS + 2 * CALL_MS);
      expect(await processor.callsOf(processorKey)).toBe(sent.get(key));
      expect(await processor.effectsOf(paymentIdOfKey("default", key))).toHaveLength(1);
    }
    const calls = [...sent.values()].join(", ");
    tell(
      `a network of ${NETWORK_MS} ms: ${calls} calls within the window, none after it, effects 1 each`,
    );
  });
});

it("violates no invariant", () => cluster.expectNothingViolated());

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { RecordState } from "../../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { Code } from "../../../../src/idempotency/answers/code.js";
import { paymentIdOfKey } from "../../../../src/payments/operation.js";
import {
  type FaultCluster,
  startFaultCluster,
  tell,
} from "../../../support/faults/fault-cluster.js";
import {
  type PaymentsClient,
  paymentOf,
  refusalOf,
} from "../../../support/payments/payments-client.js";
import { wireOfRun } from "../../../support/servers/wire.js";
import { processorKeyOfCall } from "../../../support/service/processor.js";
import { waitUntil } from "../../../support/service/service-process.js";

/** A processor that forgets soon. */
const WINDOW_MS = 2_000;

/** Retries, recovery and its backoff would all have come by then, several times. */
const AFTERWARDS_MS = 3_000;

const PARKED_LIMIT_MS = 40_000;
const MANY = 1_000;

let cluster: FaultCluster;
let client: PaymentsClient;

beforeAll(async () => {
  cluster = await startFaultCluster({
    services: 2,
    env: { PROCESSOR_TIMEOUT_MS: "300", PROCESSOR_KEY_WINDOW_MS: String(WINDOW_MS) },
  });
  client = cluster.connect(cluster.services[0]);
});

afterAll(() => cluster?.stop());

it.each([
  // Stripe keeps the error, and is asked by our names what is behind it.
  ...(wireOfRun() === "sandbox"
    ? [{ what: "charged and never said so", action: FaultAction.ERROR_AFTER, effects: 1 }]
    : []),
  { what: "never answered", action: FaultAction.NEVER, effects: 0 },
])(
  "a processor that $what forgets the key: nothing is sent past its window",
  async ({ what, action, effects }) => {
    const key = what.replaceAll(" ", "-");
    const processorKey = processorKeyOfCall("CreatePayment", key);
    const pay = () => client.createPayment(paymentOf("tok_visa"), key);
    await cluster.processor.arm({ action, processorKey, count: MANY });
    await pay();
    await waitUntil(async () => (await cluster.recordOf(key))?.state === "held", PARKED_LIMIT_MS);
    const sent = await cluster.processor.callsOf(processorKey);
    expect(sent).toBeGreaterThan(1n);

    // From now on each call that came would be a new charge.
    await cluster.processor.arm({ action: FaultAction.FORGET_KEY, processorKey, count: MANY });
    const untilMs = performance.now() + AFTERWARDS_MS;
    let retries = 0;
    while (performance.now() < untilMs) {
      expect(refusalOf(await pay())).toMatchObject({
        code: Code.UNAVAILABLE,
        reason: "OUTCOME_UNKNOWN",
      });
      retries += 1;
      await sleep(200);
    }
    expect(await cluster.processor.callsOf(processorKey)).toBe(sent);
    const paymentId = paymentIdOfKey("default", key);
    expect(await cluster.processor.effectsOf(paymentId)).toHaveLength(effects);

    const { response } = await client.listRecords({ state: RecordState.HELD });
    const parked = response?.records.find(({ idempotencyKey }) => idempotencyKey === key);
    expect(parked?.unknownReason).toMatch(/the processor may have forgotten its key/);
    tell(
      `${what}: parked after ${sent} calls to the processor; ${retries} retries later still ${sent}, effects ${effects}`,
    );
  },
);

it("is asked again within its window only: the sandbox charges twice for a forgotten key", async () => {
  // The control: what the window protects from does happen to whoever sends again.
  const key = "forgotten-within";
  const processorKey = processorKeyOfCall("CreatePayment", key);
  await cluster.processor.arm(
    { action: FaultAction.DROP_AFTER, processorKey },
    { action: FaultAction.FORGET_KEY, processorKey },
  );
  await client.createPayment(paymentOf("tok_visa"), key);
  await waitUntil(
    async () => (await cluster.recordOf(key))?.state === "completed",
    PARKED_LIMIT_MS,
  );
  expect(await cluster.processor.effectsOf(paymentIdOfKey("default", key))).toHaveLength(2);
});

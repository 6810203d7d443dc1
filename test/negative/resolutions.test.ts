import { describe, expect, it } from "vitest";
import { RecordState } from "../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { CaptureMethod, PaymentService } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { resolve, untilHeld } from "../support/operators/operator.js";
import {
  eur,
  type PaymentsClient,
  paymentOf,
  refusalOf,
  untilAnswered,
} from "../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../support/service/processor.js";
import { waitUntil } from "../support/service/service-process.js";
import { type BuildUnderTest, runOn } from "./build.js";

const scope = {
  tenant: "default",
  operation: `${PaymentService.typeName}/CapturePayment`,
  key: "capture",
};

/** A processor that forgets soon, so that what it does not answer is parked. */
const env = { PROCESSOR_TIMEOUT_MS: "1s", PROCESSOR_KEY_WINDOW_MS: "4s" };

const HELD_LIMIT_MS = 40_000;

async function createPayment(client: PaymentsClient, key: string): Promise<string> {
  const terms = { amount: eur(10_000n), captureMethod: CaptureMethod.MANUAL };
  const { answer } = await untilAnswered(() =>
    client.createPayment(paymentOf("tok_visa", terms), key),
  );
  return answer.response?.payment?.id ?? "";
}

/** Captures 90.00 of a payment; the processor drops the call, and an operator finds that out. */
async function releaseCapture({ start, processor }: BuildUnderTest) {
  const { client } = await start();
  const paymentId = await createPayment(client, "payment");
  const processorKey = processorKeyOfCall("CapturePayment", scope.key);
  await processor.arm({ action: FaultAction.DROP_BEFORE, processorKey, count: ALL_CALLS });
  const isHeld = async () => {
    await client.capturePayment({ paymentId, amount: eur(9_000n) }, scope.key);
    const { response } = await client.listRecords({ state: RecordState.HELD });
    return response?.records.length === 1;
  };
  await waitUntil(isHeld, HELD_LIMIT_MS);
  const resolved = await resolve(client, await untilHeld(client, scope), "not_executed");
  expect(resolved.code).toBe(0);
  await processor.arm();
  return { client, paymentId };
}

/** The key of the released capture is used for 1.00. */
async function reuseReleasedKey(build: BuildUnderTest) {
  const { client, paymentId } = await releaseCapture(build);
  const { answer } = await untilAnswered(() =>
    client.capturePayment({ paymentId, amount: eur(100n) }, scope.key),
  );
  const lookup = { case: "paymentId", value: paymentId } as const;
  const { response } = await client.getPayment({ lookup });
  return {
    told: answer.code === 0 ? "OK" : refusalOf(answer).reason,
    captured: response?.payment?.captured?.minorUnits ?? 0n,
    effects: await build.processor.effectTypesOf(paymentId),
    violations: await build.violations(),
  };
}

describe("another request under a key that an operator gave free", () => {
  it("is refused, and nothing happens", async () => {
    expect(await runOn("the product", reuseReleasedKey, env)).toEqual({
      told: "IDEMPOTENCY_KEY_REUSED",
      captured: 0n,
      effects: ["AUTHORIZE"],
      violations: [],
    });
  });

  it("executes the first one's operation once that one's request is forgotten", async () => {
    const { violations, ...seen } = await runOn("without kept-request", reuseReleasedKey, env);
    expect(seen).toEqual({
      told: "OK",
      captured: 9_000n,
      effects: ["AUTHORIZE", "CAPTURE"],
    });
    expect(violations).toContainEqual(
      expect.stringMatching(/^I7: .* began for another request than its key's record keeps$/),
    );
  });
});

/** Nobody repeats the released capture; others act on its payment. */
async function leaveReleased(build: BuildUnderTest) {
  const { client, paymentId } = await releaseCapture(build);
  const canceled = await client.cancelPayment({ paymentId }, "cancel");
  const held = await client.listRecords({ state: RecordState.HELD });
  return {
    told: canceled.code === 0 ? "OK" : refusalOf(canceled).reason,
    held: held.response?.records.length,
    violations: await build.violations(),
  };
}

describe("a payment with a capture that was not executed", () => {
  it("can be canceled, though nobody repeats the capture", async () => {
    expect(await runOn("the product", leaveReleased, env)).toEqual({
      told: "OK",
      held: 0,
      violations: [],
    });
  });

  it("is busy for good once the operation does not end with its key", async () => {
    const { violations, ...seen } = await runOn("without ended-operation", leaveReleased, env);
    expect(seen).toEqual({ told: "PAYMENT_BUSY", held: 0 });
    expect(violations).toContainEqual(
      expect.stringMatching(/^I11: .* is unknown, and its key is released$/),
    );
  });
});

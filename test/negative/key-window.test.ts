import { describe, expect, it } from "vitest";
import { CaptureMethod } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { paymentOf, refusalOf } from "../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../support/service/processor.js";
import { waitUntil } from "../support/service/service-process.js";
import { type BuildUnderTest, runOn } from "./build.js";
import { hold, STOP_READING, waitingFor } from "./row-locks.js";

/** The processor forgets a key then. */
const WINDOW_MS = 6_000;
const env = { PROCESSOR_TIMEOUT_MS: "1s", PROCESSOR_KEY_WINDOW_MS: String(WINDOW_MS) };

const ARRIVAL_LIMIT_MS = 20_000;

const PART = { currencyCode: "EUR", minorUnits: 500n };

/**
 * The processor captures and the reply is lost. The next attempt has read how
 * old its operation is when its process is stopped, until the processor has
 * forgotten the key.
 */
async function sleepThroughWindow({
  start,
  processor,
  database,
  pool,
  violations,
}: BuildUnderTest) {
  const { client, service } = await start();
  const key = "slept";
  const manual = paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL });
  const { response } = await client.createPayment(manual, "payment");
  const paymentId = response?.payment?.id ?? "";
  const processorKey = processorKeyOfCall("CapturePayment", key);
  // A part, which the processor would capture twice.
  const capture = () => client.capturePayment({ paymentId, amount: PART }, key);
  await processor.arm({ action: FaultAction.DROP_AFTER, processorKey });
  const startedAtMs = performance.now();
  expect(refusalOf(await capture()).reason).toBe("OUTCOME_UNKNOWN");

  const reading = await hold(database.url, STOP_READING);
  await reading.held;
  const late = [capture()];
  await waitUntil(async () => {
    const isWaiting = (await waitingFor(pool, reading)).length > 0;
    if (!isWaiting) {
      late.push(capture()); // the one before came while its key was not free yet
    }
    return isWaiting;
  }, ARRIVAL_LIMIT_MS);
  // Goes on to make sure of its claim, once it has read how old its operation is.
  const record = await hold(
    database.url,
    `SELECT FROM idempotency_records WHERE idempotency_key = '${key}' FOR UPDATE`,
  );
  await record.held;
  await reading.release();
  await waitUntil(async () => (await waitingFor(pool, record)).length > 0, ARRIVAL_LIMIT_MS);
  service.kill("SIGSTOP");
  await record.release();
  await processor.arm({ action: FaultAction.FORGET_KEY, processorKey, count: ALL_CALLS });
  await waitUntil(() => performance.now() - startedAtMs > WINDOW_MS + 200, ARRIVAL_LIMIT_MS);
  service.kill("SIGCONT");
  await Promise.all(late);
  // Whichever attempt slept, the key says what came of it.
  let told = "REQUEST_IN_PROGRESS";
  await waitUntil(async () => {
    const answer = await capture();
    told = answer.code === 0 ? "OK" : (refusalOf(answer).reason ?? "");
    return told !== "REQUEST_IN_PROGRESS";
  }, ARRIVAL_LIMIT_MS);
  return {
    told,
    effects: await processor.effectTypesOf(paymentId),
    violations: await violations(),
  };
}

describe("an attempt that sleeps until the processor has forgotten its key", () => {
  it("sends nothing, and leaves the payment to an operator", async () => {
    expect(await runOn("the product", sleepThroughWindow, env)).toEqual({
      told: "OUTCOME_UNKNOWN",
      effects: ["AUTHORIZE", "CAPTURE"],
      violations: [],
    });
  });

  it("captures a second time once the window is not looked at right before sending", async () => {
    const { told, effects, violations } = await runOn(
      "without watched-window",
      sleepThroughWindow,
      env,
    );
    expect(told).toBe("OK");
    expect(effects).toEqual(["AUTHORIZE", "CAPTURE", "CAPTURE"]);
    expect(violations).toContainEqual(
      expect.stringMatching(/^I1: processor key .* has 2 effects in the journal$/),
    );
  });
});

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { FaultAction } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { paymentIdOfKey } from "../../src/payments/operation.js";
import { paymentOf, refusalOf } from "../support/payments/payments-client.js";
import { ALL_CALLS, processorKeyOfCall } from "../support/service/processor.js";
import { waitUntil } from "../support/service/service-process.js";
import { type BuildUnderTest, runOn } from "./build.js";
import { hold, waitingFor } from "./row-locks.js";

/** The processor forgets a key then. */
const WINDOW_MS = 6_000;
const env = { PROCESSOR_TIMEOUT_MS: "1s", PROCESSOR_KEY_WINDOW_MS: String(WINDOW_MS) };

const ARRIVAL_LIMIT_MS = 20_000;

/** Longer than a step waits for a lock before it is tried again, patiently: for a second each time. */
const PATIENT_AFTER_MS = 700;

/** What is left of such a second is enough to stop a process. */
const NEWLY_WAITING_MS = 300;

/**
 * The processor charges and the reply is lost. The next attempt has read how
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
  const processorKey = processorKeyOfCall("CreatePayment", key);
  const pay = () => client.createPayment(paymentOf("tok_visa"), key);
  await processor.arm({ action: FaultAction.DROP_AFTER, processorKey });
  const startedAtMs = performance.now();
  expect(refusalOf(await pay()).reason).toBe("OUTCOME_UNKNOWN");

  const payment = await hold(database.url, "SELECT FROM payments FOR UPDATE");
  await payment.held;
  const late = [pay()];
  await waitUntil(async () => {
    if ((await waitingFor(pool, payment)).length === 0) {
      late.push(pay()); // the one before came while its key was not free yet
    }
    return (await waitingFor(pool, payment)).length > 0;
  }, ARRIVAL_LIMIT_MS);
  await sleep(PATIENT_AFTER_MS);
  await waitUntil(async () => {
    const [waiting] = await waitingFor(pool, payment);
    return waiting !== undefined && waiting.waits_ms < NEWLY_WAITING_MS;
  }, ARRIVAL_LIMIT_MS);
  service.kill("SIGSTOP");
  await payment.release();
  await processor.arm({ action: FaultAction.FORGET_KEY, processorKey, count: ALL_CALLS });
  await waitUntil(() => performance.now() - startedAtMs > WINDOW_MS + 200, ARRIVAL_LIMIT_MS);
  service.kill("SIGCONT");
  await Promise.all(late);
  // Whichever attempt slept, a call or recovery's, the key says what came of it.
  let told = "REQUEST_IN_PROGRESS";
  await waitUntil(async () => {
    const answer = await pay();
    told = answer.code === 0 ? "OK" : (refusalOf(answer).reason ?? "");
    return told !== "REQUEST_IN_PROGRESS";
  }, ARRIVAL_LIMIT_MS);
  return {
    told,
    effects: await processor.effectTypesOf(paymentIdOfKey("default", key)),
    violations: await violations(),
  };
}

describe("an attempt that sleeps until the processor has forgotten its key", () => {
  it("sends nothing, and leaves the payment to an operator", async () => {
    expect(await runOn("the product", sleepThroughWindow, env)).toEqual({
      told: "OUTCOME_UNKNOWN",
      effects: ["AUTHORIZE_CAPTURE"],
      violations: [],
    });
  });

  it("charges a second time once the window is not looked at right before sending", async () => {
    const { told, effects, violations } = await runOn(
      "without watched-window",
      sleepThroughWindow,
      env,
    );
    expect(told).toBe("OK");
    expect(effects).toEqual(["AUTHORIZE_CAPTURE", "AUTHORIZE_CAPTURE"]);
    expect(violations).toContainEqual(
      expect.stringMatching(/^I1: processor key .* has 2 effects in the journal$/),
    );
  });
});

import { describe, expect, it } from "vitest";
import { CaptureMethod } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { FaultAction } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { createSandboxProcessor } from "../../src/payments/processors/sandbox.js";
import { eur, paymentOf, refusalOf } from "../support/payments/payments-client.js";
import { type BuildUnderTest, runOn } from "./build.js";

const AMOUNT = 1_999n;

/**
 * Two captures ask for the same money. The processor has done the first, but
 * its reply is lost, so the amount is in flight when the second one comes.
 */
async function captureTwice({ start, processor, sandbox, violations }: BuildUnderTest) {
  const { client } = await start();
  const request = paymentOf("tok_visa", { captureMethod: CaptureMethod.MANUAL });
  const { response } = await client.createPayment(request, "payment");
  const paymentId = response?.payment?.id ?? "";
  await authorizeMore(sandbox.address, paymentId);
  await processor.arm({ action: FaultAction.DROP_AFTER });
  const unheard = await client.capturePayment({ paymentId }, "first");
  expect(refusalOf(unheard).reason).toBe("OUTCOME_UNKNOWN");

  const answer = await client.capturePayment({ paymentId }, "second");
  const effects = await processor.effectTypesOf(paymentId);
  return {
    answer: answer.code === 0 ? "OK" : refusalOf(answer).reason,
    captures: effects.filter((type) => type === "CAPTURE").length,
    amountsViolated: (await violations()).filter((violation) => violation.startsWith("I3: ")),
  };
}

/** The sandbox refuses what exceeds its authorizations. Not every processor does, so it gets one more. */
async function authorizeMore(address: string, paymentId: string): Promise<void> {
  const processor = createSandboxProcessor({ address, timeoutMs: 30_000 });
  await processor.authorize({
    processorKey: "another authorization",
    tenant: "default",
    paymentId,
    amount: eur(AMOUNT),
    paymentMethod: "tok_visa",
    capture: false,
  });
  processor.close();
}

describe("a capture of an amount that another one has in flight", () => {
  it("is told to wait, and the processor is not asked", async () => {
    expect(await runOn("the product", captureTwice)).toEqual({
      answer: "PAYMENT_BUSY",
      captures: 1,
      amountsViolated: [],
    });
  });

  it("takes the money again once nothing is reserved for what is in flight", async () => {
    const { answer, captures, amountsViolated } = await runOn("without reservation", captureTwice);
    expect(answer).toBe("OK");
    expect(captures).toBe(2);
    expect(amountsViolated).toContainEqual(
      expect.stringMatching(`reserves 0 for captures in flight of ${AMOUNT}$`),
    );
  });
});

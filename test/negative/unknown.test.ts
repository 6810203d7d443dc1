import { describe, expect, it } from "vitest";
import { PaymentStatus } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { paymentOf, untilAnswered } from "../support/payments/payments-client.js";
import { type BuildUnderTest, runOn } from "./build.js";

/** The processor charges and answers with an error. */
async function chargeWithError({ start, processor, violations }: BuildUnderTest) {
  const { client } = await start();
  const { answer } = await untilAnswered(() =>
    client.createPayment(paymentOf("tok_error_after_charge"), "error"),
  );
  const payment = answer.response?.payment;
  return {
    status: payment?.status,
    effects: await processor.effectTypesOf(payment?.id),
    violations: await violations(),
  };
}

describe("a payment that was charged, with an error for an answer", () => {
  it("is told as charged", async () => {
    expect(await runOn("the product", chargeWithError)).toEqual({
      status: PaymentStatus.CAPTURED,
      effects: ["AUTHORIZE_CAPTURE"],
      violations: [],
    });
  });

  it("is told as not charged once an unknown outcome is taken for none", async () => {
    const { status, effects, violations } = await runOn("without unknown", chargeWithError);
    expect(status).toBe(PaymentStatus.DECLINED);
    expect(effects).toEqual(["AUTHORIZE_CAPTURE"]);
    expect(violations).toContainEqual(
      expect.stringMatching(/^I1: .* is declined, and the journal holds an effect of it$/),
    );
  });
});

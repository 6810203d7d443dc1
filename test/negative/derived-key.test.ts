import { describe, expect, it } from "vitest";
import { FaultAction } from "../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { paymentOf, untilAnswered } from "../support/payments/payments-client.js";
import { type BuildUnderTest, runOn } from "./build.js";

/** The processor charges and drops the reply, and the caller asks until it has an answer. */
async function chargeUnheard({ start, processor, violations }: BuildUnderTest) {
  const { client } = await start();
  await processor.arm({ action: FaultAction.DROP_AFTER });
  const { answer } = await untilAnswered(() =>
    client.createPayment(paymentOf("tok_visa"), "unheard"),
  );
  return {
    effects: await processor.effectTypesOf(answer.response?.payment?.id),
    violations: await violations(),
  };
}

describe("a payment whose charge was not heard of", () => {
  it("is charged once", async () => {
    expect(await runOn("the product", chargeUnheard)).toEqual({
      effects: ["AUTHORIZE_CAPTURE"],
      violations: [],
    });
  });

  it("is charged twice once each attempt has a processor key of its own", async () => {
    const { effects, violations } = await runOn("without derived-key", chargeUnheard);
    expect(effects).toEqual(["AUTHORIZE_CAPTURE", "AUTHORIZE_CAPTURE"]);
    expect(violations).toContainEqual(expect.stringMatching(/^I1: .* the journal holds no effect/));
    expect(violations).toContainEqual(
      expect.stringMatching(/^I6: effect 2 .* has no operation with its processor key/),
    );
  });
});

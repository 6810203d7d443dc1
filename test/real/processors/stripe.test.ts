import { describe, expect, it } from "vitest";
import { processorContract } from "../../../src/testing/index.js";
import { stripeSetup } from "../../support/payments/stripe-double.js";

describe.each([
  ["one capture", false],
  ["captures in parts", true],
] as const)("Stripe's adapter, for an account with %s", (_, multicapture) => {
  const tests = processorContract(stripeSetup(multicapture));
  for (const { name, run } of tests) {
    it(name, run);
  }

  it("leaves out nothing but customers who have to act", () => {
    expect(new Set(tests.flatMap(({ notRun }) => notRun ?? []))).toEqual(
      new Set(["the double has no payment method that is requiresAction"]),
    );
  });
});

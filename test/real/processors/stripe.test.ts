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

  it("leaves no test out", () => {
    expect(tests.flatMap(({ notRun }) => notRun ?? [])).toEqual([]);
  });
});

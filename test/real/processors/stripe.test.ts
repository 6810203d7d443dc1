import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createStripeProcessor } from "../../../src/payments/processors/stripe/processor.js";
import { stripeTraits } from "../../../src/payments/processors/stripe/traits.js";
import { startSandbox } from "../../../src/sandbox/server.js";
import { type ProcessorContractSetup, processorContract } from "../../../src/testing/index.js";
import { createSandboxDouble } from "../../support/payments/sandbox-double.js";

const TIMEOUT_MS = 1_000;
const SEARCH_LAG_MS = 300;

/** Stripe's own package against the sandbox that speaks Stripe's form. */
function stripeSetup(multicapture: boolean): ProcessorContractSetup {
  return {
    traits: stripeTraits({ multicapture, searchLagMs: 2 * SEARCH_LAG_MS }),
    timeoutMs: TIMEOUT_MS,
    patienceMs: 5_000,
    paymentMethods: {
      approved: "pm_card_visa",
      insufficientFunds: "pm_card_visa_chargeDeclinedInsufficientFunds",
      declined: "pm_card_visa_chargeDeclined",
      unknown: "pm_card_of_nobody",
      requiresAction: undefined, // the adapter declines what its customer would have to confirm
    },
    cannot: [],
    async open() {
      const dataDir = await mkdtemp(join(tmpdir(), "payonce-stripe-contract-"));
      const listen = { host: "127.0.0.1", port: 0 };
      const sandbox = await startSandbox({
        ...{ listen, stripeListen: listen, dataDir },
        stripeSearchLagMs: SEARCH_LAG_MS,
        stripeMulticapture: multicapture,
      });
      const processor = createStripeProcessor({
        secretKey: "sk_test_ofTheContractSuite",
        apiBase: new URL(`http://${sandbox.stripeAddress}`),
        timeoutMs: TIMEOUT_MS,
        multicapture,
        searchLagMs: 2 * SEARCH_LAG_MS,
      });
      return {
        processor,
        double: createSandboxDouble(sandbox.address),
        async close() {
          processor.close();
          await sandbox.close();
          await rm(dataDir, { recursive: true, force: true, maxRetries: 10 });
        },
      };
    },
  };
}

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

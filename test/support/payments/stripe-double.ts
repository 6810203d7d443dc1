import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Processor } from "../../../src/payments/processor.js";
import { createStripeProcessor } from "../../../src/payments/processors/stripe/processor.js";
import { stripeTraits } from "../../../src/payments/processors/stripe/traits.js";
import { startSandbox } from "../../../src/sandbox/server.js";
import type { ProcessorContractSetup } from "../../../src/testing/index.js";
import { createSandboxDouble } from "./sandbox-double.js";

const TIMEOUT_MS = 1_000;
const SEARCH_LAG_MS = 300;

/** What the suite of processors needs to run Stripe's own package against the sandbox that speaks Stripe's form. */
export function stripeSetup(
  multicapture: boolean,
  /** Puts something between the suite and the adapter. */
  wrap: (processor: Processor) => Processor = (processor) => processor,
): ProcessorContractSetup {
  return {
    traits: stripeTraits({ multicapture, searchLagMs: 2 * SEARCH_LAG_MS }),
    timeoutMs: TIMEOUT_MS,
    patienceMs: 5_000,
    paymentMethods: {
      approved: "pm_card_visa",
      insufficientFunds: "pm_card_visa_chargeDeclinedInsufficientFunds",
      declined: "pm_card_visa_chargeDeclined",
      unknown: "pm_card_of_nobody",
      requiresAction: "pm_card_authenticationRequired",
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
        processor: wrap(processor),
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

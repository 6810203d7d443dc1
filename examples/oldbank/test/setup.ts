import type { ProcessorContractSetup } from "../../../src/testing/index.js";
import { createOldbankProcessor, oldbankTraits } from "../oldbank.js";
import { startOldbank } from "./oldbank-double.js";

const TIMEOUT_MS = 1_000;

/** What the contract suite needs to know. */
export const setup: ProcessorContractSetup = {
  traits: oldbankTraits,
  timeoutMs: TIMEOUT_MS,
  paymentMethods: {
    approved: "card_good",
    insufficientFunds: "card_without_funds",
    declined: "card_refused",
    unknown: "card_of_nobody",
    requiresAction: undefined,
  },
  cannot: ["forget_key"], // it never knows one
  lists: false,
  async open() {
    const double = await startOldbank();
    const processor = createOldbankProcessor({ baseUrl: double.url, timeoutMs: TIMEOUT_MS });
    return { processor, double, close: () => double.close() };
  },
};

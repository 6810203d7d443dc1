import { createKeyWindow, keyWindowOf } from "../../payments/key-window.js";
import type { ContractCase } from "../case.js";
import { must, mustEqual } from "../violation.js";

export const traitCases: readonly ContractCase[] = [
  {
    name: "the adapter declares what the suite is told, and its times are those of an acquirer",
    needs: [],
    async run({ processor, setup: { traits, timeoutMs } }) {
      mustEqual(processor.traits, traits, "the traits");
      must(traits.name !== "", "the acquirer must have a name");
      must(timeoutMs > 0, "timeoutMs accepts a positive number of milliseconds");
      const { keys, lookUp } = traits;
      must(keys === undefined || keys.maxLength > 0, "keys.maxLength accepts a positive number");
      must(
        lookUp === undefined || lookUp.visibleAfterMs >= 0,
        "lookUp.visibleAfterMs accepts 0 or more milliseconds",
      );
      // Throws where nothing of the window is left.
      createKeyWindow({ windowMs: keyWindowOf(processor), longestCallMs: timeoutMs });
    },
  },
];

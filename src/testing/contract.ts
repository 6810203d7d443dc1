import type { ContractCase, Need } from "./case.js";
import { actionCases } from "./cases/actions.js";
import { amountCases } from "./cases/amounts.js";
import { deadlineCases } from "./cases/deadlines.js";
import { declineCases } from "./cases/declines.js";
import { faultCases } from "./cases/faults.js";
import { keyCases } from "./cases/keys.js";
import { listCases } from "./cases/lists.js";
import { lookUpCases } from "./cases/look-ups.js";
import { partCases } from "./cases/parts.js";
import { traitCases } from "./cases/traits.js";
import { withoutKeysCases } from "./cases/without-keys.js";
import { createOperator } from "./operator.js";
import type { ProcessorContractSetup } from "./setup.js";
import { ContractViolation, show } from "./violation.js";

/** One test of the contract, for whatever runs tests. */
export interface ContractTest {
  /** Says so where the test is not run, and why. */
  readonly name: string;
  /** Rejects with ContractViolation where the contract is broken. */
  readonly run: () => Promise<void>;
  /** The reason why it is not run; it passes then without having tested anything. */
  readonly notRun?: string;
}

/** Long enough for a look-up that lags by seconds. */
const DEFAULT_PATIENCE_MS = 10_000;

/**
 * The contract of processors: an adapter that passes charges once, whatever the
 * acquirer and the way to it do. Operations are repeated as the service repeats
 * them, by what the adapter declares.
 *
 * Example: `for (const { name, run } of processorContract(setup)) it(name, run);`
 */
export function processorContract(setup: ProcessorContractSetup): readonly ContractTest[] {
  const cases = [
    ...traitCases,
    ...keyCases,
    ...withoutKeysCases,
    ...faultCases,
    ...deadlineCases,
    ...declineCases,
    ...actionCases,
    ...partCases,
    ...amountCases,
    ...lookUpCases,
    ...listCases,
  ];
  return cases.filter(({ needs }) => concerns(needs, setup)).map((each) => testOf(each, setup));
}

/** Returns false for a case of the other kind of acquirers: with keys, or without. */
function concerns(needs: readonly Need[], { traits }: ProcessorContractSetup): boolean {
  return !needs.includes(traits.keys === undefined ? "keys" : "no keys");
}

function testOf({ name, needs, run }: ContractCase, setup: ProcessorContractSetup): ContractTest {
  const missing = needs.flatMap((need) => whyNot(need, setup) ?? []);
  if (missing.length > 0) {
    const notRun = missing.join(", ");
    return { name: `not run, since ${notRun}: ${name}`, run: async () => {}, notRun };
  }
  return {
    name,
    async run() {
      const { processor, double, close } = await setup.open();
      const { timeoutMs, patienceMs = DEFAULT_PATIENCE_MS } = setup;
      try {
        const operator = createOperator({ processor, timeoutMs, patienceMs });
        await run({ setup, patienceMs, processor, double, operator });
      } catch (error) {
        const problem = error instanceof ContractViolation ? error.message : show(error);
        throw new ContractViolation(`${name}: ${problem}`, { cause: error });
      } finally {
        await close();
      }
    },
  };
}

/** Returns why a need is not met; undefined where it is. */
function whyNot(need: Need, setup: ProcessorContractSetup): string | undefined {
  const { traits, cannot, paymentMethods, patienceMs = DEFAULT_PATIENCE_MS } = setup;
  switch (need) {
    case "keys":
    case "no keys":
      return undefined; // the case is left out
    case "look-up":
      if (traits.lookUp === undefined) {
        return "the adapter declares no look-up";
      }
      return traits.lookUp.visibleAfterMs > patienceMs
        ? "a look-up lags by more than the suite is patient"
        : undefined;
    case "list":
      return setup.lists === false ? "the adapter lists no payments" : undefined;
    case "approved":
    case "insufficientFunds":
    case "declined":
    case "unknown":
    case "requiresAction":
      return paymentMethods[need] === undefined
        ? `the double has no payment method that is ${need}`
        : undefined;
    default:
      return cannot.includes(need) ? `the double cannot ${need}` : undefined;
  }
}

import type { Money } from "../../payments/money.js";
import { approvedPayment, type ContractCase, mustApprove, mustHaveEffects } from "../case.js";

// The last of three decimals is 0: some acquirers take no other.
const amounts: readonly (readonly [string, Money])[] = [
  ["without decimals (JPY)", { currencyCode: "JPY", minorUnits: 1234n }],
  ["with two decimals (EUR)", { currencyCode: "EUR", minorUnits: 1234n }],
  ["with three decimals (KWD)", { currencyCode: "KWD", minorUnits: 12_340n }],
];

/** The money that the acquirer understands is the money that was meant. */
export const amountCases: readonly ContractCase[] = amounts.map(([words, amount]) => ({
  name: `an amount ${words} arrives as the same amount, or is refused before it is sent`,
  needs: [],
  async run(test) {
    if (test.processor.refusalOf?.(amount) !== undefined) {
      return; // the service asks before it sends
    }
    const payment = await approvedPayment(test, { amount });
    await mustApprove(test, payment, "capture");
    await mustApprove(test, payment, "refund");
    await mustHaveEffects(test, payment, [
      { kind: "authorize", amount },
      { kind: "capture", amount },
      { kind: "refund", amount },
    ]);
  },
}));

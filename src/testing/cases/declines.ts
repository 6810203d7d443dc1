import {
  authorizationOf,
  type ContractCase,
  lookUntilFound,
  mustDecline,
  mustHaveEffects,
  paymentOf,
} from "../case.js";
import type { PaymentMethods } from "../setup.js";
import { must, mustEqual, show } from "../violation.js";

const kinds: Record<"insufficientFunds" | "declined" | "unknown", string> = {
  insufficientFunds: "of a card without funds",
  declined: "for no particular reason",
  unknown: "of a payment method that does not exist",
};

/** A decline is an answer, and stays the same. */
export const declineCases: readonly ContractCase[] = [
  ...(["insufficientFunds", "declined", "unknown"] as const).map((method): ContractCase => {
    return {
      name: `a decline ${kinds[method]} is a decision with a code, and has no effect`,
      needs: [method],
      async run(test) {
        const payment = declinedPayment(test, method);
        await mustDecline(test, payment, "create");
        await mustHaveEffects(test, payment, []);
      },
    };
  }),
  {
    name: "a decline comes again as the same decline",
    needs: ["keys", "insufficientFunds"],
    async run(test) {
      const payment = declinedPayment(test, "insufficientFunds");
      const request = authorizationOf(payment);
      const first = await test.processor.authorize(request);
      must(first.kind === "declined", `the first call must be declined, and is ${show(first)}`);
      const next = await test.processor.authorize(request);
      must(next.kind === "declined", `the repetition must be declined, and is ${show(next)}`);
      mustEqual(next.declineCode, first.declineCode, "the code of the repetition");
      await mustHaveEffects(test, payment, []);
    },
  },
  {
    name: "a look-up finds a decline as a decline, or does not find it",
    needs: ["look-up", "insufficientFunds"],
    async run(test) {
      const request = authorizationOf(declinedPayment(test, "insufficientFunds"));
      const first = await test.processor.authorize(request);
      must(first.kind === "declined", `the call must be declined, and is ${show(first)}`);
      const found = await lookUntilFound(test, { ...request, kind: "create" });
      must(
        found === undefined || found.decision.kind === "declined",
        `the look-up must find no approval, and finds ${show(found)}`,
      );
    },
  },
];

function declinedPayment(
  test: Parameters<typeof paymentOf>[0],
  method: keyof PaymentMethods,
): ReturnType<typeof paymentOf> {
  const paymentMethod = test.setup.paymentMethods[method] ?? "";
  return paymentOf(test, { paymentMethod });
}

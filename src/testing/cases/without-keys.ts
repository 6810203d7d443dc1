import { AMOUNT, authorizationOf, type ContractCase, mustHaveEffects, paymentOf } from "../case.js";
import { must, show } from "../violation.js";

/** More look-ups than a case makes. */
const ALL_LOOK_UPS = 10_000;

/** What an acquirer without keys does, and what is therefore never done to it. */
export const withoutKeysCases: readonly ContractCase[] = [
  {
    name: "a call that comes again is a second effect, and the double counts it",
    needs: ["no keys"],
    async run(test) {
      const request = authorizationOf(paymentOf(test));
      await test.processor.authorize(request);
      await test.processor.authorize(request);
      const authorization = { kind: "authorize", amount: AMOUNT } as const;
      await mustHaveEffects(test, request, [authorization, authorization]);
    },
  },
  {
    name: "an effect that no look-up finds is held, and is not sent again",
    needs: ["no keys", "drop_after", "hide_from_look_up"],
    async run(test) {
      const payment = paymentOf(test);
      await test.double.arm([
        { kind: "drop_after" },
        { kind: "hide_from_look_up", times: ALL_LOOK_UPS },
      ]);
      const settled = await test.operator.settle(payment, "create");
      must(settled.kind === "held", `it must be held, and is ${show(settled)}`);
      await mustHaveEffects(test, payment, [{ kind: "authorize", amount: AMOUNT }]);
    },
  },
];

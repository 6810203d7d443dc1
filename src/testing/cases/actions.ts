import type { ProcessorDecision } from "../../payments/processor.js";
import {
  authorizationOf,
  type ContractCase,
  lookUntilFound,
  mustHaveEffects,
  paymentOf,
} from "../case.js";
import { must, mustEqual, show } from "../violation.js";

/** A payment that waits for its customer is neither approved nor declined. */
export const actionCases: readonly ContractCase[] = [
  {
    name: "a payment whose customer has to act says so and says how, and has no effect",
    needs: ["requiresAction"],
    async run(test) {
      const payment = waitingPayment(test);
      const settled = await test.operator.settle(payment, "create");
      must(settled.kind === "decided", `it must be decided, and is ${show(settled)}`);
      mustWait(settled.decision, "the authorization");
      await mustHaveEffects(test, payment, []);
    },
  },
  {
    name: "a call whose customer has to act gets the same answer again",
    needs: ["keys", "requiresAction"],
    async run(test) {
      const request = authorizationOf(waitingPayment(test));
      const first = await test.processor.authorize(request);
      mustWait(first, "the first call");
      const next = await test.processor.authorize(request);
      mustWait(next, "the repetition");
      mustEqual(next.reference, first.reference, "the reference that a repetition gets");
      await mustHaveEffects(test, request, []);
    },
  },
  {
    name: "a look-up finds a payment whose customer has to act as one that waits",
    needs: ["look-up", "requiresAction"],
    async run(test) {
      const request = authorizationOf(waitingPayment(test));
      mustWait(await test.processor.authorize(request), "the authorization");
      const found = await lookUntilFound(test, { ...request, kind: "create" });
      must(found !== undefined, "the look-up must find it");
      mustWait(found.decision, "what the look-up finds");
    },
  },
];

function waitingPayment(test: Parameters<typeof paymentOf>[0]): ReturnType<typeof paymentOf> {
  return paymentOf(test, { paymentMethod: test.setup.paymentMethods.requiresAction ?? "" });
}

function mustWait(
  decision: ProcessorDecision,
  what: string,
): asserts decision is Extract<ProcessorDecision, { kind: "requires_action" }> {
  must(
    decision.kind === "requires_action",
    `${what} must be requires_action, and is ${decision.kind}`,
  );
  const { redirectUrl, clientSecret } = decision.nextAction;
  must(
    redirectUrl !== undefined || clientSecret !== undefined,
    `${what} must say what the customer has to do`,
  );
}

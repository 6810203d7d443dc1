import type { Money } from "../../payments/money.js";
import type { OperationKind } from "../../payments/operation.js";
import type { Processor, ProcessorDecision } from "../../payments/processor.js";
import {
  AMOUNT,
  approvedPayment,
  authorizationOf,
  type CaseUnderTest,
  type ContractCase,
  lookUntilFound,
  mustHaveEffects,
  paymentOf,
} from "../case.js";
import { newKey, newPaymentId } from "../operator.js";
import { must, mustEqual, show } from "../violation.js";

/** A look-up by the names that were sent. */
export const lookUpCases: readonly ContractCase[] = [
  {
    name: "a look-up finds each kind of effect, for its amount, in the time that is declared",
    needs: ["look-up"],
    async run(test) {
      const payment = paymentOf(test);
      const authorization = authorizationOf(payment);
      const { processor } = test;
      const first = await processor.authorize(authorization);
      const names = { ...authorization, ...authorizedBy(first) };
      await mustFind(test, "create", authorization, first);

      const capture = { ...names, processorKey: newKey() };
      await mustFind(test, "capture", capture, await processor.capture(capture));
      const refund = { ...names, processorKey: newKey() };
      await mustFind(test, "refund", refund, await processor.refund(refund));

      const other = await approvedPayment(test);
      const reference = other.reference === undefined ? {} : { authorization: other.reference };
      const { tenant, paymentId } = other;
      const cancel = { tenant, paymentId, processorKey: newKey(), ...reference };
      await mustFind(test, "cancel", cancel, await processor.void(cancel));
    },
  },
  {
    name: "a look-up finds nothing for names that were never sent, nor for another kind or key",
    needs: ["look-up"],
    async run(test) {
      const { processor } = test;
      const never = { tenant: "contract", paymentId: newPaymentId(), processorKey: newKey() };
      for (const kind of ["create", "capture", "cancel", "refund"] as const) {
        const found = await processor.lookUp({ ...never, kind });
        mustEqual(found, undefined, `the look-up of a ${kind} that was never sent`);
      }
      const payment = await approvedPayment(test);
      await lookAway(test);
      const { tenant, paymentId } = payment;
      const capture = { tenant, paymentId, processorKey: newKey() };
      const found = await processor.lookUp({ ...capture, kind: "capture" });
      mustEqual(found, undefined, "the look-up of a capture on an authorized payment");
      await mustHaveEffects(test, payment, [{ kind: "authorize", amount: AMOUNT }]);
    },
  },
];

/** Waits until all that was sent is visible. */
async function lookAway(test: CaseUnderTest): Promise<void> {
  const never = { tenant: "contract", paymentId: newPaymentId(), processorKey: newKey() };
  await lookUntilFound(test, { ...never, kind: "create" });
}

function authorizedBy(decision: ProcessorDecision): { readonly authorization?: string } {
  return decision.kind === "approved" && decision.reference !== undefined
    ? { authorization: decision.reference }
    : {};
}

async function mustFind(
  test: CaseUnderTest,
  kind: OperationKind,
  request: Omit<Parameters<Processor["lookUp"]>[0], "kind">,
  decision: ProcessorDecision,
): Promise<void> {
  must(decision.kind === "approved", `the ${kind} must be approved, and is ${show(decision)}`);
  const { tenant, paymentId, processorKey, authorization } = request;
  const reference = authorization === undefined ? {} : { authorization };
  const names = { tenant, paymentId, processorKey, ...reference };
  const found = await lookUntilFound(test, { ...names, kind });
  must(
    found?.decision.kind === "approved",
    `the look-up of the ${kind} must find it approved, and finds ${show(found)}`,
  );
  if (decision.reference !== undefined) {
    mustEqual(found.decision.reference, decision.reference, `the reference of the ${kind}`);
  }
  if (found.amount !== undefined) {
    mustEqual(plain(found.amount), plain(AMOUNT), `the amount of the ${kind}`);
  }
}

function plain({ currencyCode, minorUnits }: Money): Money {
  return { currencyCode, minorUnits };
}

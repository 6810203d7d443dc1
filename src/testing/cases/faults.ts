import type { OperationKind } from "../../payments/operation.js";
import type { ProcessorTraits } from "../../payments/processor.js";
import {
  AMOUNT,
  approvedPayment,
  type CaseUnderTest,
  type ContractCase,
  mustHaveEffects,
  paymentOf,
} from "../case.js";
import type { Settled, TestPayment } from "../operator.js";
import type { DoubleEffect, ProcessorFault } from "../setup.js";
import { must, show } from "../violation.js";

type OutcomeFault = Extract<
  ProcessorFault,
  { kind: "drop_before" | "drop_after" | "error_before" | "error_after" }
>;

const faults: readonly OutcomeFault[] = [
  { kind: "drop_before" },
  { kind: "drop_after" },
  { kind: "error_before", status: 409 },
  { kind: "error_before", status: 429 },
  { kind: "error_before", status: 500 },
  { kind: "error_before", status: 503 },
  { kind: "error_after", status: 500 },
  { kind: "error_after", status: 503 },
];

/** The effects that payments have before an operation, and the one of its own. */
const operations: Record<
  OperationKind,
  { readonly word: string; readonly before: readonly DoubleEffect[]; readonly own: DoubleEffect }
> = {
  create: { word: "an authorization", before: [], own: { kind: "authorize", amount: AMOUNT } },
  capture: {
    word: "a capture",
    before: [{ kind: "authorize", amount: AMOUNT }],
    own: { kind: "capture", amount: AMOUNT },
  },
  cancel: {
    word: "a void",
    before: [{ kind: "authorize", amount: AMOUNT }],
    own: { kind: "void" },
  },
  refund: {
    word: "a refund",
    before: [{ kind: "charge", amount: AMOUNT }],
    own: { kind: "refund", amount: AMOUNT },
  },
};

/** An answer that says nothing of the outcome: it is found out, or held, and never a second effect. */
export const faultCases: readonly ContractCase[] = [
  ...faults.map((fault) => faultCase("create", fault)),
  ...(["capture", "cancel", "refund"] as const).flatMap((kind) => [
    faultCase(kind, { kind: "drop_before" }),
    faultCase(kind, { kind: "drop_after" }),
  ]),
];

function faultCase(kind: OperationKind, fault: OutcomeFault): ContractCase {
  const { word, before, own } = operations[kind];
  return {
    name: `${word} with ${wordsOf(fault)} is neither declined nor made twice`,
    needs: [fault.kind],
    async run(test) {
      const payment = await paymentFor(test, kind);
      await test.double.arm([fault]);
      const settled = await test.operator.settle(payment, kind);
      const isMade = check(test.setup.traits, fault, settled);
      const effects = await test.double.effectsOf(payment);
      const hasOwn = isMade ?? effects.length > before.length;
      await mustHaveEffects(test, payment, hasOwn ? [...before, own] : before);
    },
  };
}

async function paymentFor(test: CaseUnderTest, kind: OperationKind): Promise<TestPayment> {
  switch (kind) {
    case "create":
      return paymentOf(test);
    case "capture":
    case "cancel":
      return approvedPayment(test);
    case "refund":
      return approvedPayment(test, { capture: true });
  }
}

function wordsOf(fault: OutcomeFault): string {
  const when = fault.kind.endsWith("_after") ? "after" : "before";
  const what = "status" in fault ? `status ${fault.status}` : "a dropped connection";
  return `${what} ${when} the effect`;
}

/** @returns whether the effect must be there; undefined where it may. */
function check(
  traits: ProcessorTraits,
  fault: OutcomeFault,
  settled: Settled,
): boolean | undefined {
  const isAfter = fault.kind.endsWith("_after");
  const isKept = traits.keys?.keepsErrors === "all" && "status" in fault && fault.status >= 500;
  const isFindable = isAfter && traits.lookUp !== undefined;
  const isRepeatable = traits.keys !== undefined && !isKept;
  if (isFindable || isRepeatable) {
    must(
      settled.kind === "decided" && settled.decision.kind === "approved",
      `it must be approved in the end, and is ${show(settled)}`,
    );
    return true;
  }
  if (settled.kind === "decided" && isKept && !isAfter) {
    // An error before anything began may be none that is kept.
    must(settled.decision.kind === "approved", `it must not be declined: ${show(settled)}`);
    return true;
  }
  must(settled.kind !== "decided", `nobody can know its outcome, and it is ${show(settled)}`);
  if (traits.keys === undefined) {
    must(settled.kind === "held", `it must be held, and is ${show(settled)}`);
    return isAfter;
  }
  return isAfter ? true : undefined;
}

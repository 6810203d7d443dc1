import { randomBytes } from "node:crypto";
import type { OperationKind } from "../../src/payments/operation.js";
import {
  type Processor,
  type ProcessorDecision,
  ProcessorRefused,
} from "../../src/payments/processor.js";

/** One thing that Stripe is asked, and what it must answer, in words. */
export interface Step {
  readonly name: string;
  readonly expected: string;
  readonly run: (processor: Processor) => Promise<string>;
}

const amount = (minorUnits: bigint) => ({ currencyCode: "USD", minorUnits });

/** The steps of one run; its names are of this run alone, so that nothing is a replay of an earlier one. */
export function createSteps(): readonly Step[] {
  const run = randomBytes(6).toString("hex");
  const intents = new Map<string, string>();

  function request(payment: string, what: string) {
    const authorization = what === "create" ? undefined : intents.get(payment);
    return {
      processorKey: `pk_${run}_${payment}_${what}`,
      tenant: "live-check",
      paymentId: `pay_${run}_${payment}`,
      ...(authorization === undefined ? {} : { authorization }),
    };
  }

  async function authorize(processor: Processor, payment: string, terms: Partial<Terms> = {}) {
    const { method = "pm_card_visa", minorUnits = 1_000n, capture = false } = terms;
    const decision = await processor.authorize({
      ...request(payment, "create"),
      amount: amount(minorUnits),
      paymentMethod: method,
      capture,
    });
    if (decision.kind === "approved" && decision.reference !== undefined) {
      const earlier = intents.get(payment);
      intents.set(payment, decision.reference);
      return earlier === decision.reference ? "the same intent" : textOf(decision);
    }
    return textOf(decision);
  }

  const create = (payment: string, expected: string, terms?: Partial<Terms>): Step => ({
    name: `authorize ${terms?.method ?? "pm_card_visa"}`,
    expected,
    run: (processor) => authorize(processor, payment, terms),
  });
  const capture = (what: string, minorUnits: bigint, expected: string): Step => ({
    name: `capture ${minorUnits} of 1000`,
    expected,
    run: async (processor) =>
      textOf(await processor.capture({ ...request("one", what), amount: amount(minorUnits) })),
  });
  const lookUp = (payment: string, kind: OperationKind, expected: string): Step => ({
    name: `look up that ${kind}`,
    expected,
    run: async (processor) => {
      const effect = await processor.lookUp({ ...request(payment, kind), kind });
      return effect === undefined
        ? "nothing"
        : [textOf(effect.decision), effect.amount?.minorUnits].filter(Boolean).join(" ");
    },
  });

  return [
    create("one", "approved"),
    { ...create("one", "the same intent"), name: "the same call again" },
    {
      ...create("one", "refused: key_reused", { minorUnits: 1_001n }),
      name: "its key with another amount",
    },
    lookUp("one", "create", "approved 1000"),
    capture("capture", 400n, "approved"),
    lookUp("one", "capture", "approved 400"),
    capture("rest", 600n, "declined: payment_intent_unexpected_state"),
    {
      name: "refund 100 of 400",
      expected: "approved",
      run: async (processor) =>
        textOf(await processor.refund({ ...request("one", "refund"), amount: amount(100n) })),
    },
    lookUp("one", "refund", "approved 100"),
    { ...create("two", "approved"), name: "authorize once more" },
    {
      name: "cancel it",
      expected: "approved",
      run: async (processor) => textOf(await processor.void(request("two", "cancel"))),
    },
    lookUp("two", "cancel", "approved"),
    create("three", "approved", { method: "tok_visa", capture: true }),
    create("four", "declined: insufficient_funds", {
      method: "pm_card_visa_chargeDeclinedInsufficientFunds",
    }),
    create("five", "requires_action", {
      method: "pm_card_authenticationRequired",
    }),
    create("six", "refused: invalid", { method: "pm_no_such_method" }),
  ];
}

interface Terms {
  readonly method: string;
  readonly minorUnits: bigint;
  readonly capture: boolean;
}

function textOf(decision: ProcessorDecision): string {
  return decision.kind === "declined" ? `declined: ${decision.declineCode}` : decision.kind;
}

/** Runs a step and returns what came of it in the same words. */
export async function outcomeOf(step: Step, processor: Processor): Promise<string> {
  try {
    return await step.run(processor);
  } catch (error) {
    if (error instanceof ProcessorRefused) {
      return `refused: ${error.refusal}`;
    }
    return `unknown: ${error instanceof Error ? error.message : String(error)}`;
  }
}

import type Stripe from "stripe";
import type { LookUpRequest, ProcessorEffect } from "../../processor.js";
import type { Round } from "./api.js";
import { fromStripe } from "./currencies.js";
import { evidenceOfIntent } from "./evidence.js";
import {
  decisionOfIntent,
  decisionOfRefund,
  endOf,
  type FindOptions,
  findIntent,
} from "./intents.js";
import { capturedUnits, namedUnits } from "./metadata.js";

/** Refunds of one payment that are looked through: more than anybody makes. */
const MOST_REFUND_PAGES = 10;

const PAGE = 100;

/** Looks up what became of an effect, by the intent of its payment and our names that it has. */
export async function lookUpEffect(
  round: Round,
  request: LookUpRequest,
  options: FindOptions,
): Promise<ProcessorEffect | undefined> {
  const intent = await intentOf(round, request, options);
  if (intent === undefined) {
    return undefined;
  }
  switch (request.kind) {
    case "create":
      return isOf(intent, request) ? authorizationOf(intent) : undefined;
    case "capture": {
      const units = capturedUnits(intent.metadata, request.processorKey);
      if (units === undefined) {
        return undefined;
      }
      // The entry of a capture that failed might stay: then one that is named was not made.
      if (namedUnits(intent.metadata) > intent.amount_received) {
        throw new Error("Stripe has not captured all that the intent names");
      }
      return { decision: approved(intent), amount: fromStripe(units, intent.currency) };
    }
    case "cancel":
      // There is one cancellation of an intent at most, and nothing to tell by whose word.
      return intent.status === "canceled" ? { decision: approved(intent) } : undefined;
    case "refund":
      return lookUpRefund(round, request, intent);
  }
}

/** By its key, or by the reference alone where the key is not known. */
function isOf(
  { id, metadata }: Stripe.PaymentIntent,
  { processorKey, authorization }: LookUpRequest,
): boolean {
  return processorKey === "" ? id === authorization : metadata.payonce_key === processorKey;
}

function authorizationOf(intent: Stripe.PaymentIntent): ProcessorEffect {
  const decision = decisionOfIntent(intent);
  const endedBy = decision.kind === "approved" ? endOf(intent) : undefined;
  return {
    decision,
    amount: fromStripe(intent.amount, intent.currency),
    ...(endedBy === undefined ? {} : { endedBy }),
    // Who has the intent's secret may try another card.
    ...(decision.kind === "declined" && intent.status !== "canceled" ? { isOpen: true } : {}),
  };
}

async function intentOf(
  round: Round,
  request: LookUpRequest,
  find: FindOptions,
): Promise<Stripe.PaymentIntent | undefined> {
  const { authorization: id } = request;
  return id === undefined
    ? findIntent(round, request, find)
    : round.call((stripe, options) =>
        stripe.paymentIntents.retrieve(id, { expand: ["latest_charge"] }, options),
      );
}

async function lookUpRefund(
  round: Round,
  { processorKey }: LookUpRequest,
  intent: Stripe.PaymentIntent,
): Promise<ProcessorEffect | undefined> {
  let after: string | undefined;
  for (let page = 0; page < MOST_REFUND_PAGES; page++) {
    const { data, has_more: hasMore } = await round.call((stripe, options) =>
      stripe.refunds.list(
        {
          payment_intent: intent.id,
          limit: PAGE,
          ...(after === undefined ? {} : { starting_after: after }),
        },
        options,
      ),
    );
    const refund = data.find(({ metadata }) => metadata?.payonce_key === processorKey);
    if (refund !== undefined) {
      return {
        decision: decisionOfRefund(refund),
        amount: fromStripe(refund.amount, refund.currency),
      };
    }
    if (!hasMore) {
      return undefined;
    }
    after = data.at(-1)?.id;
  }
  throw new Error(`the payment has more than ${MOST_REFUND_PAGES * PAGE} refunds`);
}

function approved(intent: Stripe.PaymentIntent) {
  return {
    kind: "approved",
    reference: intent.id,
    evidence: evidenceOfIntent(intent, undefined),
  } as const;
}

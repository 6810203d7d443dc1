import type Stripe from "stripe";
import type { Evidence } from "../../processor.js";
import type { FailureFacts } from "./failure.js";

/** Stripe's names are far shorter; what is longer is none. */
const LONGEST = 80;

/** Returns the evidence of an intent that Stripe has answered with: names and codes, nothing of the card. */
export function evidenceOfIntent(
  intent: Stripe.PaymentIntent,
  requestId: string | undefined,
): Evidence {
  const { latest_charge: charge } = intent;
  const outcome = typeof charge === "object" ? charge?.outcome : undefined;
  return evidence({
    payment_intent: intent.id,
    charge: typeof charge === "object" ? charge?.id : charge,
    request: requestId,
    outcome: outcome?.type,
    network_decline_code: outcome?.network_decline_code,
    network_advice_code: outcome?.network_advice_code,
    advice_code: outcome?.advice_code,
  });
}

export function evidenceOfRefund(refund: Stripe.Refund, requestId: string | undefined): Evidence {
  const { payment_intent: intent, charge } = refund;
  return evidence({
    refund: refund.id,
    payment_intent: typeof intent === "object" ? intent?.id : intent,
    charge: typeof charge === "object" ? charge?.id : charge,
    request: requestId,
    outcome: refund.status,
  });
}

export function evidenceOfFailure(facts: FailureFacts): Evidence {
  return evidence({
    payment_intent: facts.paymentIntent,
    charge: facts.charge,
    request: facts.requestId,
    outcome: facts.type,
    code: facts.code,
    network_decline_code: facts.networkDeclineCode,
    network_advice_code: facts.networkAdviceCode,
    advice_code: facts.adviceCode,
  });
}

function evidence(fields: Readonly<Record<string, string | null | undefined>>): Evidence {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      typeof value === "string" && value !== "" ? [[name, value.slice(0, LONGEST)]] : [],
    ),
  );
}

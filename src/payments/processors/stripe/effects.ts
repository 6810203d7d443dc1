import type Stripe from "stripe";
import type { AuthorizeRequest, CaptureRequest, RefundRequest } from "../../processor.js";
import { toStripe } from "./currencies.js";
import { captureEntry, namesOf } from "./metadata.js";

// What is sent under a key must stay the same for as long as Stripe remembers it, from one build
// to the next: it refuses a key that comes again with other parameters.

export interface EffectOptions {
  /** The account captures one authorization in parts. */
  readonly multicapture: boolean;
  /** Where a customer comes back to who was sent to a bank's page. */
  readonly returnUrl?: URL | undefined;
}

/**
 * Cards only: they are decided within the call, where other methods answer `processing` and need
 * days. A card that needs its customer is answered with a page to send the customer to, where one
 * is known to come back to, else with a secret for Stripe's own library on the customer's side.
 */
export function authorizeParams(
  request: AuthorizeRequest,
  { multicapture, returnUrl }: EffectOptions,
): Stripe.PaymentIntentCreateParams {
  return {
    amount: toStripe(request.amount),
    currency: request.amount.currencyCode.toLowerCase(),
    confirm: true,
    capture_method: request.capture ? "automatic" : "manual",
    allowed_payment_method_types: ["card"],
    ...methodParams(request.paymentMethod),
    ...(returnUrl === undefined ? {} : { return_url: returnUrl.href }),
    metadata: namesOf(request),
    expand: ["latest_charge"],
    ...(multicapture && !request.capture
      ? { payment_method_options: { card: { request_multicapture: "if_available" } } }
      : {}),
  };
}

/**
 * `tok_visa` and other tokens are of an API before payment methods, and are wrapped into one:
 * docs.stripe.com/api/payment_methods/create, `card`. Everything else is a payment method's id.
 */
function methodParams(paymentMethod: string) {
  return paymentMethod.startsWith("tok_")
    ? { payment_method_data: { type: "card" as const, card: { token: paymentMethod } } }
    : { payment_method: paymentMethod };
}

export function captureParams(
  request: CaptureRequest,
  { multicapture }: EffectOptions,
): Stripe.PaymentIntentCaptureParams {
  const units = toStripe(request.amount);
  return {
    amount_to_capture: units,
    metadata: captureEntry(request.processorKey, units),
    ...(multicapture ? { final_capture: false } : {}),
  };
}

export function refundParams(request: RefundRequest, intent: string): Stripe.RefundCreateParams {
  return {
    payment_intent: intent,
    amount: toStripe(request.amount),
    metadata: namesOf(request),
  };
}

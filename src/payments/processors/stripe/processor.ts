import type { Processor } from "../../processor.js";
import { createStripeApi } from "./api.js";
import { checkStripe } from "./check.js";
import { refusalOf } from "./currencies.js";
import { createDeciding } from "./deciding.js";
import { authorizeParams, captureParams, refundParams } from "./effects.js";
import { decisionOfIntent, decisionOfRefund } from "./intents.js";
import { listIntents } from "./list.js";
import { lookUpEffect } from "./look-up.js";
import { stripeTraits } from "./traits.js";
import { readStripeWebhook } from "./webhook.js";

export const STRIPE_API_BASE = "https://api.stripe.com";

/** docs.stripe.com/search#data-freshness: within a minute, in an outage later; an hour is ample. */
const SEARCH_LAG_MS = 3_600_000;

export interface StripeProcessorOptions {
  /** A secret or restricted key: `sk_...` or `rk_...`. Nothing that this processor throws repeats it. */
  readonly secretKey: string;
  /** Where Stripe's API is. Default: at Stripe. */
  readonly apiBase?: URL;
  /** The longest time for which one call may take. Milliseconds. */
  readonly timeoutMs: number;
  /** The account captures one authorization in parts (multicapture). Default: false. */
  readonly multicapture?: boolean;
  /** Where a customer comes back to who had to agree on a bank's page. Default: Stripe's own library takes care of it. */
  readonly returnUrl?: URL | undefined;
  /** The longest time for which Stripe's search may miss what there is. Milliseconds; default: an hour. */
  readonly searchLagMs?: number;
  /** What Stripe signs its webhooks with: `whsec_...`. Absent: none are expected. */
  readonly webhookSecret?: string;
  /** The wall clock. Milliseconds since the epoch. */
  readonly nowMs?: () => number;
}

/** Creates the processor that charges cards through Stripe's PaymentIntents. See docs/stripe.md. */
export function createStripeProcessor({
  secretKey,
  apiBase = new URL(STRIPE_API_BASE),
  timeoutMs,
  multicapture = false,
  returnUrl,
  searchLagMs = SEARCH_LAG_MS,
  webhookSecret,
  nowMs = Date.now,
}: StripeProcessorOptions): Processor &
  Required<Pick<Processor, "listPayments" | "check" | "close">> {
  const api = createStripeApi({ secretKey, apiBase, timeoutMs });
  const find = { nowMs, searchLagMs };
  const decide = createDeciding({ api, find });
  const account = { multicapture, returnUrl };

  return {
    traits: stripeTraits({ multicapture, searchLagMs }),
    refusalOf,
    authorize: (request) =>
      decide({ kind: "create", request }, async (round) => {
        const params = authorizeParams(request, account);
        const intent = await round.call(
          (stripe, options) => stripe.paymentIntents.create(params, options),
          request.processorKey,
        );
        return decisionOfIntent(intent, intent.lastResponse.requestId);
      }),
    capture: (request) =>
      decide({ kind: "capture", request }, async (round, id) => {
        const params = captureParams(request, account);
        const intent = await round.call(
          (stripe, options) => stripe.paymentIntents.capture(id, params, options),
          request.processorKey,
        );
        return decisionOfIntent(intent, intent.lastResponse.requestId);
      }),
    void: (request) =>
      decide({ kind: "cancel", request }, async (round, id) => {
        const { status, lastResponse } = await round.call(
          (stripe, options) => stripe.paymentIntents.cancel(id, {}, options),
          request.processorKey,
        );
        if (status !== "canceled") {
          throw new Error(`Stripe has not decided: the intent is ${status}`);
        }
        const evidence = { payment_intent: id, request: lastResponse.requestId };
        return { kind: "approved", reference: id, evidence };
      }),
    refund: (request) =>
      decide({ kind: "refund", request }, async (round, id) => {
        const params = refundParams(request, id);
        const refund = await round.call(
          (stripe, options) => stripe.refunds.create(params, options),
          request.processorKey,
        );
        return decisionOfRefund(refund, refund.lastResponse.requestId);
      }),
    lookUp: (request) => lookUpEffect(api.begin(), request, find),
    listPayments: (created) => listIntents(api, created),
    ...(webhookSecret === undefined
      ? {}
      : { readWebhook: (webhook) => readStripeWebhook(webhook, webhookSecret) }),
    check: () => checkStripe(api, apiBase),
    close: () => api.close(),
  };
}

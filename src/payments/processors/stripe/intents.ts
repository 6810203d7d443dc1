import type Stripe from "stripe";
import type { NextAction } from "../../payment.js";
import type { ProcessorDecision, ProcessorRequest } from "../../processor.js";
import type { Round } from "./api.js";
import { declineCodeOf } from "./errors.js";
import { evidenceOfIntent, evidenceOfRefund } from "./evidence.js";
import { isOfPayment } from "./metadata.js";

/**
 * The decision that an intent stands for, as an authorization.
 * @throws Error where Stripe has not decided.
 */
export function decisionOfIntent(
  intent: Stripe.PaymentIntent,
  requestId?: string,
): ProcessorDecision {
  assertIs(intent, "payment_intent");
  const approved = {
    kind: "approved",
    reference: intent.id,
    evidence: evidenceOfIntent(intent, requestId),
  } as const;
  const declined = (declineCode: string) =>
    ({ kind: "declined", declineCode, evidence: approved.evidence }) as const;
  switch (intent.status) {
    case "requires_capture":
    case "succeeded": {
      const expireTime = expireTimeOf(intent);
      return expireTime === undefined ? approved : { ...approved, expireTime };
    }
    case "requires_action": {
      const nextAction = nextActionOf(intent);
      if (nextAction !== undefined) {
        return { ...approved, kind: "requires_action", nextAction };
      }
      break;
    }
    case "canceled": {
      // It was authorized before, unless there is no charge that succeeded.
      const { latest_charge: charge } = intent;
      const isAuthorized = charge !== null && typeof charge === "object" && charge.paid;
      return isAuthorized ? approved : declined(declineOf(intent) ?? "canceled");
    }
    case "requires_payment_method": {
      const code = declineOf(intent);
      if (code !== undefined) {
        return declined(code);
      }
    }
  }
  // `processing` is none of cards.
  throw new Error(`Stripe has not decided: the intent is ${intent.status}`);
}

/** Stripe's own library takes the secret, where there is no page to send the customer to. */
function nextActionOf({
  next_action: action,
  client_secret: clientSecret,
}: Stripe.PaymentIntent): NextAction | undefined {
  const redirectUrl = action?.redirect_to_url?.url ?? undefined;
  if (redirectUrl !== undefined) {
    return { redirectUrl };
  }
  return typeof clientSecret === "string" ? { clientSecret } : undefined;
}

/** docs.stripe.com/payments/place-a-hold-on-a-payment-method: `capture_before`, in seconds. */
function expireTimeOf({ status, latest_charge: charge }: Stripe.PaymentIntent): Date | undefined {
  const card = typeof charge === "object" ? charge?.payment_method_details?.card : undefined;
  const seconds = card?.capture_before;
  return status === "requires_capture" && seconds !== undefined
    ? new Date(seconds * 1_000)
    : undefined;
}

/** Why an authorization has ended without a capture, as a code; undefined while it goes on. */
export function endOf(intent: Stripe.PaymentIntent): string | undefined {
  if (intent.status !== "canceled") {
    return undefined;
  }
  // docs.stripe.com/api/payment_intents/object: `automatic` is Stripe's own doing.
  const { cancellation_reason: reason } = intent;
  return reason === "automatic" || reason === "expired"
    ? "authorization_expired"
    : (reason ?? "canceled_at_stripe");
}

function declineOf({ last_payment_error: error }: Stripe.PaymentIntent): string | undefined {
  if (error === null) {
    return undefined;
  }
  return declineCodeOf({
    ...(error.code === undefined ? {} : { code: error.code }),
    ...(error.decline_code === undefined ? {} : { declineCode: error.decline_code }),
  });
}

/** The decision that a refund stands for. @throws Error where Stripe has not decided. */
export function decisionOfRefund(refund: Stripe.Refund, requestId?: string): ProcessorDecision {
  assertIs(refund, "refund");
  const evidence = evidenceOfRefund(refund, requestId);
  switch (refund.status) {
    case "succeeded":
    case "pending": // accepted, and on its way to the bank
      return { kind: "approved", reference: refund.id, evidence };
    case "failed":
    case "canceled":
      return { kind: "declined", declineCode: refund.failure_reason ?? refund.status, evidence };
    default:
      throw new Error(`Stripe has not decided: the refund is ${refund.status}`);
  }
}

/** @throws Error where an answer is not what was asked for: the package believes any JSON. */
function assertIs(answer: { readonly object?: string; readonly id?: string }, what: string): void {
  if (answer.object !== what || typeof answer.id !== "string") {
    throw new Error(`Stripe has not decided: its answer is no ${what}`);
  }
}

export interface FindOptions {
  /** The wall clock. Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** The longest time for which the search may miss what there is. Milliseconds. */
  readonly searchLagMs: number;
}

/** Clocks that are set wrongly by less than this find the same. */
const CLOCK_MARGIN_MS = 600_000;

const PAGE = 100;

/** So many pages fit into the time of one call, and leave Stripe's rate limit to payments. */
const MOST_PAGES = 5;

/**
 * Finds the intent of a payment by our names for it: among the newest by their list, which has
 * every intent at once, and else by the search, which lags.
 */
export async function findIntent(
  round: Round,
  request: ProcessorRequest,
  { nowMs, searchLagMs }: FindOptions,
): Promise<Stripe.PaymentIntent | undefined> {
  const since = Math.floor((nowMs() - searchLagMs - CLOCK_MARGIN_MS) / 1_000);
  let after: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { data, has_more: hasMore } = await round.call((stripe, options) =>
      stripe.paymentIntents.list(
        {
          limit: PAGE,
          created: { gte: since },
          expand: ["data.latest_charge"],
          ...(after === undefined ? {} : { starting_after: after }),
        },
        options,
      ),
    );
    const found = data.find(({ metadata }) => isOfPayment(metadata, request));
    if (found !== undefined || !hasMore) {
      return found ?? searchIntent(round, request);
    }
    after = data.at(-1)?.id;
  }
  return searchIntent(round, request);
}

async function searchIntent(
  round: Round,
  request: ProcessorRequest,
): Promise<Stripe.PaymentIntent | undefined> {
  const query = `metadata['payonce_payment_id']:'${escaped(request.paymentId)}'`;
  const { data } = await round.call((stripe, options) =>
    stripe.paymentIntents.search({ query, expand: ["data.latest_charge"] }, options),
  );
  return data.find(({ metadata }) => isOfPayment(metadata, request));
}

function escaped(text: string): string {
  return text.replaceAll(/['\\]/g, "\\$&");
}

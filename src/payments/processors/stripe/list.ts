import type Stripe from "stripe";
import type { ListedPayment, TimeSpan } from "../../processor.js";
import type { StripeApi } from "./api.js";
import { fromStripe } from "./currencies.js";

const PAGE = 100;

/** Lists the intents of a span of time whose authorization was approved, ours and others', newest first. */
export async function* listIntents(
  api: StripeApi,
  { since, until }: TimeSpan,
): AsyncGenerator<ListedPayment> {
  const created = { gte: Math.floor(+since / 1_000), lt: Math.ceil(+until / 1_000) };
  let after: string | undefined;
  for (;;) {
    const { data, has_more: hasMore } = await api.begin().call((stripe, options) =>
      stripe.paymentIntents.list(
        {
          limit: PAGE,
          created,
          expand: ["data.latest_charge"],
          ...(after === undefined ? {} : { starting_after: after }),
        },
        options,
      ),
    );
    for (const intent of data) {
      const { latest_charge: charge } = intent;
      if (charge !== null && typeof charge === "object" && charge.paid) {
        yield await listedPayment(api, intent, charge);
      }
    }
    after = data.at(-1)?.id;
    if (!hasMore || after === undefined) {
      return;
    }
  }
}

async function listedPayment(
  api: StripeApi,
  intent: Stripe.PaymentIntent,
  charge: Stripe.Charge,
): Promise<ListedPayment> {
  const { payonce_payment_id: paymentId } = intent.metadata;
  const minorUnits = (units: number) => fromStripe(units, intent.currency).minorUnits;
  return {
    reference: intent.id,
    ...(paymentId === undefined ? {} : { paymentId }),
    currencyCode: intent.currency.toUpperCase(),
    authorized: minorUnits(intent.amount),
    captured: minorUnits(intent.amount_received),
    refunded: minorUnits(await refundedUnits(api, intent, charge)),
    isCanceled: intent.status === "canceled" && intent.amount_received === 0,
    createTime: new Date(intent.created * 1_000),
  };
}

/**
 * The units that were refunded of what was captured. The charge counts what an authorization gave
 * up as refunded too, so its sum says it only where all was captured.
 */
async function refundedUnits(
  api: StripeApi,
  intent: Stripe.PaymentIntent,
  charge: Stripe.Charge,
): Promise<number> {
  if (intent.amount_received === 0 || charge.amount_refunded === 0) {
    return 0;
  }
  return intent.amount_received === intent.amount
    ? charge.amount_refunded
    : sumOfRefunds(api, intent.id);
}

/** What is given up moves no money, so that it has no transaction; ours are known by their key. */
async function sumOfRefunds(api: StripeApi, id: string): Promise<number> {
  let sum = 0;
  let after: string | undefined;
  for (;;) {
    const { data, has_more: hasMore } = await api.begin().call((stripe, options) =>
      stripe.refunds.list(
        {
          payment_intent: id,
          limit: PAGE,
          ...(after === undefined ? {} : { starting_after: after }),
        },
        options,
      ),
    );
    for (const { status, amount, metadata, balance_transaction: transaction } of data) {
      const isDone = status !== "failed" && status !== "canceled";
      const isRefund = metadata?.payonce_key !== undefined || transaction !== null;
      sum += isDone && isRefund ? amount : 0;
    }
    after = data.at(-1)?.id;
    if (!hasMore || after === undefined) {
      return sum;
    }
  }
}

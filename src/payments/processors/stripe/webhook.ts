import { type PaymentNames, type Webhook, WebhookRefused } from "../../processor.js";

/**
 * Reads the payment that a webhook of Stripe's is about, from the metadata of its object, which is
 * an intent, its charge or a refund. The signature is checked by Stripe's own package, on the bytes
 * as they came; it lets 5 minutes pass between signing and reading.
 *
 * @throws WebhookRefused where Stripe has not signed it with the secret, or not lately.
 */
export async function readStripeWebhook(
  { body, headers }: Webhook,
  secret: string,
): Promise<PaymentNames | undefined> {
  const { default: StripePackage } = await import("stripe");
  const signature = headers["stripe-signature"];
  let object: unknown;
  try {
    const event = await StripePackage.webhooks.constructEventAsync(
      Buffer.from(body),
      typeof signature === "string" ? signature : "",
      secret,
    );
    ({ object } = event.data);
  } catch {
    // The package's message repeats what was sent.
    throw new WebhookRefused("it is not signed with STRIPE_WEBHOOK_SECRET, or was long ago");
  }
  const { payonce_tenant: tenant, payonce_payment_id: paymentId } = metadataOf(object);
  return typeof tenant === "string" && typeof paymentId === "string"
    ? { tenant, paymentId }
    : undefined;
}

function metadataOf(object: unknown): Readonly<Record<string, unknown>> {
  const metadata: unknown =
    typeof object === "object" && object !== null && "metadata" in object
      ? object.metadata
      : undefined;
  return typeof metadata === "object" && metadata !== null ? { ...metadata } : {};
}

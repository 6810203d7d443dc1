import { ProcessorRefused } from "../../processor.js";
import type { StripeApi } from "./api.js";
import { StripeFailure } from "./failure.js";

/**
 * Asks Stripe for what every payment needs: that the key is known, and may read PaymentIntents.
 * @throws ProcessorRefused where it is not; Error where Stripe gives no answer to that.
 */
export async function checkStripe(api: StripeApi, apiBase: URL): Promise<void> {
  try {
    await api.begin().call((stripe, options) => stripe.paymentIntents.list({ limit: 1 }, options));
  } catch (error) {
    if (!(error instanceof StripeFailure)) {
      throw error;
    }
    switch (error.facts.status) {
      case 401:
        throw new ProcessorRefused(
          "invalid",
          `STRIPE_SECRET_KEY accepts a key that Stripe knows; it refuses this one (${error.message})`,
        );
      case 403:
        throw new ProcessorRefused(
          "invalid",
          `STRIPE_SECRET_KEY accepts a key that may read and write PaymentIntents and Refunds; this one may not (${error.message})`,
        );
      default:
        throw new Error(`Stripe at ${apiBase.origin} does not answer: ${error.message}`);
    }
  }
}

import type { Config } from "./settings.js";

/** The settings of the sandbox's face in Stripe's form, as the sandbox takes them. */
export function stripeFaceOptions(config: Config) {
  const { sandboxStripeWebhookUrl: url, sandboxStripeWebhookSecret: secret } = config;
  return {
    stripeListen: config.sandboxStripeListen,
    stripeSearchLagMs: config.sandboxStripeSearchLagMs,
    stripeMulticapture: config.sandboxStripeMulticapture === "on",
    stripeWebhook: url === undefined || secret === undefined ? undefined : { url, secret },
  };
}

import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { type Processor, ProcessorRefused } from "../payments/processor.js";
import { createStripeProcessor } from "../payments/processors/stripe/processor.js";
import { stripeKey } from "./config/schemas.js";
import { type Config, ConfigError } from "./config.js";
import type { Opened, OpenOptions } from "./dependencies.js";
import { reasonOf, withErrorPrefix } from "./error-prefix.js";

/**
 * Opens Stripe as the processor.
 * @throws ConfigError where Stripe refuses the key. Where it cannot be reached the service starts
 * nevertheless: payments are unknown until it answers, and are then carried on.
 */
export async function openStripe({
  config,
  log,
  shutdown,
}: OpenOptions): Promise<Opened<Processor>> {
  const secretKey = await readStripeKey(config);
  const isLive = /^[rs]k_live_/.test(secretKey);
  const processor = createStripeProcessor({
    secretKey,
    apiBase: config.stripeApiBase,
    timeoutMs: config.processorTimeoutMs,
    ...(config.stripeWebhookSecret === undefined
      ? {}
      : { webhookSecret: config.stripeWebhookSecret }),
    returnUrl: config.stripeReturnUrl,
    multicapture: config.stripeMulticapture === "on",
  });
  shutdown.add(() => processor.close());
  if (isLive && config.authTokensFile === undefined && config.tlsClientCaFile === undefined) {
    log.warn(
      "the key of Stripe's is live, and whoever reaches this service may charge cards with it: AUTH_TOKENS_FILE or TLS_CLIENT_CA_FILE is missing",
    );
  }
  try {
    await processor.check();
  } catch (error) {
    if (error instanceof ProcessorRefused) {
      throw new ConfigError([error.detail]);
    }
    log.warn(
      { reason: reasonOf(error) },
      "Stripe cannot be reached; payments are unknown until it can",
    );
  }
  const mode = isLive ? "live" : "test";
  return {
    value: processor,
    what: `Stripe at ${config.stripeApiBase.origin}, in ${mode} mode`,
  };
}

async function readStripeKey({ stripeSecretKey, stripeSecretKeyFile }: Config): Promise<string> {
  if (stripeSecretKeyFile === undefined) {
    return stripeSecretKey ?? "";
  }
  const text = await withErrorPrefix("STRIPE_SECRET_KEY_FILE", () =>
    readFile(stripeSecretKeyFile, "utf8"),
  );
  const { success, output } = v.safeParse(stripeKey, text.trim());
  if (!success) {
    throw new ConfigError([`STRIPE_SECRET_KEY_FILE accepts ${v.getDescription(stripeKey)}`]);
  }
  return output;
}

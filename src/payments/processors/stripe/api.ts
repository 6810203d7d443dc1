import type Stripe from "stripe";
import { failureOf } from "./failure.js";
import { createHttpClient } from "./http-client.js";

/**
 * The version of the API that the requests and answers here were written for. Another version of
 * the package may name another one; then this is looked through before it is changed.
 */
const API_VERSION = "2026-10-28.endive";

/** One call of the processor, which may take several of Stripe's. All end within one time limit. */
export interface Round {
  /**
   * Calls Stripe once, under a key where it is to have an effect.
   * @throws StripeFailure for everything but success.
   */
  call<Result>(
    act: (stripe: Stripe, options: Stripe.RequestOptions) => Promise<Result>,
    idempotencyKey?: string,
  ): Promise<Result>;
}

export interface StripeApi {
  /** Begins a round: its time runs from now. */
  begin(): Round;
  close(): void;
}

export interface StripeApiOptions {
  readonly secretKey: string;
  /** Where Stripe's API is. */
  readonly apiBase: URL;
  /** The longest time for one round. Milliseconds. */
  readonly timeoutMs: number;
}

/** Opens Stripe's API through its own package, which is loaded with the first call. */
export function createStripeApi({ secretKey, apiBase, timeoutMs }: StripeApiOptions): StripeApi {
  const httpClient = createHttpClient();
  let loading: Promise<Stripe> | undefined;

  async function load(): Promise<Stripe> {
    const { default: StripePackage } = await import("stripe");
    return new StripePackage(secretKey, {
      apiVersion: API_VERSION,
      httpClient,
      host: apiBase.hostname.replace(/^\[|\]$/g, ""), // an IPv6 address has brackets in URLs only
      port: apiBase.port || (apiBase.protocol === "https:" ? 443 : 80),
      protocol: apiBase.protocol === "https:" ? "https" : "http",
      // Repeating a call is decided in one place, by whoever owns the claim.
      maxNetworkRetries: 0,
      telemetry: false,
      timeout: timeoutMs,
    });
  }

  return {
    begin() {
      const endMs = performance.now() + timeoutMs;
      return {
        async call(act, idempotencyKey) {
          try {
            loading ??= load();
            const stripe = await loading;
            const timeout = Math.floor(endMs - performance.now());
            if (timeout < 1) {
              throw Object.assign(new Error("no time is left"), { code: "TIMEOUT" });
            }
            return await act(stripe, {
              timeout,
              ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
            });
          } catch (error) {
            throw failureOf(error, secretKey);
          }
        },
      };
    },
    close: () => httpClient.close(),
  };
}

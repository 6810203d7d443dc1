import type { WebhookEndpoint } from "./endpoint.js";

/** An event of the sending of webhooks, for a log or a metric. */
export type WebhookEvent =
  | { readonly type: "delivered"; readonly endpoint: WebhookEndpoint }
  | (AboutDelivery & { readonly type: "failed"; readonly delayMs: number })
  /** The event was given up. */
  | (AboutDelivery & { readonly type: "dead" })
  /** The endpoint wants nothing more, and gets nothing more from this process. */
  | { readonly type: "disabled"; readonly endpoint: WebhookEndpoint }
  | { readonly type: "store_failed"; readonly error: unknown };

interface AboutDelivery {
  readonly endpoint: WebhookEndpoint;
  readonly eventId: string;
  readonly paymentId: string;
  readonly failures: number;
  readonly reason: string;
}

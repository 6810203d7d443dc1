import type { Pool } from "pg";
import {
  type ClaimedDelivery,
  delayDelivery,
  endDelivery,
  giveUpDelivery,
  releaseDelivery,
} from "../postgres/webhook-queues.js";
import { retryDelayMs } from "./backoff.js";
import type { WebhookEndpoint } from "./endpoint.js";
import type { WebhookEvent } from "./event.js";
import { signedHeaders, webhookBody, webhookMessage } from "./message.js";
import type { Send } from "./send.js";

export interface DeliverOptions {
  readonly pool: Pool;
  readonly send: Send;
  /** Aborts: the request is given up, and the delivery left to whoever comes next. */
  readonly signal: AbortSignal;
  /** A number of [0, 1), for the jitter. */
  readonly random: () => number;
  readonly now: () => Date;
  readonly onEvent: (event: WebhookEvent) => void;
}

/**
 * Makes one attempt of a delivery and stores what came of it. Resolves with
 * whether the endpoint wants anything more.
 * @throws if the database cannot be reached: after its lease it is made again.
 */
export async function deliver(
  delivery: ClaimedDelivery,
  endpoint: WebhookEndpoint,
  { pool, send, signal, random, now, onEvent }: DeliverOptions,
): Promise<"wants more" | "gone"> {
  const message = webhookMessage(delivery.event);
  if (endpoint.statuses?.has(message.status) === false) {
    await endDelivery(pool, delivery);
    return "wants more";
  }
  const body = webhookBody(message);
  const headers = signedHeaders(endpoint, { id: message.id, body, now: now() });
  const result = await send({ url: endpoint.url, headers, body, signal });
  switch (result.kind) {
    case "delivered":
      await endDelivery(pool, delivery);
      onEvent({ type: "delivered", endpoint });
      return "wants more";
    case "interrupted":
      await releaseDelivery(pool, delivery);
      return "wants more";
    case "gone":
      await fail(result.reason);
      return "gone";
    case "failed":
      await fail(result.reason);
      return "wants more";
  }

  async function fail(reason: string): Promise<void> {
    const failures = delivery.failures + 1;
    const { paymentId } = delivery;
    const about = { endpoint, eventId: message.id, paymentId, failures, reason };
    const delayMs = retryDelayMs(failures, random());
    if (delayMs === undefined) {
      await giveUpDelivery(pool, delivery, reason);
      onEvent({ type: "dead", ...about });
    } else {
      await delayDelivery(pool, delivery, { delayMs, reason });
      onEvent({ type: "failed", ...about, delayMs: Math.round(delayMs) });
    }
  }
}

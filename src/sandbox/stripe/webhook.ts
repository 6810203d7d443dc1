import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { newId } from "./decide.js";
import type { StripeEvent } from "./events.js";
import { DEFAULT_VERSION } from "./requests.js";

/** Where events are sent to, and what signs them. */
export interface WebhookEndpoint {
  readonly url: string;
  readonly secret: string;
}

/** Sends events to an endpoint, each at least once, in any order. */
export interface Webhook {
  /** Sends the events of a request once what they tell of is on disk. */
  send(
    events: readonly StripeEvent[],
    options: { readonly durable: Promise<void>; readonly key: string },
  ): void;
}

export interface WebhookOptions {
  readonly endpoint: WebhookEndpoint;
  readonly now: () => Date;
  readonly shutdown: AbortSignal;
  readonly log: (line: string) => void;
}

// As many as the journal lets wait; more are dropped, with a line in the log.
const WAITING_LIMIT = 10_000;

const SENDERS = 8;

/** How long an endpoint may take to answer. */
const ANSWER_LIMIT_MS = 5_000;

/** Stripe tries for days; a test does not last as long. */
const RETRY_DELAYS_MS = [100, 300, 1_000, 3_000, 10_000, 30_000];

export function createWebhook({ endpoint, now, shutdown, log }: WebhookOptions): Webhook {
  const waiting: string[] = [];
  let senders = 0;

  function enqueue(payload: string): void {
    if (waiting.length >= WAITING_LIMIT) {
      log("an event in Stripe's form was dropped: too many wait for the endpoint");
      return;
    }
    waiting.push(payload);
    if (senders < SENDERS) {
      senders += 1;
      sendAll().finally(() => {
        senders -= 1;
      });
    }
  }

  async function sendAll(): Promise<void> {
    for (let payload = waiting.shift(); payload !== undefined; payload = waiting.shift()) {
      await deliver(payload);
    }
  }

  async function deliver(payload: string): Promise<void> {
    for (const delayMs of [0, ...RETRY_DELAYS_MS]) {
      await sleep(delayMs, undefined, { signal: shutdown }).catch(() => undefined);
      if (shutdown.aborted || (await isTaken(payload))) {
        return;
      }
    }
    log("an event in Stripe's form was given up: the endpoint never took it");
  }

  async function isTaken(payload: string): Promise<boolean> {
    try {
      const { ok, body } = await fetch(endpoint.url, {
        method: "POST",
        headers: {
          "Content-Type": "application/json; charset=utf-8",
          "Stripe-Signature": signatureOf(payload, endpoint.secret, now()),
        },
        body: payload,
        redirect: "manual",
        signal: AbortSignal.any([shutdown, AbortSignal.timeout(ANSWER_LIMIT_MS)]),
      });
      await body?.cancel();
      return ok;
    } catch {
      return false;
    }
  }

  return {
    send(events, { durable, key }) {
      durable.then(
        () => {
          for (const event of events) {
            enqueue(JSON.stringify(toJson(event, { key, now: now() })));
          }
        },
        () => undefined, // it did not happen, and its own call says so
      );
    },
  };
}

function toJson({ type, object }: StripeEvent, { key, now }: { key: string; now: Date }) {
  return {
    id: newId("evt"),
    object: "event",
    api_version: DEFAULT_VERSION,
    created: toSeconds(now),
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: newId("req"), idempotency_key: key },
    type,
  };
}

/** docs.stripe.com/webhooks#verify-manually; each attempt is signed anew. */
function signatureOf(payload: string, secret: string, now: Date): string {
  const seconds = toSeconds(now);
  const signature = createHmac("sha256", secret).update(`${seconds}.${payload}`).digest("hex");
  return `t=${seconds},v1=${signature}`;
}

function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1_000);
}

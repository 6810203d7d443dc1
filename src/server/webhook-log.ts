import type { WebhookEndpoint } from "../payments/webhooks/endpoint.js";
import type { WebhookEvent } from "../payments/webhooks/event.js";
import type { Logger } from "./log.js";
import { createPace } from "./pace.js";

/** The time between two lines of one kind: an endpoint that is away fails for each payment. Milliseconds. */
const INTERVAL_MS = 1_000;

export interface WebhookLogOptions {
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** Makes what logs the sending of webhooks, without bodies, secrets, and URLs past their host. */
export function createWebhookLog({ log, now }: WebhookLogOptions): (event: WebhookEvent) => void {
  const paces = {
    failed: createPace({ intervalMs: INTERVAL_MS, now }),
    dead: createPace({ intervalMs: INTERVAL_MS, now }),
    store_failed: createPace({ intervalMs: INTERVAL_MS, now }),
  };
  return (event) => {
    switch (event.type) {
      case "delivered":
        log.debug(nameOf(event.endpoint), "an event was delivered");
        return;
      case "disabled":
        log.warn(
          nameOf(event.endpoint),
          "the endpoint answered 410: this process sends it nothing more until it is started again",
        );
        return;
      case "store_failed":
        paced("store_failed", (more) =>
          log.error(
            { error: String(event.error), ...more },
            "webhooks cannot reach the store of record",
          ),
        );
        return;
      case "failed":
      case "dead": {
        const { endpoint, type, ...about } = event;
        const text =
          type === "dead" ? "an event is a dead letter" : "an event could not be delivered";
        paced(type, (more) => log.warn({ ...nameOf(endpoint), ...about, ...more }, text));
      }
    }
  };

  function paced(kind: keyof typeof paces, write: (more: { omitted?: number }) => void): void {
    const omitted = paces[kind]();
    if (omitted !== undefined) {
      write(omitted === 0 ? {} : { omitted });
    }
  }
}

function nameOf({ tenant, id, url }: WebhookEndpoint) {
  return { tenant, endpoint: id, origin: url.origin };
}

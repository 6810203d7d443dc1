import type { IncomingMessage, ServerResponse } from "node:http";
import type { Pool } from "pg";
import { lookSoon } from "../payments/postgres/observe.js";
import { type Processor, WebhookRefused } from "../payments/processor.js";
import { within } from "../runtime/within.js";
import type { Logger } from "./log.js";
import { createPace } from "./pace.js";

/** Stripe's largest events are far smaller. */
const MAX_BODY_BYTES = 256 * 1024;

/** The longest time for which the sender waits: it repeats what takes longer. Milliseconds. */
const ANSWER_LIMIT_MS = 1_000;

/** The least time between two lines of the log about what is refused. Milliseconds. */
const REFUSALS_INTERVAL_MS = 10_000;

export interface WebhookReceiverOptions {
  readonly processor: Pick<Processor, "readWebhook">;
  readonly pool: Pool;
  readonly log: Logger;
}

export type WebhookReceiver = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Takes messages of the processor's. One that is genuine makes the service look
 * at its payment, and is answered once that is stored: so it may come twice, late
 * and in any order, and nothing in it moves money.
 */
export function createWebhookReceiver({
  processor: { readWebhook },
  pool,
  log,
}: WebhookReceiverOptions): WebhookReceiver {
  // Anybody may send what is refused.
  const pace = createPace({ intervalMs: REFUSALS_INTERVAL_MS, now: () => performance.now() });

  async function receive(request: IncomingMessage): Promise<number> {
    if (readWebhook === undefined) {
      return 404;
    }
    if (request.method !== "POST") {
      return 405;
    }
    const body = await readBody(request);
    if (body === undefined) {
      return 413;
    }
    const work = async () => {
      const names = await readWebhook({ body, headers: request.headers });
      if (names !== undefined) {
        await lookSoon(pool, { tenant: names.tenant, id: names.paymentId });
      }
    };
    return (await within(work(), ANSWER_LIMIT_MS)) ? 200 : 503;
  }

  return (request, response) => {
    receive(request)
      .catch((error: unknown) => {
        if (error instanceof WebhookRefused) {
          const omitted = pace();
          if (omitted !== undefined) {
            log.warn({ reason: error.message, omitted }, "a webhook is refused");
          }
          return 400;
        }
        log.warn({ error: String(error) }, "a webhook is not taken: its sender repeats it");
        return 503;
      })
      .then((status) => {
        if (status === 413) {
          response.setHeader("connection", "close");
        }
        response.writeHead(status).end();
      })
      .catch(() => response.destroy());
  };
}

/** Reads the bytes as they come; undefined where there are too many. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

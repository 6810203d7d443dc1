import { readFile } from "node:fs/promises";
import type { Pool } from "pg";
import { addEndpoints } from "../payments/postgres/webhook-queues.js";
import { createSender } from "../payments/webhooks/send.js";
import { startWebhooks, type Webhooks } from "../payments/webhooks/webhooks.js";
import type { Config } from "./config.js";
import type { Opened } from "./dependencies.js";
import { withErrorPrefix } from "./error-prefix.js";
import type { Logger } from "./log.js";
import type { Metrics } from "./metrics.js";
import { createWebhookLog } from "./webhook-log.js";
import { parseEndpoints } from "./webhooks-file.js";

/** The part of a stop's time that requests under way have to end by themselves. */
const DRAIN_SHARE = 1 / 4;

export interface OpenWebhooksOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly pool: Pool;
}

/**
 * Starts to send events, if there are endpoints that want them.
 * @throws with lines that name WEBHOOKS_FILE and its entries.
 */
export async function openWebhooks({
  config,
  log,
  metrics,
  pool,
}: OpenWebhooksOptions): Promise<Opened<Webhooks> | undefined> {
  const { webhooksFile: file } = config;
  if (file === undefined) {
    return undefined;
  }
  const allowPrivate = config.webhooksAllowPrivate === "yes";
  const endpoints = await withErrorPrefix("WEBHOOKS_FILE", async () =>
    parseEndpoints(await readFile(file, "utf8"), { allowPrivate }),
  );
  if (allowPrivate) {
    log.warn("WEBHOOKS_ALLOW_PRIVATE is yes: endpoints may be inside of this network");
  }
  await withErrorPrefix("DATABASE_URL", () => addEndpoints(pool, endpoints));
  const logWebhook = createWebhookLog({ log, now: () => performance.now() });
  const webhooks = startWebhooks({
    pool,
    endpoints,
    send: createSender({ allowPrivate }),
    drainMs: config.shutdownTimeoutMs * DRAIN_SHARE,
    onEvent(event) {
      metrics.onWebhookEvent(event);
      logWebhook(event);
    },
  });
  metrics.watchWebhooks(webhooks.backlog);
  return { value: webhooks, what: `to the ${endpoints.length} endpoints of WEBHOOKS_FILE` };
}

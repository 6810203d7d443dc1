import type { Pool } from "pg";
import { type Clock, sleep, systemClock } from "../../idempotency/clock.js";
import { periodically } from "../../idempotency/recovery/periodically.js";
import { readBacklog, type WebhookBacklog } from "../postgres/webhook-letters.js";
import { findWork } from "../postgres/webhook-queues.js";
import { deliver } from "./deliver.js";
import type { WebhookEndpoint } from "./endpoint.js";
import { createEndpointTurns, type EndpointTurns } from "./endpoint-turns.js";
import type { WebhookEvent } from "./event.js";
import type { Send } from "./send.js";

/** The time between two looks for events and for what is due. Milliseconds. */
const INTERVAL_MS = 500;

/** The time between two counts of what waits, which read all of it. Milliseconds. */
const BACKLOG_INTERVAL_MS = 10_000;

export interface WebhooksOptions {
  /** Connections that no payment waits for. */
  readonly pool: Pool;
  /** Each is in the database already. */
  readonly endpoints: readonly WebhookEndpoint[];
  readonly send: Send;
  /** How long a stop lets requests go on that are under way. Milliseconds. */
  readonly drainMs: number;
  readonly clock?: Clock;
  /** A number of [0, 1), for the jitter. */
  readonly random?: () => number;
  readonly now?: () => Date;
  /** Is told of everything worth a log line or a metric. Must not throw. */
  readonly onEvent?: (event: WebhookEvent) => void;
}

export interface Webhooks {
  /** What waited when it was last counted. */
  backlog(): WebhookBacklog;
  /** Begins nothing more, and waits for the requests under way, or gives them up. */
  stop(): Promise<void>;
}

/**
 * Sends events to the endpoints that want them: each at least once, those of one
 * payment in their order. Any number of processes may do so; each endpoint has
 * its own turns, so that a slow one holds up no other.
 */
export function startWebhooks(options: WebhooksOptions): Webhooks {
  const { pool, endpoints, send, drainMs, onEvent = () => {} } = options;
  const { clock = systemClock, random = Math.random, now = () => new Date() } = options;
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const turns = new Map(endpoints.map((endpoint) => [endpoint.id, turnsOf(endpoint)]));
  let backlog: WebhookBacklog = { pending: 0, oldestMs: 0, dead: 0 };

  const looking = periodically({ intervalMs: INTERVAL_MS, clock, work: () => guarded(look) });
  const counting = periodically({
    intervalMs: BACKLOG_INTERVAL_MS,
    clock,
    work: () => guarded(countBacklog),
  });

  function turnsOf(endpoint: WebhookEndpoint): EndpointTurns {
    const delivering = { pool, send, signal: givingUp.signal, random, now, onEvent };
    return createEndpointTurns(endpoint, {
      pool,
      clock,
      stopping: stopping.signal,
      deliver: (delivery) => deliver(delivery, endpoint, delivering),
      onGone: () => onEvent({ type: "disabled", endpoint }),
      guarded,
    });
  }

  /** Gives each endpoint its turns, and waits for none of them. */
  async function look(): Promise<void> {
    for (const { id, lastEventId, hasEvents, hasDue } of await findWork(pool, endpoints)) {
      if (hasEvents) {
        void turns.get(id)?.fill(lastEventId);
      }
      if (hasDue) {
        void turns.get(id)?.send();
      }
    }
  }

  async function countBacklog(): Promise<void> {
    backlog = await readBacklog(pool);
  }

  async function guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      onEvent({ type: "store_failed", error });
    }
  }

  return {
    backlog: () => backlog,
    async stop() {
      stopping.abort();
      await Promise.all([looking.stop(), counting.stop()]);
      const drained = new AbortController();
      const late = sleep(clock, drainMs, drained.signal).then(() => givingUp.abort());
      await Promise.all([...turns.values()].map((turn) => turn.drained()));
      drained.abort();
      await late;
    },
  };
}

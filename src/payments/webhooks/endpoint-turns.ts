import type { Pool } from "pg";
import type { Clock } from "../../idempotency/clock.js";
import { nextEvents } from "../events.js";
import {
  type ClaimedDelivery,
  claimDeliveries,
  fillQueues,
  releaseDelivery,
} from "../postgres/webhook-queues.js";
import type { WebhookEndpoint } from "./endpoint.js";
import { webhookMessage } from "./message.js";
import { ATTEMPT_LIMIT_MS } from "./send.js";
import { createTurn } from "./turn.js";

/** Requests to one endpoint under way in one process: a slow one holds no more memory and sockets. */
const MAX_AT_ONCE = 16;

/** The time within which a claimed delivery must begin. Milliseconds. */
const BEGIN_LIMIT_MS = 5_000;

/** The time for which nobody else makes a claimed delivery: it has begun and ended by then. Milliseconds. */
const LEASE_MS = BEGIN_LIMIT_MS + ATTEMPT_LIMIT_MS;

export interface EndpointTurnsOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  /** Aborts: nothing new is begun. */
  readonly stopping: AbortSignal;
  readonly deliver: (delivery: ClaimedDelivery) => Promise<"wants more" | "gone">;
  /** Is told once that the endpoint wants nothing more. */
  readonly onGone: () => void;
  /** Runs work whose failure is that of the database; the next look takes it up again. Never rejects. */
  readonly guarded: (work: () => Promise<void>) => Promise<void>;
}

/** The two kinds of work for one endpoint: each goes on by itself, in no other endpoint's way. */
export interface EndpointTurns {
  /** Puts all events after one into the queues. */
  fill(after: bigint): Promise<void>;
  /** Begins to send what is due. */
  send(): Promise<void>;
  /** Resolves once what was begun has ended. */
  drained(): Promise<void>;
}

export function createEndpointTurns(
  endpoint: WebhookEndpoint,
  { pool, clock, stopping, deliver, onGone, guarded }: EndpointTurnsOptions,
): EndpointTurns {
  const sending = new Set<Promise<void>>();
  let isGone = false;
  let from = 0n;
  const fill = createTurn(() => guarded(fillAll));
  const send = createTurn(() => guarded(claimAll));

  /** Goes on until there are no more events, or another process is ahead. */
  async function fillAll(): Promise<void> {
    for (let after: bigint | undefined = from; after !== undefined && !stopping.aborted; ) {
      after = await fillPage(after);
      void send();
    }
  }

  /** Resolves with the last event of the page; undefined where it was not filled. */
  async function fillPage(after: bigint): Promise<bigint | undefined> {
    const { tenant, statuses } = endpoint;
    const stored = await nextEvents(pool, { tenant }, { after, signal: stopping, clock });
    const through = stored.at(-1)?.id;
    if (through === undefined) {
      return undefined;
    }
    const wanted = stored.flatMap((event) => {
      const { status, event: sent } = webhookMessage(event);
      const paymentId = sent.payment?.id ?? "";
      return statuses === undefined || statuses.has(status) ? [{ ...event, paymentId }] : [];
    });
    const isMoved = await fillQueues(pool, endpoint, { after, through, events: wanted });
    return isMoved ? through : undefined;
  }

  async function claimAll(): Promise<void> {
    while (sending.size < MAX_AT_ONCE && !isGone && !stopping.aborted) {
      const limit = MAX_AT_ONCE - sending.size;
      const claimedAtMs = clock.nowMs();
      const claimed = await claimDeliveries(pool, endpoint, { limit, leaseMs: LEASE_MS });
      for (const delivery of claimed) {
        const attempt = guarded(() => begin(delivery, claimedAtMs)).finally(() => {
          sending.delete(attempt);
          void send();
        });
        sending.add(attempt);
      }
      if (claimed.length < limit) {
        return;
      }
    }
  }

  async function begin(delivery: ClaimedDelivery, claimedAtMs: number): Promise<void> {
    // A process that has slept may no longer be the one that sends.
    if (stopping.aborted || clock.nowMs() - claimedAtMs > BEGIN_LIMIT_MS) {
      return releaseDelivery(pool, delivery);
    }
    const wish = await deliver(delivery);
    if (wish === "gone" && !isGone) {
      isGone = true;
      onGone();
    }
  }

  return {
    fill(after) {
      from = after;
      return fill();
    },
    send,
    async drained() {
      await fill.ended();
      await send.ended();
      await Promise.all(sending);
    },
  };
}

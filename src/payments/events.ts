import { createHash } from "node:crypto";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Pool } from "pg";
import {
  type PaymentEventSchema,
  PaymentSchema,
  type StreamPaymentEventsRequest,
  type StreamPaymentEventsResponseSchema,
} from "../gen/payonce/payments/v1/payments_pb.js";
import { CallError, refusal } from "../idempotency/answers/errors.js";
import { type Clock, sleep } from "../idempotency/clock.js";
import type { CallContext } from "../idempotency/execution/call.js";
import { invalid } from "./errors.js";
import {
  type EventFilter,
  findEvent,
  findEventRange,
  listSettledEvents,
  type StoredEvent,
} from "./postgres/events.js";
import { read } from "./postgres/read.js";
import { readPaymentId } from "./requests.js";
import { untilSettled } from "./settle.js";

/** Events read at once: with the largest payments that are accepted, a few MB. */
const PAGE_SIZE = 100;

/** The time between two looks of an open stream for new events: short for people, cheap for the database. Milliseconds. */
const POLL_INTERVAL_MS = 250;

/**
 * Streams that one tenant may have open in one process: 400 queries a second
 * when idle, of which a connection can do thousands.
 */
const MAX_STREAMS_PER_TENANT = 100;

/** The time after which to try again past the bound: a stream that has gone is noticed at once. Milliseconds. */
const OVERLOAD_RETRY_DELAY_MS = 1_000;

/**
 * The handler that follows payments: every transition at least once, in order
 * for each payment, until the caller leaves. A caller that reads slowly is
 * waited for; at most one page is kept for it.
 *
 * @throws CallError FIELD_INVALID for an `after_event_id` that names no event
 * of the tenant, OVERLOADED past the tenant's bound, STORE_UNAVAILABLE when the
 * database cannot be asked. A caller resumes after the last event it has seen.
 */
export function createEventStreams(pool: Pool, clock: Clock) {
  const openStreams = new Map<string, number>();

  return async function* streamPaymentEvents(
    { afterEventId, paymentId }: StreamPaymentEventsRequest,
    { caller: { tenant }, signal }: Pick<CallContext, "caller" | "signal">,
  ): AsyncGenerator<MessageInitShape<typeof StreamPaymentEventsResponseSchema>> {
    const filter = { tenant, ...(paymentId === "" ? {} : { paymentId: readPaymentId(paymentId) }) };
    if ((openStreams.get(tenant) ?? 0) >= MAX_STREAMS_PER_TENANT) {
      throw new CallError(
        refusal("OVERLOADED", `${MAX_STREAMS_PER_TENANT} streams are open already`, {
          retryDelayMs: OVERLOAD_RETRY_DELAY_MS,
        }),
      );
    }
    count(openStreams, tenant, 1);
    try {
      const after = await readPosition(pool, tenant, afterEventId);
      for await (const event of follow(pool, filter, { after, signal, clock })) {
        yield { event: eventMessage(event) };
      }
    } finally {
      count(openStreams, tenant, -1);
    }
  };
}

interface Following {
  readonly after: bigint;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

async function* follow(
  pool: Pool,
  filter: EventFilter,
  { after, signal, clock }: Following,
): AsyncGenerator<StoredEvent> {
  let last = after;
  while (!signal.aborted) {
    const events = await nextEvents(pool, filter, { after: last, signal, clock });
    for (const event of events) {
      yield event;
      last = event.id;
    }
    if (events.length === 0) {
      await sleep(clock, POLL_INTERVAL_MS, signal);
    }
  }
}

/** Returns the next page, once nothing can appear in it any more. Empty if there are no new events. */
export async function nextEvents(
  pool: Pool,
  filter: EventFilter,
  { after, signal, clock }: Following,
): Promise<readonly StoredEvent[]> {
  const range = await read(() => findEventRange(pool, filter, { after, limit: PAGE_SIZE }));
  if (range === undefined) {
    return [];
  }
  const settled = await untilSettled(
    async () => {
      const events = await read(() =>
        listSettledEvents(pool, filter, { ...range, limit: PAGE_SIZE }),
      );
      return events.length > 0 ? events : undefined;
    },
    { clock, signal },
  );
  return settled ?? [];
}

/**
 * Finds the position to resume from. A restore loses events, and gives their numbers to others;
 * who has seen one of them would miss what follows. Its digest tells, and the
 * caller is refused: it resumes after an older event, or reads all of them.
 */
async function readPosition(pool: Pool, tenant: string, afterEventId: string): Promise<bigint> {
  if (afterEventId === "") {
    return 0n;
  }
  const digits = /^([0-9]{1,18})-/.exec(afterEventId)?.[1];
  const event = digits && (await read(() => findEvent(pool, { tenant, id: BigInt(digits) })));
  if (!event || eventIdOf(event) !== afterEventId) {
    throw invalid("FIELD_INVALID", "after_event_id", "must name an event that is there");
  }
  return event.id;
}

function eventIdOf({ id, payment }: StoredEvent): string {
  return `${id}-${createHash("sha256").update(payment).digest("hex").slice(0, 16)}`;
}

/** Returns an event as callers see it. */
export function eventMessage(event: StoredEvent): MessageInitShape<typeof PaymentEventSchema> {
  return {
    id: eventIdOf(event),
    payment: fromBinary(PaymentSchema, event.payment),
    createTime: timestampFromDate(event.createTime),
  };
}

function count(openStreams: Map<string, number>, tenant: string, change: 1 | -1): void {
  const open = (openStreams.get(tenant) ?? 0) + change;
  if (open === 0) {
    openStreams.delete(tenant);
  } else {
    openStreams.set(tenant, open);
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type PaymentEvent,
  StreamPaymentEventsRequestSchema,
  StreamPaymentEventsResponseSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { PaymentsUnderTest } from "./support.js";

/** How long a stream stays silent before nothing more is expected: several polls. */
const SILENCE_MS = 700;

export type EventFilter = MessageInitShape<typeof StreamPaymentEventsRequestSchema>;
type Service = ReturnType<PaymentsUnderTest["serve"]>;

export interface EventReader {
  /** All that has come so far. */
  readonly events: readonly PaymentEvent[];
  /** Resolves once this many have come; rejects when the stream ends before. */
  until(count: number): Promise<readonly PaymentEvent[]>;
  /** Resolves once nothing has come for a while. */
  untilSilent(): Promise<readonly PaymentEvent[]>;
  /** Leaves. Resolves once the stream has ended; rejects if it ended in an error. */
  stop(): Promise<void>;
}

/** Follows the events of a tenant, as a transport would. */
export function readEvents(
  service: Service,
  request: EventFilter = {},
  tenant = "acme",
): EventReader {
  const leave = new AbortController();
  const events: PaymentEvent[] = [];
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  const ended = follow();
  ended.catch(() => {}); // told to whoever waits

  async function follow(): Promise<void> {
    const stream = service.streamPaymentEvents(create(StreamPaymentEventsRequestSchema, request), {
      caller: { tenant, role: "caller" },
      signal: leave.signal,
    });
    for await (const response of stream) {
      const { event } = create(StreamPaymentEventsResponseSchema, response);
      if (event !== undefined) {
        events.push(event);
      }
      for (const { count, resolve } of waiting) {
        if (events.length >= count) {
          resolve();
        }
      }
    }
  }

  return {
    events,
    async until(count) {
      if (events.length < count) {
        const reached = new Promise<void>((resolve) => waiting.add({ count, resolve }));
        const cut = ended.then(() => {
          throw new Error(`the stream ended after ${events.length} of ${count} events`);
        });
        await Promise.race([reached, cut]);
      }
      return events;
    },
    async untilSilent() {
      for (let count = -1; count !== events.length; await sleep(SILENCE_MS)) {
        count = events.length;
      }
      return events;
    },
    stop() {
      leave.abort();
      return ended;
    },
  };
}

/** Reads the next events, and leaves. */
export async function takeEvents(
  count: number,
  ...from: Parameters<typeof readEvents>
): Promise<readonly PaymentEvent[]> {
  const reader = readEvents(...from);
  await reader.until(count);
  await reader.stop();
  return reader.events;
}

/** Such as `pay_1 2`. */
export function transitionOf({ payment }: PaymentEvent): string {
  return `${payment?.id} ${payment?.version}`;
}

/** The versions of each payment in the order in which they came. */
export function versionsByPayment(events: readonly PaymentEvent[]): Map<string, bigint[]> {
  const versions = new Map<string, bigint[]>();
  for (const { payment } of events) {
    const id = payment?.id ?? "";
    versions.set(id, [...(versions.get(id) ?? []), payment?.version ?? 0n]);
  }
  return versions;
}

import { fail } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import type { PoolClient } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type PaymentEvent,
  PaymentStatus,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { appendEvents } from "../../../src/payments/postgres/events.js";
import { lockPayments, updatePayments } from "../../../src/payments/postgres/payments.js";
import { write } from "../../../src/runtime/statements.js";
import {
  type EventFilter,
  type EventReader,
  readEvents,
  takeEvents,
  transitionOf,
  versionsByPayment,
} from "./event-reader.js";
import {
  approve,
  captureRequest,
  type PaymentsUnderTest,
  refundRequest,
  scripted,
  startPayments,
} from "./support.js";

let payments: PaymentsUnderTest;
let service: ReturnType<PaymentsUnderTest["serve"]>;
const readers: EventReader[] = [];

beforeAll(async () => {
  payments = await startPayments();
  service = payments.serve(scripted(approve));
});
afterEach(async () => {
  await Promise.allSettled(readers.splice(0).map((reader) => reader.stop()));
});
afterAll(() => payments.stop());

function read(request: EventFilter = {}, tenant = "acme"): EventReader {
  const reader = readEvents(service, request, tenant);
  readers.push(reader);
  return reader;
}

async function capture(paymentId: string, key: string, minorUnits: bigint): Promise<void> {
  const context = await payments.claim("CapturePayment", key);
  await service.capturePayment(captureRequest(paymentId, minorUnits), context);
}

/** Five transitions of a payment of its own. */
async function fiveTransitions(key: string): Promise<string> {
  const id = await payments.createPayment(key);
  await capture(id, `${key}-1`, 400n);
  await capture(id, `${key}-2`, 600n);
  const context = await payments.claim("RefundPayment", key);
  await service.refundPayment(refundRequest(id, 100n), context);
  return id;
}

/** A transaction that has written nothing yet, and that the test ends. */
async function openTransaction() {
  const client = await payments.pool.connect();
  await client.query("BEGIN");
  return {
    client,
    async end(how: "COMMIT" | "ROLLBACK") {
      await client.query(how);
      client.release();
    },
  };
}

/** One more transition of a payment, within a transaction. */
async function change(transaction: PoolClient, id: string): Promise<void> {
  const [locked] = await lockPayments(transaction, [{ tenant: "acme", id }]);
  const before = locked?.payment ?? fail();
  const after = { ...before, version: before.version + 1n };
  await write(transaction, [updatePayments([after]), appendEvents([after])]);
}

const idsOf = (events: readonly PaymentEvent[]) => events.map(({ id }) => id);
const lastOf = (events: readonly PaymentEvent[]) => events.at(-1)?.id ?? fail();
const refusedWith = (reason: string, field?: string) => ({
  description: { reason, ...(field === undefined ? {} : { field }) },
});

describe("a stream of events", () => {
  it("has every transition of a payment in order, with the payment as it was then", async () => {
    const id = await fiveTransitions("in-order");
    const events = await takeEvents(5, service, { paymentId: id });
    expect(
      events.map(({ payment }) => [
        payment?.version,
        PaymentStatus[payment?.status ?? 0],
        payment?.captured?.minorUnits,
        payment?.refunded?.minorUnits,
      ]),
    ).toEqual([
      [1n, "PROCESSING", 0n, 0n],
      [2n, "AUTHORIZED", 0n, 0n],
      [3n, "PARTIALLY_CAPTURED", 400n, 0n],
      [4n, "CAPTURED", 1000n, 0n],
      [5n, "CAPTURED", 1000n, 100n],
    ]);
    expect(events.at(-1)?.payment).toEqual(await payments.getPayment(id));
    expect(events.every(({ createTime }) => createTime !== undefined)).toBe(true);
    expect(new Set(idsOf(events)).size).toBe(5);
  });

  it("goes on after each of its ids with exactly what followed", async () => {
    const id = await fiveTransitions("resumed");
    const events = await takeEvents(5, service, { paymentId: id });
    for (const [index, { id: afterEventId }] of events.slice(0, -1).entries()) {
      const rest = await takeEvents(4 - index, service, { paymentId: id, afterEventId });
      expect(rest).toEqual(events.slice(index + 1));
    }
    const reader = read({ paymentId: id, afterEventId: lastOf(events) });
    expect(await reader.untilSilent()).toEqual([]);
  });

  it("brings what happens while it is open, of one payment or of all", async () => {
    const first = await payments.createPayment("live-1");
    const [, created] = await takeEvents(2, service, { paymentId: first });
    const afterEventId = created?.id ?? fail();
    const one = read({ paymentId: first, afterEventId });
    const all = read({ afterEventId });
    const second = await payments.createPayment("live-2");
    await capture(first, "live-1", 1000n);
    expect((await all.until(3)).map(transitionOf)).toEqual([
      `${second} 1`,
      `${second} 2`,
      `${first} 3`,
    ]);
    expect((await one.until(1)).map(transitionOf)).toEqual([`${first} 3`]);
  });

  it("is empty for another tenant, which can name neither a payment nor an event of it", async () => {
    const id = await payments.createPayment("foreign");
    const [event] = await takeEvents(1, service, { paymentId: id });
    expect(await read({}, "other").untilSilent()).toEqual([]);
    expect(await read({ paymentId: id }, "other").untilSilent()).toEqual([]);
    const guess = read({ afterEventId: event?.id ?? fail() }, "other");
    await expect(guess.until(1)).rejects.toMatchObject(
      refusedWith("FIELD_INVALID", "after_event_id"),
    );
  });

  it.each(["x", "1", "0-0000000000000000", `${2n ** 63n}-0000000000000000`, "\0"])(
    "refuses to go on after %j",
    async (afterEventId) => {
      await expect(read({ afterEventId }).until(1)).rejects.toMatchObject(
        refusedWith("FIELD_INVALID", "after_event_id"),
      );
    },
  );

  it("refuses a payment id that is none", async () => {
    await expect(read({ paymentId: "\0" }).until(1)).rejects.toMatchObject(
      refusedWith("FIELD_INVALID", "payment_id"),
    );
  });
});

describe("transactions that commit in another order than they began in", () => {
  it("hold back what came after them, so that a reader that resumes misses nothing", async () => {
    const early = await payments.createPayment("late-commit-early");
    const late = await payments.createPayment("late-commit-late");
    const seen = await takeEvents(2, service, { paymentId: late });
    const afterEventId = lastOf(seen);
    const one = await openTransaction();
    const two = await openTransaction();
    await change(one.client, early);
    await change(two.client, late);
    await two.end("COMMIT");

    const reader = read({ afterEventId });
    const filtered = read({ afterEventId, paymentId: late });
    expect(await reader.untilSilent()).toEqual([]);
    expect(filtered.events).toEqual([]);
    await one.end("COMMIT");
    const events = await reader.until(2);
    expect(events.map(transitionOf)).toEqual([`${early} 3`, `${late} 3`]);
    expect(await filtered.until(1)).toEqual(events.slice(1));
    expect(await takeEvents(1, service, { afterEventId: events[0]?.id ?? fail() })).toEqual(
      events.slice(1),
    );
  });

  it("hold back nothing once they are rolled back", async () => {
    const early = await payments.createPayment("rollback-early");
    const late = await payments.createPayment("rollback-late");
    const afterEventId = lastOf(await takeEvents(2, service, { paymentId: late }));
    const one = await openTransaction();
    await change(one.client, early);
    await capture(late, "rollback-late", 1000n);
    const reader = read({ afterEventId });
    expect(await reader.untilSilent()).toEqual([]);
    await one.end("ROLLBACK");
    expect((await reader.until(1)).map(transitionOf)).toEqual([`${late} 3`]);
  });

  it("keep the versions of one payment in order", async () => {
    const id = await payments.createPayment("inverted");
    const older = await openTransaction();
    const younger = await openTransaction();
    // Transaction ids in the one order, versions in the other.
    await older.client.query("SELECT pg_current_xact_id()");
    await change(younger.client, id);
    await younger.end("COMMIT");
    await change(older.client, id);
    await older.end("COMMIT");
    const events = await takeEvents(4, service, { paymentId: id });
    expect(versionsByPayment(events)).toEqual(new Map([[id, [1n, 2n, 3n, 4n]]]));
  });
});

it("500 transitions at once reach two readers in the same order, each payment's in its own", async () => {
  const marker = await payments.createPayment("five-hundred");
  const afterEventId = lastOf(await takeEvents(2, service, { paymentId: marker }));
  const both = [read({ afterEventId }), read({ afterEventId })];
  const ids = await Promise.all(
    Array.from({ length: 100 }, (_, index) => fiveTransitions(`five-hundred-${index}`)),
  );
  const [first, second] = await Promise.all(both.map((reader) => reader.until(500)));
  expect(second).toEqual(first);
  expect(new Set(idsOf(first ?? [])).size).toBe(500);
  expect(versionsByPayment(first ?? [])).toEqual(
    new Map([...versionsByPayment(first ?? []).keys()].map((id) => [id, [1n, 2n, 3n, 4n, 5n]])),
  );
  expect(new Set(versionsByPayment(first ?? []).keys())).toEqual(new Set(ids));
});

describe("a stream that its reader leaves", () => {
  it("ends, also while it waits for a transaction, and makes room for another", async () => {
    const id = await payments.createPayment("left");
    const blocking = await openTransaction();
    await blocking.client.query("SELECT pg_current_xact_id()");
    const waiting = read({ paymentId: id });
    await sleep(100);
    expect(waiting.events).toEqual([]);
    const open = Array.from({ length: 99 }, () => read({ paymentId: "pay_none" }));
    const refused = refusedWith("OVERLOADED");
    await expect(read({ paymentId: id }).until(1)).rejects.toMatchObject(refused);
    await expect(read({ paymentId: id }, "other").untilSilent()).resolves.toEqual([]);
    await Promise.all([waiting, ...open].map((reader) => reader.stop()));
    await blocking.end("COMMIT");
    await expect(read({ paymentId: id }).until(2)).resolves.toHaveLength(2);
  });
});

it("a restored database refuses the ids of lost events, and goes on after older ones", async () => {
  const restored = await startPayments();
  const handlers = restored.serve(scripted(approve));
  await restored.createPayment("kept");
  const [, kept] = await takeEvents(2, handlers);
  await restored.createPayment("lost");
  const [, , lost] = await takeEvents(4, handlers);
  // As if from a backup: the rows are gone, and their numbers are given again.
  const { rows } = await restored.pool.query(
    "DELETE FROM payment_events WHERE id > $1 RETURNING id",
    [kept?.id.split("-")[0]],
  );
  expect(rows).toHaveLength(2);
  const gone = readEvents(handlers, { afterEventId: lost?.id ?? fail() });
  await expect(gone.until(1)).rejects.toMatchObject(refusedWith("FIELD_INVALID", "after_event_id"));
  await restored.pool.query(`ALTER TABLE payment_events ALTER id RESTART WITH ${rows[0]?.id}`);
  const id = await restored.createPayment("new");
  const again = readEvents(handlers, { afterEventId: lost?.id ?? fail() });
  await expect(again.until(1)).rejects.toMatchObject(
    refusedWith("FIELD_INVALID", "after_event_id"),
  );
  const events = await takeEvents(2, handlers, { afterEventId: kept?.id ?? fail() });
  expect(events.map(transitionOf)).toEqual([`${id} 1`, `${id} 2`]);
  await restored.stop();
});

it("a store that cannot be read ends the stream, which can be resumed", async () => {
  const stopped = await startPayments();
  const reader = readEvents(stopped.serve(scripted(approve)));
  await reader.untilSilent();
  await stopped.stop();
  await expect(reader.until(1)).rejects.toMatchObject({
    description: { code: 14, reason: "STORE_UNAVAILABLE", retryDelayMs: 1000 },
  });
});

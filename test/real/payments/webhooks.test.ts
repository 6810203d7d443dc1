import { fail } from "node:assert";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { appendEvents } from "../../../src/payments/postgres/events.js";
import { lockPayments, updatePayments } from "../../../src/payments/postgres/payments.js";
import {
  type LetterFilter,
  listLetters,
  resendLetters,
} from "../../../src/payments/postgres/webhook-letters.js";
import { addEndpoints } from "../../../src/payments/postgres/webhook-queues.js";
import { MAX_FAILURES } from "../../../src/payments/webhooks/backoff.js";
import { endpointIdOf, type WebhookEndpoint } from "../../../src/payments/webhooks/endpoint.js";
import type { WebhookEvent } from "../../../src/payments/webhooks/event.js";
import { createSender } from "../../../src/payments/webhooks/send.js";
import { startWebhooks, type Webhooks } from "../../../src/payments/webhooks/webhooks.js";
import { write } from "../../../src/runtime/statements.js";
import { waitUntil } from "../../support/service/service-process.js";
import {
  disordered,
  type Received,
  type ReceiverOptions,
  startReceiver,
  WEBHOOK_SECRET,
  type WebhookReceiver,
} from "../../support/service/webhook-receiver.js";
import {
  approve,
  captureRequest,
  createRequest,
  type PaymentsUnderTest,
  scripted,
  startPayments,
} from "./support.js";

/** For what takes a look or two, on a busy machine too. */
const LIMIT_MS = 10_000;

/** Several looks: what does not happen until then was not to happen. */
const SILENCE_MS = 1_500;

let payments: PaymentsUnderTest;
let service: ReturnType<PaymentsUnderTest["serve"]>;
const started: Webhooks[] = [];
const receivers: WebhookReceiver[] = [];
let keys = 0;

beforeAll(async () => {
  payments = await startPayments();
  service = payments.serve(scripted(approve));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((webhooks) => webhooks.stop()));
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
  await payments.pool.query("DELETE FROM webhook_queues; DELETE FROM webhook_dead_letters");
});
afterAll(() => payments.stop());

async function receive(options: ReceiverOptions = {}): Promise<WebhookReceiver> {
  const receiver = await startReceiver(options);
  receivers.push(receiver);
  return receiver;
}

function endpointOf(
  { url: text }: { readonly url: string },
  change: Partial<WebhookEndpoint> = {},
): WebhookEndpoint {
  const tenant = change.tenant ?? "acme";
  const url = new URL(text);
  return { tenant, url, id: endpointIdOf(tenant, url), secrets: [WEBHOOK_SECRET], ...change };
}

interface StartOptions {
  readonly allowPrivate?: boolean;
  readonly drainMs?: number;
}

/** Sends to endpoints as one process does, and returns what happens. */
async function start(
  endpoints: readonly WebhookEndpoint[],
  { allowPrivate = true, drainMs = 0 }: StartOptions = {},
): Promise<readonly WebhookEvent[]> {
  await addEndpoints(payments.pool, endpoints);
  const events: WebhookEvent[] = [];
  const send = createSender({ allowPrivate });
  const { pool } = payments;
  const onEvent = (event: WebhookEvent) => events.push(event);
  started.push(startWebhooks({ pool, endpoints, send, drainMs, onEvent }));
  return events;
}

/** A payment with an authorization and one more transition for each capture of 1. */
async function payment(captures = 0, tenant = "acme"): Promise<string> {
  keys += 1;
  const context = await payments.claim("CreatePayment", `key-${keys}`, { tenant });
  const created = await service.createPayment(createRequest(), context);
  const id = created.payment?.id ?? fail();
  for (let count = 0; count < captures; count += 1) {
    keys += 1;
    const capture = await payments.claim("CapturePayment", `key-${keys}`, { tenant });
    await service.capturePayment(captureRequest(id, 1n), capture);
  }
  return id;
}

const of = (received: readonly Received[], paymentId: string) =>
  received.filter((one) => one.paymentId === paymentId);

const silence = () => new Promise((resolve) => setTimeout(resolve, SILENCE_MS));

const pending = (filter: LetterFilter) =>
  listLetters(payments.pool, { ...filter, state: "pending", limit: 10 });

/** As if the time until the next attempt had passed. */
async function makeDue(failures?: number): Promise<void> {
  await payments.pool.query(
    `UPDATE webhook_queues SET next_attempt_time = statement_timestamp(),
       failures = coalesce($1, failures)`,
    [failures ?? null],
  );
}

describe("an event that fails", () => {
  it("holds back the later ones of its payment, and no other payment", async () => {
    let isBack = false;
    let failing = "";
    const receiver = await receive({
      answer: ({ paymentId }) => (paymentId === failing && !isBack ? 500 : 204),
    });
    failing = await payment();
    const events = await start([endpointOf(receiver)]);
    await payment(); // events from before the start are nobody's
    failing = await payment(2);
    const other = await payment(2);
    await waitUntil(() => of(receiver.accepted(), other).length === 4, LIMIT_MS);
    expect(of(receiver.received, failing).map(({ version }) => version)).toEqual([1]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "failed", failures: 1, reason: "answered 500" }),
    );

    isBack = true;
    await makeDue();
    await waitUntil(() => of(receiver.accepted(), failing).length === 4, LIMIT_MS);
    expect(of(receiver.received, failing).map(({ version }) => version)).toEqual([1, 1, 2, 3, 4]);
    const [first, again] = of(receiver.received, failing);
    expect(again?.webhookId).toBe(first?.webhookId);
  });

  it("is a dead letter in the end, which an operator has sent again", async () => {
    let answer = 500;
    const receiver = await receive({ answer: ({ version }) => (version === 1 ? answer : 204) });
    const endpoint = endpointOf(receiver);
    const events = await start([endpoint]);
    const id = await payment();
    await waitUntil(() => receiver.received.length === 1, LIMIT_MS);
    await waitUntil(() => events.some(({ type }) => type === "failed"), LIMIT_MS);
    await makeDue(MAX_FAILURES - 1);
    await waitUntil(() => receiver.accepted().length === 1, LIMIT_MS);
    const filter = { tenant: "acme", endpointId: endpoint.id };
    await waitUntil(async () => (await pending(filter)).length === 0, LIMIT_MS);
    const [letter, ...more] = await listLetters(payments.pool, { ...filter, limit: 10 });
    expect(more).toEqual([]);
    expect(letter).toMatchObject({
      state: "dead",
      payment: id,
      failures: MAX_FAILURES,
      lastFailure: "answered 500",
    });

    answer = 204;
    expect(await resendLetters(payments.pool, { ...filter, tenant: "other" })).toBe(0);
    expect(await resendLetters(payments.pool, filter)).toBe(1);
    await waitUntil(() => of(receiver.accepted(), id).length === 2, LIMIT_MS);
    expect(receiver.accepted().map(({ version }) => version)).toEqual([2, 1]);
    await silence();
    expect(await listLetters(payments.pool, { ...filter, limit: 10 })).toEqual([]);
  });

  it("of an endpoint that answers 410 is the last one that it gets", async () => {
    const receiver = await receive({ answer: () => 410 });
    const events = await start([endpointOf(receiver)]);
    await payment();
    await waitUntil(() => events.some(({ type }) => type === "disabled"), LIMIT_MS);
    await payment();
    await makeDue();
    await silence();
    expect(receiver.received).toHaveLength(1);
    expect(events.filter(({ type }) => type === "disabled")).toHaveLength(1);
  });
});

describe("an endpoint", () => {
  it("that is slow delays no other", async () => {
    const slow = await receive({ answer: () => new Promise(() => {}) });
    const quick = await receive();
    await start([endpointOf(slow), endpointOf(quick, { tenant: "other" })]);
    for (let count = 0; count < 20; count += 1) {
      await payment();
    }
    await waitUntil(() => slow.received.length > 0, LIMIT_MS);
    const sinceMs = performance.now();
    const id = await payment(1, "other");
    await waitUntil(() => of(quick.accepted(), id).length === 3, LIMIT_MS);
    expect(performance.now() - sinceMs).toBeLessThan(5_000);
    // No more than so many of its requests are under way.
    expect(slow.received.length).toBeLessThanOrEqual(16);
  });

  it("gets its own tenant's events alone, and the states that it wants", async () => {
    const all = await receive();
    const some = await receive();
    const statuses = new Set([PaymentStatus.PARTIALLY_CAPTURED]);
    await start([endpointOf(all), endpointOf(some, { statuses })]);
    const id = await payment(2);
    await payment(0, "other");
    await waitUntil(() => of(all.accepted(), id).length === 4, LIMIT_MS);
    await waitUntil(() => some.accepted().length === 2, LIMIT_MS);
    await silence();
    expect(new Set(all.received.map(({ paymentId }) => paymentId))).toEqual(new Set([id]));
    expect(some.received.map(({ type }) => type)).toEqual([
      "payment.partially_captured",
      "payment.partially_captured",
    ]);
  });

  it("on a private address gets nothing unless that is allowed", async () => {
    const receiver = await receive();
    const endpoint = endpointOf(receiver);
    const events = await start([endpoint], { allowPrivate: false });
    await payment();
    const reason = "the address is private, or otherwise refused";
    await waitUntil(() => events.some(({ type }) => type === "failed"), LIMIT_MS);
    expect(events).toContainEqual(expect.objectContaining({ type: "failed", reason }));
    expect(receiver.received).toEqual([]);
  });
});

describe("an event that is committed late", () => {
  it("is sent in its place, though later ones were seen before", async () => {
    const receiver = await receive();
    const [late, id] = [await payment(), await payment()];
    await start([endpointOf(receiver)]);
    const client = await payments.pool.connect();
    await client.query("BEGIN");
    const [locked] = await lockPayments(client, [{ tenant: "acme", id: late }]);
    const before = locked?.payment ?? fail();
    const after = { ...before, version: before.version + 1n };
    await write(client, [updatePayments([after])]);
    await write(client, [appendEvents([after])]);
    keys += 1;
    const capture = await payments.claim("CapturePayment", `key-${keys}`);
    await service.capturePayment(captureRequest(id, 1n), capture);
    await silence();
    expect(receiver.received).toEqual([]);
    await client.query("COMMIT");
    client.release();
    await waitUntil(() => receiver.accepted().length === 2, LIMIT_MS);
    expect(new Set(receiver.received.map(({ paymentId }) => paymentId))).toEqual(
      new Set([late, id]),
    );
  });
});

describe("several processes", () => {
  it("send each event once, while nothing fails, in its order", async () => {
    const receiver = await receive();
    for (let count = 0; count < 3; count += 1) {
      await start([endpointOf(receiver)]);
    }
    const ids = [];
    for (let count = 0; count < 30; count += 1) {
      ids.push(await payment(1));
    }
    await waitUntil(() => receiver.accepted().length >= 3 * ids.length, LIMIT_MS);
    await silence();
    expect(receiver.received).toHaveLength(3 * ids.length);
    expect(disordered(receiver.received)).toEqual([]);
  });

  it("take over at once what a stopped one had under way", async () => {
    let isAnswered = false;
    const receiver = await receive({
      answer: () => (isAnswered ? 204 : new Promise<number>(() => {})),
    });
    await start([endpointOf(receiver)]);
    await payment();
    await waitUntil(() => receiver.received.length === 1, LIMIT_MS);
    const sinceMs = performance.now();
    await started.pop()?.stop();
    expect(performance.now() - sinceMs).toBeLessThan(2_000);
    isAnswered = true;
    await start([endpointOf(receiver)]);
    await waitUntil(() => receiver.accepted().length === 2, LIMIT_MS);
  });
});

describe("the check of the order", () => {
  it("finds an event that came after a later one", () => {
    const one = (paymentId: string, version: number) => ({
      ...{ paymentId, version, webhookId: "", type: "", path: "", atMs: 0, status: 204 },
    });
    expect(disordered([one("a", 1), one("b", 2), one("a", 2), one("b", 1)])).toEqual(["b"]);
  });
});

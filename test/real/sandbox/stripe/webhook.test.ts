import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import Stripe from "stripe";
import { expect, it, onTestFinished } from "vitest";
import { charge, key, MANUAL, runStripeSandbox } from "./support.js";

const SECRET = `whsec_${"s".repeat(32)}`;

/** An endpoint that refuses its first requests, and believes only what is signed. */
async function startEndpoint(refusals = 0) {
  const events: Stripe.Event[] = [];
  const ids: string[] = [];
  const server = createServer(async (request, response) => {
    const payload = Buffer.concat(await request.toArray());
    const signature = String(request.headers["stripe-signature"]);
    const event = Stripe.webhooks.constructEvent(payload, signature, SECRET);
    ids.push(event.id);
    if (ids.length > refusals) {
      events.push(event);
    }
    response.writeHead(ids.length > refusals ? 200 : 503).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  // A server that listens on a port has an address with a port.
  const { port } = server.address() as AddressInfo;
  return {
    stripeWebhook: { url: `http://127.0.0.1:${port}/webhooks`, secret: SECRET },
    events,
    /** Of all requests, also those that were refused. */
    ids,
  };
}

it("events tell what happens to intents and charges, signed as Stripe signs them", async () => {
  const { stripeWebhook, events } = await startEndpoint();
  const { stripe, authenticate } = await runStripeSandbox({ stripeWebhook });
  const typesAfter = async (call: Promise<unknown>, count: number) => {
    events.length = 0;
    await call.catch(() => undefined);
    await expect.poll(() => events.length).toBe(count);
    return events.map(({ type }) => type).sort();
  };

  const create = stripe.paymentIntents.create(charge(MANUAL), key("key-1"));
  expect(await typesAfter(create, 1)).toEqual(["payment_intent.amount_capturable_updated"]);
  const { id } = await create;
  expect(events[0]).toMatchObject({
    object: "event",
    data: { object: { id, object: "payment_intent", status: "requires_capture" } },
    request: { idempotency_key: "key-1" },
  });
  expect(await typesAfter(stripe.paymentIntents.capture(id), 1)).toEqual([
    "payment_intent.succeeded",
  ]);
  expect(await typesAfter(stripe.refunds.create({ payment_intent: id }), 2)).toEqual([
    "charge.refunded",
    "refund.created",
  ]);

  const declined = charge({ payment_method: "pm_card_chargeDeclined" });
  expect(await typesAfter(stripe.paymentIntents.create(declined), 1)).toEqual([
    "payment_intent.payment_failed",
  ]);
  const waiting = charge({ payment_method: "pm_card_authenticationRequired" });
  const asked = stripe.paymentIntents.create(waiting);
  expect(await typesAfter(asked, 1)).toEqual(["payment_intent.requires_action"]);
  expect(await typesAfter(authenticate((await asked).id, "success"), 1)).toEqual([
    "payment_intent.succeeded",
  ]);
  const other = stripe.paymentIntents.create(waiting);
  await typesAfter(other, 1);
  expect(await typesAfter(stripe.paymentIntents.cancel((await other).id), 1)).toEqual([
    "payment_intent.canceled",
  ]);
});

it("an event that its endpoint refuses comes again, with the same id", async () => {
  const { stripeWebhook, events, ids } = await startEndpoint(2);
  const { stripe } = await runStripeSandbox({ stripeWebhook });
  await stripe.paymentIntents.create(charge());
  await expect.poll(() => events.length, { timeout: 5_000 }).toBe(1);
  const [id] = ids;
  expect(ids).toEqual([id, id, id]);
});

it("a repeated call tells nothing anew", async () => {
  const { stripeWebhook, events } = await startEndpoint();
  const { stripe } = await runStripeSandbox({ stripeWebhook });
  for (const _ of [1, 2, 3]) {
    await stripe.paymentIntents.create(charge(), key("key-1"));
  }
  await stripe.paymentIntents.create(charge(), key("key-2"));
  await expect.poll(() => events.length).toBe(2);
});

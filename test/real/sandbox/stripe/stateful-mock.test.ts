import Stripe from "stripe";
import { describe, expect, it, onTestFinished } from "vitest";
import { startStatefulMock } from "../../../support/servers/stateful-mock.js";
import { charge, isReplayed, key, runStripeSandbox, stripeFailure } from "./support.js";

/** What both doubles have: charges and refunds, under keys. */
interface Double {
  charge(amount: number, key: string): Promise<Answered>;
  decline(key: string): Promise<unknown>;
  refund(charge: string, amount: number, key: string): Promise<Answered>;
}

interface Answered {
  readonly id: string;
  readonly amount: number;
  readonly replayed: boolean;
}

async function answered<Answer extends { id: string; amount: number }>(
  call: Promise<Stripe.Response<Answer>>,
): Promise<Answered> {
  const answer = await call;
  return { id: answer.id, amount: answer.amount, replayed: isReplayed(answer) };
}

async function sandbox(): Promise<Double> {
  const { stripe } = await runStripeSandbox();
  return {
    charge: (amount, name) => answered(stripe.paymentIntents.create(charge({ amount }), key(name))),
    decline: (name) =>
      stripe.paymentIntents.create(charge({ payment_method: "pm_card_chargeDeclined" }), key(name)),
    refund: (payment_intent, amount, name) =>
      answered(stripe.refunds.create({ payment_intent, amount }, key(name))),
  };
}

/** Of people who have nothing to do with this project. It has no PaymentIntents, but the charges they make. */
async function statefulMock(): Promise<Double> {
  const mock = await startStatefulMock();
  onTestFinished(() => mock.stop());
  const [host = "", port = ""] = mock.address.split(":");
  const stripe = new Stripe("sk_test_sandbox", {
    ...{ host, port, protocol: "http", maxNetworkRetries: 0, telemetry: false },
  });
  const create = (source: string, amount: number, name: string) =>
    stripe.charges.create({ amount, currency: "eur", source }, key(name));
  return {
    charge: (amount, name) => answered(create("tok_visa", amount, name)),
    decline: (name) => create("tok_chargeDeclined", 1000, name),
    refund: (id, amount, name) =>
      answered(stripe.refunds.create({ charge: id, amount }, key(name))),
  };
}

// Keys of one process: the mock keeps them for as long as it is loaded.
let keys = 0;
function newKey(): string {
  keys += 1;
  return `stateful-${keys}`;
}

describe.each([
  ["the sandbox's face in Stripe's form", sandbox],
  ["stripe-stateful-mock", statefulMock],
])("%s", (_, start) => {
  it("answers a repeated charge with the first one, and says so", async () => {
    const double = await start();
    const name = newKey();
    const first = await double.charge(1000, name);
    expect(first).toMatchObject({ amount: 1000, replayed: false });
    expect(await double.charge(1000, name)).toEqual({ ...first, replayed: true });
  });

  it("charges again under another key", async () => {
    const double = await start();
    const one = await double.charge(1000, newKey());
    expect((await double.charge(1000, newKey())).id).not.toBe(one.id);
  });

  it("refuses a key with another amount", async () => {
    const double = await start();
    const name = newKey();
    await double.charge(1000, name);
    expect(await stripeFailure(double.charge(1001, name))).toMatchObject({
      statusCode: 400,
      type: "StripeIdempotencyError",
      rawType: "idempotency_error",
    });
  });

  it("keeps a decline", async () => {
    const double = await start();
    const name = newKey();
    for (const replayed of [undefined, "true"]) {
      const error = await stripeFailure(double.decline(name));
      expect(error).toMatchObject({ statusCode: 402, code: "card_declined" });
      expect(error.headers?.["idempotent-replayed"]).toBe(replayed);
    }
  });

  it("refunds once under one key, and refuses the key with another amount", async () => {
    const double = await start();
    const { id } = await double.charge(1000, newKey());
    const name = newKey();
    const first = await double.refund(id, 400, name);
    expect(await double.refund(id, 400, name)).toEqual({ ...first, replayed: true });
    expect(await stripeFailure(double.refund(id, 401, name))).toMatchObject({ statusCode: 400 });
    expect(await double.refund(id, 600, newKey())).toMatchObject({ amount: 600 });
    expect(await stripeFailure(double.refund(id, 1, newKey()))).toMatchObject({
      statusCode: 400,
      code: "charge_already_refunded",
    });
  });

  it("of five calls at once with one key makes one charge", async () => {
    const double = await start();
    const name = newKey();
    const calls = await Promise.allSettled([1, 2, 3, 4, 5].map(() => double.charge(1000, name)));
    const ids = calls.flatMap((each) => (each.status === "fulfilled" ? [each.value.id] : []));
    expect(new Set(ids).size).toBe(1);
    for (const each of calls) {
      if (each.status === "rejected") {
        expect(each.reason.statusCode).toBe(409); // where the face knows of calls in flight
      }
    }
  });
});

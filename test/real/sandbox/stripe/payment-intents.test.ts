import { describe, expect, it } from "vitest";
import { checkAgainstOpenApi } from "./exchanges.js";
import { charge, MANUAL, runStripeSandbox, stripeFailure } from "./support.js";

checkAgainstOpenApi();

describe("a PaymentIntent", () => {
  it("with automatic capture is one effect, under the caller's own payment id", async () => {
    const { stripe, lines } = await runStripeSandbox();

    const intent = await stripe.paymentIntents.create(charge({ description: "order 6" }), {
      idempotencyKey: "key-1",
    });

    expect(intent).toMatchObject({
      id: expect.stringMatching(/^pi_\w{24}$/),
      status: "succeeded",
      amount: 1000,
      amount_received: 1000,
      amount_capturable: 0,
      capture_method: "automatic_async",
      currency: "eur",
      description: "order 6",
      latest_charge: expect.stringMatching(/^ch_\w{24}$/),
      metadata: { payonce_payment_id: "payment-1" },
      payment_method: "pm_card_visa",
    });
    expect(await lines()).toEqual([
      {
        sequence: "1",
        type: "EFFECT_TYPE_AUTHORIZE_CAPTURE",
        processor_key: "key-1",
        payment_id: "payment-1",
        amount: { currency_code: "EUR", minor_units: "1000" },
        payment_method: "pm_card_visa",
        create_time: expect.any(String),
        stripe: expect.objectContaining({ payment_intent: intent.id, description: "order 6" }),
      },
    ]);
  });

  it("without a payment id of the caller's own has its own id in the journal", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const { id } = await stripe.paymentIntents.create(charge({ metadata: {} }));
    expect(await lines()).toMatchObject([{ payment_id: id }]);
  });

  it("is authorized, captured in part, which ends it, and refunded up to that", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const { id, ...authorized } = await stripe.paymentIntents.create(charge(MANUAL));
    expect(authorized).toMatchObject({ status: "requires_capture", amount_capturable: 1000 });

    const captured = await stripe.paymentIntents.capture(id, {
      amount_to_capture: 600,
      metadata: { note: "partial" },
    });
    expect(captured).toMatchObject({
      status: "succeeded",
      amount_received: 600,
      amount_capturable: 0,
      metadata: { payonce_payment_id: "payment-1", note: "partial" },
    });
    const again = await stripeFailure(stripe.paymentIntents.capture(id, { amount_to_capture: 1 }));
    expect(again).toMatchObject({
      statusCode: 400,
      code: "payment_intent_unexpected_state",
      payment_intent: { id, status: "succeeded" },
    });

    const refund = await stripe.refunds.create({ payment_intent: id, amount: 500 });
    expect(refund).toMatchObject({ status: "succeeded", amount: 500, payment_intent: id });
    const tooMuch = await stripeFailure(stripe.refunds.create({ payment_intent: id, amount: 101 }));
    expect(tooMuch).toMatchObject({ statusCode: 400, param: "amount" });
    expect(await stripe.refunds.create({ payment_intent: id })).toMatchObject({ amount: 100 });
    const none = await stripeFailure(stripe.refunds.create({ payment_intent: id }));
    expect(none.code).toBe("charge_already_refunded");
    expect((await lines()).map(({ type }) => type)).toEqual([
      "EFFECT_TYPE_AUTHORIZE",
      "EFFECT_TYPE_CAPTURE",
      "EFFECT_TYPE_REFUND",
      "EFFECT_TYPE_REFUND",
    ]);
  });

  it("is captured several times where the account has multicapture, until one is the last", async () => {
    const { stripe } = await runStripeSandbox({ stripeMulticapture: true });
    const { id } = await stripe.paymentIntents.create(charge(MANUAL));
    const part = { amount_to_capture: 300, final_capture: false };

    expect(await stripe.paymentIntents.capture(id, part)).toMatchObject({
      status: "requires_capture",
      amount_received: 300,
      amount_capturable: 700,
    });
    const tooMuch = { amount_to_capture: 701, final_capture: false };
    expect(await stripeFailure(stripe.paymentIntents.capture(id, tooMuch))).toMatchObject({
      code: "amount_too_large",
    });
    expect((await stripeFailure(stripe.paymentIntents.cancel(id))).code).toBe(
      "payment_intent_unexpected_state",
    );
    expect(await stripe.paymentIntents.capture(id, part)).toMatchObject({ amount_received: 600 });
    expect(await stripe.paymentIntents.capture(id, { amount_to_capture: 1 })).toMatchObject({
      status: "succeeded",
      amount_received: 601,
    });
  });

  it("keeps no rest where the account has no multicapture", async () => {
    const { stripe } = await runStripeSandbox();
    const { id } = await stripe.paymentIntents.create(charge(MANUAL));
    const error = await stripeFailure(stripe.paymentIntents.capture(id, { final_capture: false }));
    expect(error).toMatchObject({ statusCode: 400, param: "final_capture" });
  });

  it("is canceled before it is captured, once", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const { id } = await stripe.paymentIntents.create(charge(MANUAL));
    const canceled = await stripe.paymentIntents.cancel(id, { cancellation_reason: "abandoned" });

    expect(canceled).toMatchObject({
      status: "canceled",
      cancellation_reason: "abandoned",
      canceled_at: expect.any(Number),
      amount_capturable: 0,
    });
    for (const call of [
      stripe.paymentIntents.cancel(id),
      stripe.paymentIntents.capture(id),
      stripe.refunds.create({ payment_intent: id }),
    ]) {
      expect((await stripeFailure(call)).code).toBe("payment_intent_unexpected_state");
    }
    expect((await lines()).map(({ type }) => type)).toEqual([
      "EFFECT_TYPE_AUTHORIZE",
      "EFFECT_TYPE_VOID",
    ]);
  });

  it("whose authorization lapses is canceled by Stripe itself", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const { id } = await stripe.paymentIntents.create(charge(MANUAL));

    await stripe.rawRequest("POST", `/sandbox/payment_intents/${id}/expire`);

    expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
      status: "canceled",
      cancellation_reason: "automatic",
    });
    expect(await lines()).toHaveLength(2);
  });

  it("shows its charge where that is expanded", async () => {
    const { stripe } = await runStripeSandbox();
    const { id } = await stripe.paymentIntents.create(charge(MANUAL));
    const expanded = await stripe.paymentIntents.retrieve(id, { expand: ["latest_charge"] });
    expect(expanded.latest_charge).toMatchObject({
      object: "charge",
      captured: false,
      payment_method_details: { card: { capture_before: expanded.created + 7 * 86_400 } },
    });

    await stripe.paymentIntents.capture(id, { amount_to_capture: 400 });
    const refund = await stripe.refunds.create({
      payment_intent: id,
      amount: 100,
      expand: ["charge", "payment_intent.latest_charge"],
    });
    const charged = { amount: 1000, amount_captured: 400, amount_refunded: 100, refunded: false };
    expect(refund.charge).toMatchObject(charged);
    expect(refund.payment_intent).toMatchObject({ id, latest_charge: charged });
    const ofCharge = await stripe.refunds.create({
      charge: `${expanded.id.replace("pi_", "ch_")}`,
      amount: 300,
    });
    expect(ofCharge.payment_intent).toBe(id);
    const { data } = await stripe.charges.list({ payment_intent: id });
    expect(data).toMatchObject([{ amount_refunded: 400, refunded: true }]);
    expect(await stripe.charges.retrieve(data[0]?.id ?? "")).toEqual(
      expect.objectContaining({ amount_refunded: 400 }),
    );
  });

  it.each([
    ["jpy", 500, { currency_code: "JPY", minor_units: "500" }],
    ["isk", 500, { currency_code: "ISK", minor_units: "5" }],
    ["ugx", 700, { currency_code: "UGX", minor_units: "7" }],
    ["mga", 5, { currency_code: "MGA", minor_units: "500" }],
    ["kwd", 1230, { currency_code: "KWD", minor_units: "1230" }],
    ["huf", 1001, { currency_code: "HUF", minor_units: "1001" }],
  ])(
    "in %s has Stripe's units, and those of ISO 4217 in the journal",
    async (currency, amount, journaled) => {
      const { stripe, lines } = await runStripeSandbox();
      const intent = await stripe.paymentIntents.create(charge({ currency, amount }));
      expect(intent).toMatchObject({ amount, amount_received: amount, currency });
      expect(await lines()).toMatchObject([{ amount: journaled }]);
    },
  );

  it.each([
    ["isk", 550],
    ["kwd", 1234],
    ["eur", 0],
    ["eur", 100_000_000],
  ])("in %s cannot be %d", async (currency, amount) => {
    const { stripe, lines } = await runStripeSandbox();
    const error = await stripeFailure(stripe.paymentIntents.create(charge({ currency, amount })));
    expect(error).toMatchObject({ statusCode: 400, param: "amount" });
    expect(await lines()).toEqual([]);
  });

  it("that is confirmed needs a payment method that does not redirect, or somewhere to return to", async () => {
    const { stripe } = await runStripeSandbox();
    const { allowed_payment_method_types, ...open } = charge();
    const error = await stripeFailure(stripe.paymentIntents.create(open));
    expect(error).toMatchObject({ statusCode: 400, param: "return_url" });

    for (const way of [
      { return_url: "https://example.com/" },
      { automatic_payment_methods: { enabled: true, allow_redirects: "never" } } as const,
      { off_session: true },
    ]) {
      expect(await stripe.paymentIntents.create({ ...open, ...way })).toMatchObject({
        status: "succeeded",
      });
    }
  });

  it("that is not confirmed moves no money, and can be canceled", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const { id, status } = await stripe.paymentIntents.create(charge({ confirm: false }));
    expect(status).toBe("requires_confirmation");
    expect(await stripe.paymentIntents.cancel(id)).toMatchObject({ status: "canceled" });
    expect(await lines()).toEqual([]);
  });
});

describe("the account", () => {
  it("answers a key for tests", async () => {
    const { stripe } = await runStripeSandbox();
    expect(await stripe.balance.retrieve()).toMatchObject({ object: "balance", livemode: false });
    expect(await stripe.accounts.retrieveCurrent()).toMatchObject({ object: "account" });
  });
});

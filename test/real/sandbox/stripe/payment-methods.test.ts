import { describe, expect, it } from "vitest";
import { checkAgainstOpenApi } from "./exchanges.js";
import { charge, isReplayed, key, MANUAL, runStripeSandbox, stripeFailure } from "./support.js";

checkAgainstOpenApi();

describe("a payment method of Stripe's for tests", () => {
  it.each([
    ["pm_card_chargeDeclined", "card_declined", "generic_decline"],
    ["pm_card_visa_chargeDeclined", "card_declined", "generic_decline"],
    ["pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"],
    ["pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"],
    ["pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"],
    ["pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"],
    ["pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"],
  ])(
    "%s declines with %s, and the intent wants another",
    async (payment_method, code, decline_code) => {
      const { stripe, lines } = await runStripeSandbox();

      const error = await stripeFailure(stripe.paymentIntents.create(charge({ payment_method })));

      expect(error).toMatchObject({ type: "StripeCardError", statusCode: 402, code, decline_code });
      const intent = await stripe.paymentIntents.retrieve(error.payment_intent?.id ?? "", {
        expand: ["latest_charge"],
      });
      expect(intent).toMatchObject({
        status: "requires_payment_method",
        payment_method: null,
        amount_received: 0,
        last_payment_error: { type: "card_error", code, decline_code },
        latest_charge: { id: error.charge, status: "failed", paid: false },
      });
      expect(await lines()).toEqual([]);
    },
  );

  it("that there is not is refused, and burns no key", async () => {
    const { stripe } = await runStripeSandbox();
    const payment_method = "pm_unheard";
    const error = await stripeFailure(
      stripe.paymentIntents.create(charge({ payment_method }), key("key-1")),
    );
    expect(error).toMatchObject({
      statusCode: 400,
      code: "resource_missing",
      param: "payment_method",
    });
    expect(isReplayed(await stripe.paymentIntents.create(charge(), key("key-1")))).toBe(false);
  });
});

describe.each(["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"])(
  "%s",
  (payment_method) => {
    it("waits for its customer, and is charged under the first call's key once that agrees", async () => {
      const { stripe, lines, authenticate, url } = await runStripeSandbox();
      const request = charge({ payment_method, return_url: "https://example.com/back" });
      const intent = await stripe.paymentIntents.create(request, key("key-1"));

      expect(intent).toMatchObject({
        status: "requires_action",
        client_secret: expect.stringContaining(intent.id),
        latest_charge: null,
        next_action: {
          type: "redirect_to_url",
          redirect_to_url: {
            return_url: "https://example.com/back",
            url: expect.stringContaining(url),
          },
        },
      });
      expect(await lines()).toEqual([]);

      expect(await authenticate(intent.id, "success")).toMatchObject({
        status: "succeeded",
        next_action: null,
        amount_received: 1000,
      });
      expect(await lines()).toMatchObject([
        { processor_key: "key-1", payment_id: "payment-1", payment_method },
      ]);
      const again = await stripe.paymentIntents.create(request, key("key-1"));
      expect(again.status).toBe("requires_action"); // the first answer
      expect(isReplayed(again)).toBe(true);
    });

    it("without somewhere to return to asks Stripe's own library for it", async () => {
      const { stripe, authenticate } = await runStripeSandbox();
      const { id, next_action } = await stripe.paymentIntents.create(
        charge({ payment_method, ...MANUAL }),
      );
      expect(next_action?.type).toBe("use_stripe_sdk");
      expect((await authenticate(id, "success")).status).toBe("requires_capture");
    });

    it("is not charged where its customer does not agree", async () => {
      const { stripe, lines, authenticate } = await runStripeSandbox();
      const { id } = await stripe.paymentIntents.create(charge({ payment_method }));
      expect(await authenticate(id, "failure")).toMatchObject({
        status: "requires_payment_method",
        last_payment_error: { code: "payment_intent_authentication_failure" },
      });
      expect((await stripeFailure(authenticate(id, "success"))).code).toBe(
        "payment_intent_unexpected_state",
      );
      expect(await lines()).toEqual([]);
    });

    it("can be canceled while it waits", async () => {
      const { stripe, lines } = await runStripeSandbox();
      const { id } = await stripe.paymentIntents.create(charge({ payment_method }));
      expect((await stripe.paymentIntents.cancel(id)).status).toBe("canceled");
      expect(await lines()).toEqual([]);
    });

    it("declines where the customer is away", async () => {
      const { stripe } = await runStripeSandbox();
      const request = charge({ payment_method, off_session: true });
      expect(await stripeFailure(stripe.paymentIntents.create(request))).toMatchObject({
        statusCode: 402,
        code: "authentication_required",
      });
    });

    it("still waits after a restart", async () => {
      const first = await runStripeSandbox();
      const { id } = await first.stripe.paymentIntents.create(
        charge({ payment_method }),
        key("key-1"),
      );
      await first.sandbox.close();

      const { stripe, lines, authenticate } = await runStripeSandbox({ dataDir: first.dataDir });

      expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
        status: "requires_action",
        metadata: { payonce_payment_id: "payment-1" },
      });
      expect((await authenticate(id, "success")).status).toBe("succeeded");
      expect(await lines()).toMatchObject([{ processor_key: "key-1" }]);
    });
  },
);

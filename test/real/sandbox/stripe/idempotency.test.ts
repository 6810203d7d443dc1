import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { EffectType, FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { authorization, authorize, failure, lookup, setFaults } from "../support.js";
import { checkAgainstOpenApi } from "./exchanges.js";
import {
  charge,
  isReplayed,
  key,
  MANUAL,
  runStripeSandbox,
  type StripeSandbox,
  stripeFailure,
} from "./support.js";

checkAgainstOpenApi();

/** The same data directory, served anew. */
async function restart({ sandbox, dataDir }: StripeSandbox): Promise<StripeSandbox> {
  await sandbox.close();
  return runStripeSandbox({ dataDir });
}

const goesOn = async (running: StripeSandbox) => running;

describe.each([
  ["at once", goesOn],
  ["after a restart", restart],
])("a key that comes again %s", (_, then) => {
  it("gets the first answer, whatever became of the intent since, and adds no effect", async () => {
    const running = await runStripeSandbox();
    const { stripe } = running;
    const { id } = await stripe.paymentIntents.create(charge(MANUAL), key("key-1"));
    const part = { amount_to_capture: 600, metadata: { note: "x" } };
    await stripe.paymentIntents.capture(id, part, key("key-2"));
    await stripe.refunds.create({ payment_intent: id, amount: 50 }, key("key-3"));
    const refund = await stripe.refunds.create({ payment_intent: id }, key("key-4"));

    const later = await then(running);
    const created = await later.stripe.paymentIntents.create(charge(MANUAL), key("key-1"));
    const captured = await later.stripe.paymentIntents.capture(id, part, key("key-2"));
    const refunded = await later.stripe.refunds.create({ payment_intent: id }, key("key-4"));

    expect(created).toMatchObject({ id, status: "requires_capture", amount_capturable: 1000 });
    expect(captured).toMatchObject({ id, status: "succeeded", amount_received: 600 });
    expect(refunded).toMatchObject({ id: refund.id, amount: 550 });
    expect([created, captured, refunded].map(isReplayed)).toEqual([true, true, true]);
    expect(isReplayed(refund)).toBe(false);
    expect(await later.lines()).toHaveLength(4);
  });

  it("gets the same decline, with the same intent", async () => {
    const running = await runStripeSandbox();
    const declined = charge({ payment_method: "pm_card_chargeDeclined" });
    const first = await stripeFailure(running.stripe.paymentIntents.create(declined, key("key-1")));

    const later = await then(running);
    const second = await stripeFailure(later.stripe.paymentIntents.create(declined, key("key-1")));

    expect(second.raw).toMatchObject({
      statusCode: 402,
      payment_intent: { id: first.payment_intent?.id, status: "requires_payment_method" },
    });
    expect(second.headers?.["idempotent-replayed"]).toBe("true");
  });

  it("gets the declined capture as it was, with the intent that was captured since", async () => {
    const running = await runStripeSandbox();
    const { id } = await running.stripe.paymentIntents.create(charge(MANUAL));
    const decline = { action: FaultAction.DECLINE, effectType: EffectType.CAPTURE };
    await running.grpc.call(setFaults, { faults: [decline] });
    await stripeFailure(running.stripe.paymentIntents.capture(id, {}, key("key-1")));
    await running.stripe.paymentIntents.capture(id);

    const later = await then(running);
    const error = await stripeFailure(later.stripe.paymentIntents.capture(id, {}, key("key-1")));

    expect(error).toMatchObject({
      statusCode: 402,
      decline_code: "armed_decline",
      payment_intent: { id, status: "requires_capture", amount_received: 0 },
    });
  });

  it("gets the same refusal by the state, which is another by then", async () => {
    const running = await runStripeSandbox();
    const { id } = await running.stripe.paymentIntents.create(charge(MANUAL));
    const refund = { payment_intent: id };
    const first = await stripeFailure(running.stripe.refunds.create(refund, key("key-1")));
    await running.stripe.paymentIntents.capture(id);

    const later = await then(running);
    const second = await stripeFailure(later.stripe.refunds.create(refund, key("key-1")));

    expect([first, second].map(({ code }) => code)).toEqual([
      "payment_intent_unexpected_state",
      "payment_intent_unexpected_state",
    ]);
    expect(second.headers?.["idempotent-replayed"]).toBe("true");
    expect((await later.stripe.refunds.create(refund)).status).toBe("succeeded");
  });

  it("gets the same 500, though the money moved: only a look-up tells", async () => {
    const running = await runStripeSandbox();
    const request = charge({ payment_method: "tok_error_after_charge" });
    const first = await stripeFailure(running.stripe.paymentIntents.create(request, key("key-1")));

    const later = await then(running);
    const second = await stripeFailure(later.stripe.paymentIntents.create(request, key("key-1")));

    expect([first.statusCode, second.statusCode]).toEqual([500, 500]);
    expect(second.type).toBe("StripeAPIError");
    expect(await later.lines()).toHaveLength(1);
    const { data } = await later.stripe.paymentIntents.search({
      query: "metadata['payonce_payment_id']:'payment-1'",
    });
    expect(data).toMatchObject([{ status: "succeeded", amount_received: 1000 }]);
  });

  it.each<readonly [string, (running: StripeSandbox) => Promise<unknown>]>([
    [
      "parameters",
      ({ stripe }) => stripe.paymentIntents.create(charge({ amount: 999 }), key("key-1")),
    ],
    [
      "metadata",
      ({ stripe }) => stripe.paymentIntents.create(charge({ metadata: {} }), key("key-1")),
    ],
    ["endpoint", ({ stripe }) => stripe.refunds.create({ payment_intent: "pi_1" }, key("key-1"))],
  ])("is refused with another %s, and no effect is added", async (_, change) => {
    const running = await runStripeSandbox();
    await running.stripe.paymentIntents.create(charge(), key("key-1"));

    const later = await then(running);
    const error = await stripeFailure(change(later));

    expect(error).toMatchObject({ statusCode: 400, type: "StripeIdempotencyError" });
    expect(error.message).toContain("key-1");
    expect(await later.lines()).toHaveLength(1);
  });
});

describe("a key", () => {
  it("in whatever order its parameters come is the same call", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const metadata = { payonce_payment_id: "payment-1", b: "2", a: "1" };
    await stripe.paymentIntents.create(charge({ metadata }), key("key-1"));
    const { amount, currency, ...rest } = charge({
      metadata: { a: "1", b: "2", payonce_payment_id: "payment-1" },
    });
    const again = await stripe.paymentIntents.create({ ...rest, currency, amount }, key("key-1"));
    expect(isReplayed(again)).toBe(true);
    expect(await lines()).toHaveLength(1);
  });

  it("whose call is in flight is refused with 409, and free once it has ended", async () => {
    const { stripe, grpc, lines } = await runStripeSandbox();
    const delay = { seconds: 2n };
    await grpc.call(setFaults, { faults: [{ action: FaultAction.DELAY_BEFORE, delay }] });

    const first = stripe.paymentIntents.create(charge(), key("key-1"));
    await expect
      .poll(async () => (await grpc.call(lookup, { processorKey: "key-1" })).calls)
      .toBe(1n);
    const error = await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")));
    expect(error).toMatchObject({
      statusCode: 409,
      rawType: "idempotency_error",
      code: "idempotency_key_in_use",
    });
    await first;

    expect(isReplayed(await stripe.paymentIntents.create(charge(), key("key-1")))).toBe(true);
    expect(await lines()).toHaveLength(1);
  });

  it("is not used up by parameters that are refused", async () => {
    const { stripe } = await runStripeSandbox();
    const wrong = await stripeFailure(
      stripe.paymentIntents.create(charge({ amount: 0 }), key("key-1")),
    );
    expect(wrong.statusCode).toBe(400);
    expect(isReplayed(await stripe.paymentIntents.create(charge(), key("key-1")))).toBe(false);
  });

  it("takes 255 characters and no more", async () => {
    const { stripe, lines } = await runStripeSandbox();
    await stripe.paymentIntents.create(charge(), key("k".repeat(255)));
    const error = await stripeFailure(stripe.paymentIntents.create(charge(), key("k".repeat(256))));
    expect(error.statusCode).toBe(400);
    expect(await lines()).toHaveLength(1);
  });

  it("of the client's own making is another for every call", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const one = await stripe.paymentIntents.create(charge());
    const other = await stripe.paymentIntents.create(charge());
    expect(one.id).not.toBe(other.id);
    const keys = (await lines()).map(({ processor_key }) => processor_key);
    expect(new Set(keys).size).toBe(2);
  });

  it("is one of both faces: what the gRPC face decided is another call to this one", async () => {
    const { stripe, grpc, lines } = await runStripeSandbox();
    await grpc.call(authorize, authorization({ processorKey: "key-1" }));
    const error = await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")));
    expect(error).toMatchObject({ statusCode: 400, type: "StripeIdempotencyError" });

    await stripe.paymentIntents.create(charge(), key("key-2"));
    const reused = await failure(grpc.call(authorize, authorization({ processorKey: "key-2" })));
    expect(reused.code).toBe(status.FAILED_PRECONDITION);
    expect(await lines()).toHaveLength(2);
  });

  it.each([
    ["pm_card_visa", 2],
    ["tok_error_after_charge", 2],
  ])(
    "that is forgotten charges %s again, and has the newer answer also after a restart",
    async (payment_method, effects) => {
      const running = await runStripeSandbox();
      const request = charge({ payment_method });
      const create = ({ stripe }: StripeSandbox) =>
        stripe.paymentIntents.create(request, key("key-1")).then(
          ({ id }) => id,
          ({ statusCode }) => statusCode,
        );
      const first = await create(running);
      await running.grpc.call(setFaults, { faults: [{ action: FaultAction.FORGET_KEY }] });

      const second = await create(running);

      expect(await running.lines()).toHaveLength(effects);
      expect(second === first).toBe(first === 500);
      const later = await restart(running);
      expect(await create(later)).toBe(second);
      expect(await later.lines()).toHaveLength(effects);
    },
  );

  it("of twenty calls at once has one effect; the others are told to come again, or get its answer", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const calls = Array.from({ length: 20 }, () =>
      stripe.paymentIntents.create(charge(), key("key-1")),
    );
    const ended = await Promise.allSettled(calls);
    const statuses = ended.map((each) =>
      each.status === "fulfilled" ? 200 : each.reason.statusCode,
    );
    expect(new Set([...statuses, 200, 409])).toEqual(new Set([200, 409]));
    expect(await lines()).toHaveLength(1);
  });
});

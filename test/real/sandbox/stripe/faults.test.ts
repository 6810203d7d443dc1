import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { EffectType, FaultAction } from "../../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { setFaults } from "../support.js";
import { checkAgainstOpenApi } from "./exchanges.js";
import {
  charge,
  isReplayed,
  key,
  MANUAL,
  runStripeSandbox,
  stripeClient,
  stripeFailure,
} from "./support.js";

checkAgainstOpenApi();

describe("a fault that the gRPC face armed meets this face's next call", () => {
  it.each([
    ["UNAVAILABLE", 503, "StripeAPIError"],
    ["INTERNAL", 500, "StripeAPIError"],
    ["RESOURCE_EXHAUSTED", 429, "StripeRateLimitError"],
    ["ABORTED", 409, "StripeAPIError"],
    ["UNAUTHENTICATED", 401, "StripeAuthenticationError"],
    ["PERMISSION_DENIED", 403, "StripePermissionError"],
    ["INVALID_ARGUMENT", 400, "StripeInvalidRequestError"],
  ] as const)(
    "ERROR_BEFORE with %s is a %d, and nothing was done",
    async (code, statusCode, type) => {
      const { stripe, grpc, lines } = await runStripeSandbox();
      const fault = { action: FaultAction.ERROR_BEFORE, code: status[code] };
      await grpc.call(setFaults, { faults: [fault] });

      const error = await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")));

      expect(error).toMatchObject({ statusCode, type });
      expect(await lines()).toEqual([]);
      expect(isReplayed(await stripe.paymentIntents.create(charge(), key("key-1")))).toBe(false);
    },
  );

  it("ERROR_AFTER with what stands before the API is no answer of the key: the next call gets it", async () => {
    const { stripe, grpc, lines } = await runStripeSandbox();
    const fault = { action: FaultAction.ERROR_AFTER, code: status.UNAVAILABLE };
    await grpc.call(setFaults, { faults: [fault] });

    const error = await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")));

    expect(error.statusCode).toBe(503);
    expect(isReplayed(await stripe.paymentIntents.create(charge(), key("key-1")))).toBe(true);
    expect(await lines()).toHaveLength(1);
  });

  it.each([
    ["DROP_BEFORE", 0],
    ["DROP_AFTER", 1],
  ] as const)("%s closes the connection", async (action, effects) => {
    const { stripe, grpc, lines } = await runStripeSandbox();
    await grpc.call(setFaults, { faults: [{ action: FaultAction[action] }] });

    const error = await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")));

    expect(error.type).toBe("StripeConnectionError");
    expect(await lines()).toHaveLength(effects);
    const again = await stripe.paymentIntents.create(charge(), key("key-1"));
    expect(isReplayed(again)).toBe(effects === 1);
    expect(await lines()).toHaveLength(1);
  });

  it("NEVER gives no answer and does nothing; the key is free once the client has given up", async () => {
    const { grpc, sandbox, lines } = await runStripeSandbox();
    const hasty = stripeClient(sandbox.stripeAddress ?? "", 300);
    await grpc.call(setFaults, { faults: [{ action: FaultAction.NEVER }] });

    const error = await stripeFailure(hasty.paymentIntents.create(charge(), key("key-1")));

    expect(error.type).toBe("StripeConnectionError");
    expect(await lines()).toEqual([]);
    await expect
      .poll(
        () =>
          hasty.paymentIntents.create(charge(), key("key-1")).then(({ status }) => status, String),
        { timeout: 10_000 },
      )
      .toBe("succeeded");
  });

  it("DELAY_AFTER answers late; what a client that gave up asked for is done", async () => {
    const { stripe, grpc, sandbox, lines } = await runStripeSandbox();
    const hasty = stripeClient(sandbox.stripeAddress ?? "", 1_000);
    const delay = { seconds: 3n };
    await grpc.call(setFaults, { faults: [{ action: FaultAction.DELAY_AFTER, delay }] });

    const error = await stripeFailure(hasty.paymentIntents.create(charge(), key("key-1")));

    expect(error.type).toBe("StripeConnectionError");
    expect(await lines()).toHaveLength(1);
    expect((await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")))).code).toBe(
      "idempotency_key_in_use",
    );
    await expect
      .poll(() => stripe.paymentIntents.create(charge(), key("key-1")).then(isReplayed, String), {
        timeout: 10_000,
      })
      .toBe(true);
  });

  it("DECLINE is the final answer of an intent, a capture and a refund", async () => {
    const { stripe, grpc } = await runStripeSandbox();
    const { id } = await stripe.paymentIntents.create(charge(MANUAL));
    const decline = { action: FaultAction.DECLINE, declineCode: "do_not_honor" };
    await grpc.call(setFaults, {
      faults: [
        decline,
        { ...decline, effectType: EffectType.CAPTURE },
        { ...decline, effectType: EffectType.REFUND },
      ],
    });
    const declined = { statusCode: 402, code: "card_declined", decline_code: "do_not_honor" };

    expect(await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")))).toMatchObject(
      declined,
    );
    expect(await stripeFailure(stripe.paymentIntents.create(charge(), key("key-1")))).toMatchObject(
      declined,
    );
    expect(await stripeFailure(stripe.paymentIntents.capture(id))).toMatchObject({
      ...declined,
      payment_intent: { id, status: "requires_capture" },
    });
    await stripe.paymentIntents.capture(id);
    expect(await stripeFailure(stripe.refunds.create({ payment_intent: id }))).toMatchObject({
      ...declined,
      payment_intent: { id, status: "succeeded" },
    });
  });

  it("HIDE_FROM_LOOKUP hides an intent from one search or list, and from no retrieval", async () => {
    const { stripe, grpc } = await runStripeSandbox();
    const { id } = await stripe.paymentIntents.create(charge(), key("key-1"));
    const query = "metadata['payonce_payment_id']:'payment-1'";
    const hide = { action: FaultAction.HIDE_FROM_LOOKUP, processorKey: "key-1", count: 2 };
    await grpc.call(setFaults, { faults: [hide] });

    expect((await stripe.paymentIntents.search({ query })).data).toEqual([]);
    expect((await stripe.paymentIntents.list()).data).toEqual([]);

    expect((await stripe.paymentIntents.retrieve(id)).id).toBe(id);
    expect((await stripe.paymentIntents.search({ query })).data).toHaveLength(1);
    expect((await stripe.paymentIntents.list()).data).toHaveLength(1);
  });
});

describe("a token of the sandbox", () => {
  it("tok_drop_reply charges, closes the connection, and answers the next call", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const request = charge({ payment_method: "tok_drop_reply" });
    const error = await stripeFailure(stripe.paymentIntents.create(request, key("key-1")));
    expect(error.type).toBe("StripeConnectionError");
    expect(await stripe.paymentIntents.create(request, key("key-1"))).toMatchObject({
      status: "succeeded",
    });
    expect(await lines()).toHaveLength(1);
  });

  it("tok_unreachable closes the connection twice, then charges", async () => {
    const { stripe, lines } = await runStripeSandbox();
    const request = charge({ payment_method: "tok_unreachable" });
    for (const _ of [1, 2]) {
      const error = await stripeFailure(stripe.paymentIntents.create(request, key("key-1")));
      expect(error.type).toBe("StripeConnectionError");
      expect(await lines()).toEqual([]);
    }
    await stripe.paymentIntents.create(request, key("key-1"));
    expect(await lines()).toHaveLength(1);
  });

  it("tok_slow charges after 3 s, and tok_never does not answer", async () => {
    const { stripe, sandbox, lines } = await runStripeSandbox();
    const slow = stripe.paymentIntents.create(charge({ payment_method: "tok_slow" }));
    const hasty = stripeClient(sandbox.stripeAddress ?? "", 500);
    const error = await stripeFailure(
      hasty.paymentIntents.create(charge({ payment_method: "tok_never" })),
    );
    expect(error.type).toBe("StripeConnectionError");
    expect(await lines()).toEqual([]);
    expect((await slow).status).toBe("succeeded");
  });

  it.each([
    ["tok_declined", "declined"],
    ["tok_insufficient_funds", "insufficient_funds"],
    ["tok_from_elsewhere", "unknown_payment_method"],
  ])("%s declines with %s", async (payment_method, decline_code) => {
    const { stripe, lines } = await runStripeSandbox();
    const error = await stripeFailure(stripe.paymentIntents.create(charge({ payment_method })));
    expect(error).toMatchObject({ statusCode: 402, code: "card_declined", decline_code });
    expect(await lines()).toEqual([]);
  });
});

import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GetPaymentRequestSchema } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Final, NotExecuted } from "../../../src/idempotency/answers/errors.js";
import { paymentIdOf } from "../../../src/payments/operation.js";
import { type Processor, ProcessorRefused } from "../../../src/payments/processor.js";
import {
  approve,
  captureRequest,
  eur,
  type PaymentsUnderTest,
  readContext,
  refundRequest,
  scripted,
  startPayments,
} from "./support.js";

const WINDOW_MS = 86_400_000;

let payments: PaymentsUnderTest;
beforeAll(async () => {
  payments = await startPayments();
});
afterAll(() => payments.stop());

const reasonOf = (reason: string, more = {}) =>
  expect.objectContaining({ description: expect.objectContaining({ reason, ...more }) });

const lately = { restoredAgoMs: () => WINDOW_MS / 2 };
const longAgo = { restoredAgoMs: () => 2 * WINDOW_MS };

/** The id of a payment that a call with this key would create. */
function idOf(key: string): string {
  const operation = "payonce.payments.v1.PaymentService/CreatePayment";
  return paymentIdOf({ tenant: "acme", operation, key });
}

/** A processor that has executed every call before, as the database does not know. */
function knowing(): Processor {
  return { ...scripted(approve), lookUp: async () => ({ decision: { kind: "approved" } }) };
}

describe("a database that was restored a short while ago", () => {
  it("does not know whether a payment exists; its capture succeeds after its creation", async () => {
    const service = payments.serve(knowing(), lately);
    const capture = async () =>
      service.capturePayment(
        captureRequest(idOf("lost"), 400n),
        await payments.claim("CapturePayment", "capture-lost"),
      );
    const tried = await payments.claim("CapturePayment", "capture-lost");
    const early = service.capturePayment(captureRequest(idOf("lost"), 400n), tried);
    await expect(early).rejects.toBeInstanceOf(NotExecuted);
    await expect(early).rejects.toEqual(
      reasonOf("OUTCOME_UNKNOWN", { next: "retry_same_key", retryDelayMs: expect.any(Number) }),
    );
    // As the executor does for what was not executed.
    await payments.pool.query("DELETE FROM idempotency_records");
    await payments.createPayment("lost");
    expect((await capture()).payment).toMatchObject({ captured: eur(400n) });
  });

  it("refuses nothing for good by the state of a payment, which may be an older one", async () => {
    const id = await payments.createPayment("older");
    const call = payments
      .serve(knowing(), lately)
      .refundPayment(refundRequest(id), await payments.claim("RefundPayment", "refund-older"));
    await expect(call).rejects.toBeInstanceOf(NotExecuted);
    await expect(call).rejects.toEqual(reasonOf("OUTCOME_UNKNOWN"));
  });

  it("is recognised before a call is refused for good, also where nobody has noticed it yet", async () => {
    const id = await payments.createPayment("unnoticed");
    let restoredAgoMs: number | undefined;
    const service = payments.serve(knowing(), {
      restoredAgoMs: () => restoredAgoMs,
      lookForRestore: async () => {
        restoredAgoMs = 1;
      },
    });
    const context = await payments.claim("RefundPayment", "refund-unnoticed");
    const call = service.refundPayment(refundRequest(id), context);
    await expect(call).rejects.toBeInstanceOf(NotExecuted);
    await expect(call).rejects.toEqual(reasonOf("OUTCOME_UNKNOWN"));
    restoredAgoMs = undefined;
    const request = create(GetPaymentRequestSchema, {
      lookup: { case: "idempotencyKey", value: "never-seen-either" },
    });
    await expect(service.getPayment(request, readContext("acme"))).rejects.toEqual(
      reasonOf("OUTCOME_UNKNOWN"),
    );
  });

  it("refuses nothing for good while nobody can look", async () => {
    const id = await payments.createPayment("unseen");
    const away = { lookForRestore: () => Promise.reject(new Error("away")) };
    const context = await payments.claim("RefundPayment", "refund-unseen");
    const call = payments.serve(scripted(approve), away).refundPayment(refundRequest(id), context);
    await expect(call).rejects.toEqual(reasonOf("OUTCOME_UNKNOWN"));
  });

  it("refuses for good what the processor has never heard of", async () => {
    const id = await payments.createPayment("never-heard");
    const context = await payments.claim("RefundPayment", "refund-never-heard");
    const call = payments
      .serve(scripted(approve), lately)
      .refundPayment(refundRequest(id), context);
    await expect(call).rejects.toEqual(reasonOf("PAYMENT_NOT_REFUNDABLE"));
    await expect(call).rejects.toBeInstanceOf(Final);
  });

  it("believes no look-up while calls from before may still arrive, or where it fails", async () => {
    const id = await payments.createPayment("arriving");
    const refund = async (processor: Processor, restoredAgoMs: number) =>
      payments
        .serve(processor, { restoredAgoMs: () => restoredAgoMs, longestCallMs: 10_000 })
        .refundPayment(
          refundRequest(id),
          await payments.claim("RefundPayment", `arriving-${restoredAgoMs}`),
        );
    await expect(refund(scripted(approve), 19_999)).rejects.toEqual(reasonOf("OUTCOME_UNKNOWN"));
    const away = { ...scripted(approve), lookUp: () => Promise.reject(new Error("away")) };
    await expect(refund(away, 20_001)).rejects.toEqual(reasonOf("OUTCOME_UNKNOWN"));
  });

  it("refuses for good what the processor has declined: nothing was executed that could be lost", async () => {
    const id = await payments.createPayment("declined");
    const declining: Processor = {
      ...scripted(approve),
      lookUp: async () => ({ decision: { kind: "declined", declineCode: "declined" } }),
    };
    const context = await payments.claim("RefundPayment", "refund-declined");
    const call = payments.serve(declining, lately).refundPayment(refundRequest(id), context);
    await expect(call).rejects.toEqual(reasonOf("PAYMENT_NOT_REFUNDABLE"));
    await expect(call).rejects.toBeInstanceOf(Final);
  });

  it("does not say of a payment that it is not there", async () => {
    const request = create(GetPaymentRequestSchema, {
      lookup: { case: "idempotencyKey", value: "never-seen" },
    });
    const get = (restored: Parameters<PaymentsUnderTest["serve"]>[1]) =>
      payments.serve(scripted(approve), restored).getPayment(request, readContext("acme"));
    await expect(get(lately)).rejects.toEqual(reasonOf("OUTCOME_UNKNOWN"));
    await expect(get(longAgo)).rejects.toEqual(reasonOf("PAYMENT_NOT_FOUND"));
    await expect(get({})).rejects.toEqual(reasonOf("PAYMENT_NOT_FOUND"));
  });
});

describe("a payment that is not there", () => {
  it("may be created later, so its capture is not refused for good", async () => {
    const context = await payments.claim("CapturePayment", "early");
    const call = payments
      .serve(scripted(approve), longAgo)
      .capturePayment(captureRequest(idOf("later"), 400n), context);
    await expect(call).rejects.toBeInstanceOf(NotExecuted);
    await expect(call).rejects.toEqual(reasonOf("PAYMENT_NOT_FOUND", { code: 5 }));
  });

  it("can never be created with an id that no call makes", async () => {
    const context = await payments.claim("CapturePayment", "made-up");
    const call = payments
      .serve(scripted(approve), lately)
      .capturePayment(captureRequest("pay_x", 400n), context);
    await expect(call).rejects.toBeInstanceOf(Final);
  });
});

describe("a capture of all that remains that comes again after a restore", () => {
  /** A processor that has captured 400 under every key, and approves whatever is new. */
  const captured: Processor = {
    ...scripted(approve),
    capture: async () => {
      throw new ProcessorRefused("key_reused", "another amount");
    },
    lookUp: async () => ({ decision: { kind: "approved" }, amount: eur(400n) }),
  };

  it("is booked for the amount that it was executed for", async () => {
    const id = await payments.createPayment("remaining");
    const context = await payments.claim("CapturePayment", "rest");
    const { payment } = await payments.serve(captured).capturePayment(captureRequest(id), context);
    expect(payment).toMatchObject({ captured: eur(400n) });
    // Nothing stays reserved of what remained.
    const next = await payments.claim("CapturePayment", "rest-2");
    const rest = await payments
      .serve(scripted(approve))
      .capturePayment(captureRequest(id, 600n), next);
    expect(rest.payment).toMatchObject({ captured: eur(1000n) });
  });

  it("is left to an operator where its amount was named", async () => {
    const id = await payments.createPayment("named");
    const context = await payments.claim("CapturePayment", "named");
    const call = payments.serve(captured).capturePayment(captureRequest(id, 300n), context);
    await expect(call).rejects.toThrow(/refuses the call/);
  });
});

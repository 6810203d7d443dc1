import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CaptureMethod,
  PaymentStatus,
  RefundPaymentResponseSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { Final, NotExecuted } from "../../../src/idempotency/answers/errors.js";
import {
  approve,
  cancelRequest,
  captureRequest,
  createRequest,
  decline,
  entriesOf,
  eur,
  eventsOf,
  type PaymentsUnderTest,
  refundRequest,
  scripted,
  startPayments,
} from "./support.js";

let payments: PaymentsUnderTest;
beforeAll(async () => {
  payments = await startPayments();
});
afterAll(() => payments.stop());

const reasonOf = (reason: string, more = {}) =>
  expect.objectContaining({ description: expect.objectContaining({ reason, ...more }) });

describe("a payment with automatic capture", () => {
  it("is authorized, captured and booked in one effect", async () => {
    const processor = scripted(approve);
    const context = await payments.claim("CreatePayment", "auto");
    const { payment } = await payments
      .serve(processor)
      .createPayment(createRequest({ captureMethod: CaptureMethod.AUTOMATIC }), context);
    expect(payment).toMatchObject({
      status: PaymentStatus.CAPTURED,
      authorized: eur(1000n),
      captured: eur(1000n),
      version: 2n,
    });
    expect(processor.calls).toEqual([
      { method: "authorize", processorKey: expect.stringMatching(/^pk_/), minorUnits: 1000n },
    ]);
    const id = payment?.id ?? "";
    expect(await eventsOf(payments.pool, id)).toEqual(["1 PROCESSING", "2 CAPTURED"]);
    expect(await entriesOf(payments.pool, id)).toEqual([
      "processor_receivable 1000",
      "merchant_payable -1000",
    ]);
  });
});

describe("a declined card", () => {
  it("is an answer, with the decline code and nothing booked", async () => {
    const context = await payments.claim("CreatePayment", "declined");
    const { payment } = await payments
      .serve(scripted(decline))
      .createPayment(createRequest(), context);
    expect(payment).toMatchObject({
      status: PaymentStatus.DECLINED,
      declineCode: "no_funds",
      authorized: eur(0n),
      version: 2n,
    });
    expect(await entriesOf(payments.pool, payment?.id ?? "")).toEqual([]);
    expect((await payments.storedOutcome(context))?.code).toBe(0);
  });
});

describe("an authorized payment", () => {
  it("is captured in parts and refunded in parts, each a transition and a booking", async () => {
    const id = await payments.createPayment("parts");
    const service = payments.serve(scripted(approve));
    await service.capturePayment(
      captureRequest(id, 400n),
      await payments.claim("CapturePayment", "parts-1"),
    );
    await service.capturePayment(
      captureRequest(id),
      await payments.claim("CapturePayment", "parts-2"),
    );
    await service.refundPayment(
      refundRequest(id, 100n),
      await payments.claim("RefundPayment", "parts-3"),
    );
    const last = await payments.claim("RefundPayment", "parts-4");
    const answer = await service.refundPayment(refundRequest(id), last);
    expect(answer.refund).toMatchObject({ paymentId: id, amount: eur(900n) });
    expect(answer.refund?.id).toMatch(/^ref_[0-9a-f]{40}$/);
    const stored = await payments.storedOutcome(last);
    expect(fromBinary(RefundPaymentResponseSchema, stored?.body ?? new Uint8Array())).toMatchObject(
      answer,
    );
    expect(await eventsOf(payments.pool, id)).toEqual([
      "1 PROCESSING",
      "2 AUTHORIZED",
      "3 PARTIALLY_CAPTURED",
      "4 CAPTURED",
      "5 CAPTURED",
      "6 CAPTURED",
    ]);
    expect(await entriesOf(payments.pool, id)).toEqual([
      "processor_receivable 400",
      "merchant_payable -400",
      "processor_receivable 600",
      "merchant_payable -600",
      "processor_receivable -100",
      "merchant_payable 100",
      "processor_receivable -900",
      "merchant_payable 900",
    ]);
  });

  it("is canceled, and not captured after that", async () => {
    const id = await payments.createPayment("canceled");
    const service = payments.serve(scripted(approve));
    const { payment } = await service.cancelPayment(
      cancelRequest(id),
      await payments.claim("CancelPayment", "canceled"),
    );
    expect(payment).toMatchObject({ status: PaymentStatus.CANCELED, version: 3n });
    const late = service.capturePayment(
      captureRequest(id),
      await payments.claim("CapturePayment", "canceled"),
    );
    await expect(late).rejects.toBeInstanceOf(Final);
    await expect(late).rejects.toEqual(reasonOf("PAYMENT_NOT_CAPTURABLE", { code: 9 }));
  });
});

describe("an operation that the processor declines", () => {
  it.each([
    ["CapturePayment", CaptureMethod.MANUAL, "PAYMENT_NOT_CAPTURABLE"],
    ["CancelPayment", CaptureMethod.MANUAL, "PAYMENT_NOT_CANCELABLE"],
    ["RefundPayment", CaptureMethod.AUTOMATIC, "PAYMENT_NOT_REFUNDABLE"],
  ] as const)(
    "%s: is refused for good and changes nothing",
    async (method, captureMethod, reason) => {
      const id = await payments.createPayment(`refused-${method}`, { captureMethod });
      const before = await payments.getPayment(id);
      const context = await payments.claim(method, "refused");
      const perform = (processor = scripted(decline), call = context) => {
        const service = payments.serve(processor);
        switch (method) {
          case "CapturePayment":
            return service.capturePayment(captureRequest(id), call);
          case "CancelPayment":
            return service.cancelPayment(cancelRequest(id), call);
          case "RefundPayment":
            return service.refundPayment(refundRequest(id), call);
        }
      };
      const error = reasonOf(reason, { code: 9, metadata: { decline_code: "no_funds" } });
      await expect(perform()).rejects.toEqual(error);
      expect(await payments.getPayment(id)).toEqual(before);

      // Its owner may die before the error is stored: the next attempt repeats it.
      const next = await payments.takeOver(context);
      const unused = scripted(approve);
      await expect(perform(unused, next)).rejects.toEqual(error);
      expect(unused.calls).toEqual([]);

      // What was reserved is free again.
      const other = await payments.claim(method, "refused-other");
      await expect(perform(scripted(approve), other)).resolves.toBeDefined();
    },
  );
});

describe("an operation that cannot begin", () => {
  it("is refused for good on a payment that does not exist", async () => {
    const context = await payments.claim("CapturePayment", "missing");
    const call = payments.serve(scripted(approve)).capturePayment(captureRequest("pay_x"), context);
    await expect(call).rejects.toBeInstanceOf(Final);
    await expect(call).rejects.toEqual(reasonOf("PAYMENT_NOT_FOUND", { code: 5 }));
  });

  it("is refused for good on another tenant's payment, as if there were none", async () => {
    const id = await payments.createPayment("mine");
    const context = await payments.claim("CapturePayment", "theirs", { tenant: "other" });
    const call = payments.serve(scripted(approve)).capturePayment(captureRequest(id), context);
    await expect(call).rejects.toEqual(reasonOf("PAYMENT_NOT_FOUND"));
  });

  it("frees its key while the payment is busy, and writes nothing", async () => {
    const context = await payments.claim("CreatePayment", "busy");
    const service = payments.serve(
      scripted(async () => {
        throw new Error("connection reset");
      }),
    );
    await expect(service.createPayment(createRequest(), context)).rejects.toThrow("not known");
    const { rows } = await payments.pool.query("SELECT id FROM payments WHERE status = 'UNKNOWN'");
    const call = service.capturePayment(
      captureRequest(rows[0]?.id),
      await payments.claim("CapturePayment", "busy"),
    );
    await expect(call).rejects.toBeInstanceOf(NotExecuted);
    await expect(call).rejects.toEqual(
      reasonOf("PAYMENT_BUSY", { code: 10, retryDelayMs: expect.any(Number) }),
    );
  });

  it("is proved not executed when the request is not valid", async () => {
    const context = await payments.claim("CreatePayment", "invalid");
    const call = payments
      .serve(scripted(approve))
      .createPayment(createRequest({ paymentMethod: "" }), context);
    await expect(call).rejects.toEqual(
      reasonOf("FIELD_INVALID", { code: 3, field: "payment_method" }),
    );
    await expect(call).rejects.toMatchObject({ declared: "not_executed" });
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PaymentStatus } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { NotExecuted, Parked } from "../../../src/idempotency/answers/errors.js";
import { ProcessorRefused, ProcessorUnknown } from "../../../src/payments/processor.js";
import {
  approve,
  captureRequest,
  createRequest,
  dropReply,
  eur,
  type PaymentsUnderTest,
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

/** A key whose record is gone while its operation is there, as a build that released too much left it. */
async function loseRecords(): Promise<void> {
  await payments.pool.query("DELETE FROM idempotency_records");
}

describe("an operation that began for one request", () => {
  it("is not gone on with for another one, even where the key has no record", async () => {
    const paymentId = await payments.createPayment("mine");
    const other = await payments.createPayment("other");
    const parked = await payments.claim("CapturePayment", "freed", { request: "90 of mine" });
    await expect(
      payments.serve(scripted(dropReply)).capturePayment(captureRequest(paymentId, 90n), parked),
    ).rejects.toBeInstanceOf(ProcessorUnknown);
    await loseRecords();

    const processor = scripted(approve);
    const changed = await payments.claim("CapturePayment", "freed", { request: "1 of other" });
    const call = payments.serve(processor).capturePayment(captureRequest(other, 1n), changed);
    await expect(call).rejects.toBeInstanceOf(NotExecuted);
    await expect(call).rejects.toEqual(reasonOf("IDEMPOTENCY_KEY_REUSED", { code: 9 }));
    expect(processor.calls).toEqual([]);

    await loseRecords();
    const same = await payments.claim("CapturePayment", "freed", { request: "90 of mine" });
    await payments.serve(processor).capturePayment(captureRequest(paymentId, 90n), same);
    expect(processor.calls).toMatchObject([{ method: "capture", minorUnits: 90n }]);
    expect(await payments.getPayment(paymentId)).toMatchObject({ captured: eur(90n) });
  });

  it("answers nobody else's request once it is finished", async () => {
    const context = await payments.claim("CreatePayment", "finished", { request: "100.00" });
    await payments.serve(scripted(approve)).createPayment(createRequest(), context);
    await loseRecords();
    const other = await payments.claim("CreatePayment", "finished", { request: "2.50" });
    const call = payments.serve(scripted(approve)).createPayment(createRequest(), other);
    await expect(call).rejects.toEqual(reasonOf("IDEMPOTENCY_KEY_REUSED"));
  });
});

describe("a processor that refuses a call for good", () => {
  const refuse = (refusal: ProcessorRefused["refusal"]) =>
    scripted(async () => {
      throw new ProcessorRefused(refusal, "no such method");
    });

  it("has declined it where nothing was sent before", async () => {
    const context = await payments.claim("CreatePayment", "invalid");
    const { payment } = await payments
      .serve(refuse("invalid"))
      .createPayment(createRequest(), context);
    expect(payment).toMatchObject({
      status: PaymentStatus.DECLINED,
      declineCode: "invalid_request",
    });
  });

  it("has done it nonetheless where it knows so, on a first attempt and on a later one", async () => {
    const liar = {
      ...refuse("invalid"),
      lookUp: async () => ({ decision: { kind: "approved" } as const, amount: eur(1000n) }),
    };
    const context = await payments.claim("CreatePayment", "refused-and-done");
    const { payment } = await payments.serve(liar).createPayment(createRequest(), context);
    expect(payment).toMatchObject({ status: PaymentStatus.AUTHORIZED });

    const first = await payments.claim("CreatePayment", "refused-later-and-done");
    await expect(
      payments.serve(scripted(dropReply)).createPayment(createRequest(), first),
    ).rejects.toBeInstanceOf(ProcessorUnknown);
    const next = await payments.takeOver(first);
    const later = await payments.serve(liar).createPayment(createRequest(), next);
    expect(later.payment).toMatchObject({ status: PaymentStatus.AUTHORIZED });
  });

  it("has not done it where it knows of another amount, or cannot be asked", async () => {
    const other = {
      ...refuse("invalid"),
      lookUp: async () => ({ decision: { kind: "approved" } as const, amount: eur(1n) }),
    };
    const context = await payments.claim("CreatePayment", "refused-for-another-amount");
    await expect(
      payments.serve(other).createPayment(createRequest(), context),
    ).rejects.toBeInstanceOf(Parked);

    const away = { ...refuse("invalid"), lookUp: () => Promise.reject(new Error("away")) };
    const asked = await payments.claim("CreatePayment", "refused-and-away");
    await expect(payments.serve(away).createPayment(createRequest(), asked)).rejects.toBeInstanceOf(
      ProcessorUnknown,
    );
  });

  it("leaves it to an operator where an earlier attempt may have acted", async () => {
    const first = await payments.claim("CreatePayment", "refused-later");
    await expect(
      payments.serve(scripted(dropReply)).createPayment(createRequest(), first),
    ).rejects.toBeInstanceOf(ProcessorUnknown);
    const next = await payments.takeOver(first);
    const call = payments.serve(refuse("invalid")).createPayment(createRequest(), next);
    await expect(call).rejects.toBeInstanceOf(Parked);
  });

  it("leaves it to an operator where the database may have lost the earlier attempt", async () => {
    const context = await payments.claim("CreatePayment", "refused-restored");
    const call = payments
      .serve(refuse("invalid"), { restoredAgoMs: () => 1_000 })
      .createPayment(createRequest(), context);
    await expect(call).rejects.toBeInstanceOf(Parked);
  });

  it("leaves it to an operator where the key has done something else", async () => {
    const context = await payments.claim("CreatePayment", "key-reused");
    const call = payments.serve(refuse("key_reused")).createPayment(createRequest(), context);
    await expect(call).rejects.toBeInstanceOf(Parked);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CaptureMethod } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  approve,
  cancelRequest,
  captureRequest,
  entriesOf,
  eur,
  eventsOf,
  heldAnswer,
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

const busy = expect.objectContaining({
  description: expect.objectContaining({ reason: "PAYMENT_BUSY" }),
});
const approved = Promise.resolve({ kind: "approved" } as const);

describe("two operations on one payment at once", () => {
  it("two captures for the last unit: one takes it, the other is told to wait", async () => {
    const id = await payments.createPayment("last-unit");
    const held = heldAnswer();
    const service = payments.serve(scripted(held.script));
    const contexts = [
      await payments.claim("CapturePayment", "last-unit-1"),
      await payments.claim("CapturePayment", "last-unit-2"),
    ];
    const results = contexts.map((context) =>
      service.capturePayment(captureRequest(id, 1000n), context),
    );
    const loser = await Promise.any(
      results.map((result) =>
        result.then(
          () => Promise.reject(),
          (error: unknown) => error,
        ),
      ),
    );
    expect(loser).toEqual(busy);
    held.give(approved);
    const settled = await Promise.allSettled(results);
    expect(settled.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await payments.getPayment(id)).toMatchObject({ captured: eur(1000n), version: 3n });
    expect(await entriesOf(payments.pool, id)).toHaveLength(2);
  });

  it("a cancel waits for a capture in flight", async () => {
    const id = await payments.createPayment("capture-first");
    const held = heldAnswer();
    const service = payments.serve(scripted(held.script));
    const capture = service.capturePayment(
      captureRequest(id, 1n),
      await payments.claim("CapturePayment", "capture-first"),
    );
    await held.asked;
    const cancel = service.cancelPayment(
      cancelRequest(id),
      await payments.claim("CancelPayment", "capture-first"),
    );
    await expect(cancel).rejects.toEqual(busy);
    held.give(approved);
    await capture;
    expect(await eventsOf(payments.pool, id)).toContain("3 PARTIALLY_CAPTURED");
  });

  it("a capture waits for a cancel in flight", async () => {
    const id = await payments.createPayment("cancel-first");
    const held = heldAnswer();
    const service = payments.serve(scripted(held.script));
    const cancel = service.cancelPayment(
      cancelRequest(id),
      await payments.claim("CancelPayment", "cancel-first"),
    );
    await held.asked;
    const capture = service.capturePayment(
      captureRequest(id, 1n),
      await payments.claim("CapturePayment", "cancel-first"),
    );
    await expect(capture).rejects.toEqual(busy);
    held.give(approved);
    await cancel;
    expect(await eventsOf(payments.pool, id)).toContain("3 CANCELED");
  });

  it("two refunds: the second gets what the first leaves", async () => {
    const id = await payments.createPayment("refunds", { captureMethod: CaptureMethod.AUTOMATIC });
    const held = heldAnswer();
    const service = payments.serve(scripted(held.script));
    const first = service.refundPayment(
      refundRequest(id, 600n),
      await payments.claim("RefundPayment", "refunds-1"),
    );
    await held.asked;
    const tooMuch = service.refundPayment(
      refundRequest(id, 401n),
      await payments.claim("RefundPayment", "refunds-2"),
    );
    await expect(tooMuch).rejects.toEqual(busy);
    const second = service.refundPayment(
      refundRequest(id, 400n),
      await payments.claim("RefundPayment", "refunds-3"),
    );
    held.give(approved);
    await Promise.all([first, second]);
    expect(await payments.getPayment(id)).toMatchObject({ refunded: eur(1000n), version: 4n });
  });
});

it("forty captures and refunds at once never exceed a bound, and the ledger balances", async () => {
  const id = await payments.createPayment("storm");
  const service = payments.serve(scripted(approve));
  const captures = Array.from({ length: 20 }, async (_, index) =>
    service.capturePayment(
      captureRequest(id, 100n),
      await payments.claim("CapturePayment", `storm-${index}`),
    ),
  );
  const refunds = Array.from({ length: 20 }, async (_, index) =>
    service.refundPayment(
      refundRequest(id, 70n),
      await payments.claim("RefundPayment", `storm-${index}`),
    ),
  );
  await Promise.allSettled([...captures, ...refunds]);
  const payment = await payments.getPayment(id);
  const captured = payment?.captured?.minorUnits ?? 0n;
  const refunded = payment?.refunded?.minorUnits ?? 0n;
  expect(captured).toBeGreaterThan(0n);
  expect(captured).toBeLessThanOrEqual(1000n);
  expect(refunded).toBeLessThanOrEqual(captured);
  const { rows } = await payments.pool.query(
    `SELECT sum(minor_units) AS total,
            sum(minor_units) FILTER (WHERE account = 'processor_receivable') AS receivable
     FROM ledger_entries WHERE payment_id = $1`,
    [id],
  );
  expect(rows).toEqual([{ total: "0", receivable: String(captured - refunded) }]);
});

import { expect, it } from "vitest";
import type { ListedPayment } from "../../../../src/payments/processor.js";
import { authorization, authorized, later, runFace } from "./support.js";

const ALL = { since: new Date(Date.now() - 60_000), until: new Date(Date.now() + 600_000) };

async function all(list: AsyncIterable<ListedPayment>): Promise<readonly ListedPayment[]> {
  const found: ListedPayment[] = [];
  for await (const payment of list) {
    found.push(payment);
  }
  return found;
}

it("lists what was approved, with what was captured, refunded and given up", async () => {
  const { processor } = await runFace();
  const full = await authorized(processor, { ...authorization("full"), capture: true });
  await processor.refund(later("full", "refund", 300n, full));
  const part = await authorized(processor, authorization("part"));
  await processor.capture(later("part", "capture", 400n, part));
  await processor.refund(later("part", "refund", 100n, part));
  const canceled = await authorized(processor, authorization("canceled"));
  await processor.void(later("canceled", "void", 1n, canceled));
  await processor.authorize(authorization("declined", "tok_declined"));

  const payment = { currencyCode: "EUR", authorized: 1_000n, isCanceled: false };
  const listed = await all(processor.listPayments(ALL));
  expect(listed).toEqual([
    expect.objectContaining({
      ...{ ...payment, reference: canceled, paymentId: "pay_canceled" },
      ...{ captured: 0n, refunded: 0n, isCanceled: true },
    }),
    expect.objectContaining({
      ...{ ...payment, reference: part, paymentId: "pay_part", captured: 400n, refunded: 100n },
    }),
    expect.objectContaining({
      ...{ ...payment, reference: full, paymentId: "pay_full", captured: 1_000n, refunded: 300n },
    }),
  ]);
  expect(Math.abs(Date.now() - Number(listed[0]?.createTime))).toBeLessThan(10_000);
  const before = { since: new Date(0), until: ALL.since };
  expect(await all(processor.listPayments(before))).toEqual([]);
});

it("goes through all pages", async () => {
  const { processor } = await runFace();
  const names = Array.from({ length: 205 }, (_, index) => `page-${index}`);
  for (const name of names) {
    await processor.authorize(authorization(name));
  }
  const listed = await all(processor.listPayments(ALL));
  expect(listed.map(({ paymentId }) => paymentId).reverse()).toEqual(
    names.map((name) => `pay_${name}`),
  );
});

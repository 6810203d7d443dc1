import { describe, expect, it } from "vitest";
import {
  byPayment,
  compare,
  type DifferenceKind,
  type OwnPayment,
} from "../../../src/audit/reconcile/compare.js";
import type { ListedPayment } from "../../../src/payments/processor.js";

const own = (change: Partial<OwnPayment> = {}): OwnPayment => ({
  tenant: "default",
  id: "pay_1",
  status: "CAPTURED",
  currencyCode: "EUR",
  authorized: 1000n,
  captured: 1000n,
  refunded: 300n,
  reference: "",
  receivable: 700n,
  isMoving: false,
  ...change,
});

const charge = (change: Partial<ListedPayment> = {}): ListedPayment => ({
  reference: "pi_1",
  paymentId: "pay_1",
  currencyCode: "EUR",
  authorized: 1000n,
  captured: 1000n,
  refunded: 300n,
  isCanceled: false,
  createTime: new Date("2026-11-01T00:00:00Z"),
  ...change,
});

const kindsOf = (payment: OwnPayment | undefined, ...charges: readonly ListedPayment[]) =>
  compare(payment, byPayment(charges).payments.get("pay_1")).map(({ kind }) => kind);

const held = { captured: 0n, refunded: 0n };

describe("a payment and the processor's charge for it", () => {
  it.each<[string, OwnPayment, ListedPayment]>([
    ["captured and refunded in part", own(), charge()],
    ["authorized", own({ ...held, status: "AUTHORIZED", receivable: 0n }), charge(held)],
    [
      "canceled",
      own({ ...held, status: "CANCELED", receivable: 0n }),
      charge({ ...held, isCanceled: true }),
    ],
  ])("agree where it is %s", (_, payment, listed) => {
    expect(kindsOf(payment, listed)).toEqual([]);
  });

  it.each<[DifferenceKind[], OwnPayment | undefined, readonly ListedPayment[]]>([
    [["missing_here"], undefined, [charge()]],
    [["missing_there"], own(), []],
    [["declined_here"], own({ ...held, status: "DECLINED", receivable: 0n }), [charge()]],
    [["currency"], own(), [charge({ currencyCode: "USD" })]],
    [["authorized"], own({ authorized: 1001n }), [charge()]],
    [["captured", "ledger"], own(), [charge({ captured: 999n })]],
    [["refunded", "ledger"], own(), [charge({ refunded: 301n })]],
    [["ledger"], own({ receivable: 1000n }), [charge()]],
    [
      ["canceled"],
      own({ ...held, status: "AUTHORIZED", receivable: 0n }),
      [charge({ ...held, isCanceled: true })],
    ],
    [
      ["charged_twice", "authorized", "captured", "ledger"],
      own({ refunded: 300n }),
      [charge(), charge({ reference: "pi_2", refunded: 0n })],
    ],
  ])("differ: %j", (kinds, payment, charges) => {
    expect(kindsOf(payment, ...charges)).toEqual(kinds);
  });

  it("differ where the charge in the list is not the one of the payment, which is from another day", () => {
    expect(kindsOf(own({ reference: "pi_1" }), charge())).toEqual([]);
    expect(kindsOf(own({ reference: "pi_1" }), charge({ reference: "pi_2" }))).toEqual([
      "charged_twice",
    ]);
  });

  it("agree where nothing was authorized and nothing is there", () => {
    const nothing = { ...held, authorized: 0n, receivable: 0n };
    expect(kindsOf(own({ ...nothing, status: "REQUIRES_ACTION" }))).toEqual([]);
    expect(kindsOf(own({ ...nothing, status: "CANCELED" }))).toEqual([]);
  });

  it("are not compared while the payment is moving", () => {
    expect(kindsOf(own({ isMoving: true }))).toEqual([]);
  });

  it("both are nothing where neither is there, and a declined payment needs no charge", () => {
    expect(kindsOf(undefined)).toEqual([]);
    expect(kindsOf(own({ ...held, status: "DECLINED", authorized: 0n, receivable: 0n }))).toEqual(
      [],
    );
  });
});

it("charges that name no payment are counted apart", () => {
  const { paymentId, ...unnamed } = charge();
  const { payments, others } = byPayment([charge(), unnamed, charge({ reference: "pi_2" })]);
  expect(others).toBe(1);
  expect(payments.get(paymentId ?? "")?.charges).toHaveLength(2);
});

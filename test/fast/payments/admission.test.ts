import { describe, expect, it } from "vitest";
import { admit as admitAt } from "../../../src/payments/admission.js";
import type { ChangeIntent } from "../../../src/payments/operation.js";
import { type Payment, paymentStatuses } from "../../../src/payments/payment.js";
import { payment } from "../../support/payments/payments.js";

const admit = (payment: Payment, intent: ChangeIntent) => admitAt(payment, intent, new Date());

const eur = (minorUnits: bigint) => ({ currencyCode: "EUR", minorUnits });

const capture = { kind: "capture", paymentId: "pay_1" } as const;
const refund = { kind: "refund", paymentId: "pay_1" } as const;
const cancel = { kind: "cancel", paymentId: "pay_1" } as const;

const authorized = payment({ status: "AUTHORIZED", authorized: 1000n });
const captured = payment({ status: "CAPTURED", authorized: 1000n, captured: 1000n });

const busy = expect.objectContaining({ kind: "busy" });
const admitted = (minorUnits: bigint) => ({ kind: "admitted", minorUnits });
const refused = (reason: string) => expect.objectContaining({ kind: "refused", reason });

describe("a payment whose creation is not known yet", () => {
  it.each(["PROCESSING", "UNKNOWN"] as const)("is busy for everything while %s", (status) => {
    for (const intent of [capture, refund, cancel]) {
      expect(admit(payment({ status }), intent)).toEqual(busy);
    }
  });
});

describe("a payment that waits for its customer", () => {
  const waiting = payment({ status: "REQUIRES_ACTION" });

  it("may be captured once the customer has acted, and has nothing to refund", () => {
    expect(admit(waiting, capture)).toEqual(busy);
    expect(admit(waiting, refund)).toEqual(refused("PAYMENT_NOT_REFUNDABLE"));
  });

  it("may be canceled, once", () => {
    expect(admit(waiting, cancel)).toEqual(admitted(1000n));
    expect(admit({ ...waiting, canceling: true }, cancel)).toEqual(busy);
  });
});

describe("an authorization that runs out", () => {
  const authorizationExpireTime = new Date(5_000);
  const running = { ...authorized, authorizationExpireTime };

  it("is captured before, and never from then on", () => {
    expect(admitAt(running, capture, new Date(4_999))).toEqual(admitted(1000n));
    expect(admitAt(running, capture, new Date(5_000))).toEqual(refused("PAYMENT_NOT_CAPTURABLE"));
  });

  it("may still be canceled", () => {
    expect(admitAt(running, cancel, new Date(6_000))).toEqual(admitted(1000n));
  });
});

describe("an amount in another currency", () => {
  it("is a CURRENCY_MISMATCH", () => {
    const amount = { currencyCode: "USD", minorUnits: 1n };
    expect(admit(authorized, { ...capture, amount })).toEqual(refused("CURRENCY_MISMATCH"));
    expect(admit(captured, { ...refund, amount })).toEqual(refused("CURRENCY_MISMATCH"));
  });
});

describe("a capture", () => {
  it("takes what it names, or all that remains", () => {
    const partly = { ...authorized, status: "PARTIALLY_CAPTURED", captured: 400n } as const;
    expect(admit(authorized, { ...capture, amount: eur(1n) })).toEqual(admitted(1n));
    expect(admit(authorized, capture)).toEqual(admitted(1000n));
    expect(admit(partly, { ...capture, amount: eur(600n) })).toEqual(admitted(600n));
    expect(admit(partly, capture)).toEqual(admitted(600n));
  });

  it("may run beside another one while both fit", () => {
    const during = { ...authorized, capturing: 400n };
    expect(admit(during, { ...capture, amount: eur(600n) })).toEqual(admitted(600n));
    expect(admit(during, { ...capture, amount: eur(601n) })).toEqual(busy);
    expect(admit(during, capture)).toEqual(busy);
    expect(admit({ ...authorized, capturing: 1000n }, { ...capture, amount: eur(1n) })).toEqual(
      busy,
    );
  });

  it("never exceeds the authorized amount, whatever is in flight", () => {
    const intent = { ...capture, amount: eur(1001n) };
    expect(admit(authorized, intent)).toEqual(refused("AMOUNT_EXCEEDS_AUTHORIZED"));
    expect(admit({ ...authorized, capturing: 1n }, intent)).toEqual(
      refused("AMOUNT_EXCEEDS_AUTHORIZED"),
    );
  });

  it("waits for a cancel in flight", () => {
    expect(admit({ ...authorized, canceling: true }, capture)).toEqual(busy);
  });

  it.each(["CAPTURED", "DECLINED", "CANCELED"] as const)("is refused once %s", (status) => {
    expect(admit({ ...captured, status }, capture)).toEqual(refused("PAYMENT_NOT_CAPTURABLE"));
  });
});

describe("a cancel", () => {
  it("gives up what is authorized", () => {
    expect(admit(authorized, cancel)).toEqual(admitted(1000n));
  });

  it("waits for a capture or another cancel in flight", () => {
    expect(admit({ ...authorized, capturing: 1n }, cancel)).toEqual(busy);
    expect(admit({ ...authorized, canceling: true }, cancel)).toEqual(busy);
  });

  it("is refused in every other status", () => {
    const open = ["AUTHORIZED", "PROCESSING", "UNKNOWN", "REQUIRES_ACTION"];
    for (const status of paymentStatuses.filter((status) => !open.includes(status))) {
      expect(admit(payment({ status }), cancel)).toEqual(refused("PAYMENT_NOT_CANCELABLE"));
    }
  });
});

describe("a refund", () => {
  it("returns what it names, or all that remains", () => {
    expect(admit(captured, { ...refund, amount: eur(1n) })).toEqual(admitted(1n));
    expect(admit({ ...captured, refunded: 400n }, refund)).toEqual(admitted(600n));
  });

  it("may run beside another one while both fit", () => {
    const during = { ...captured, refunding: 400n };
    expect(admit(during, { ...refund, amount: eur(600n) })).toEqual(admitted(600n));
    expect(admit(during, { ...refund, amount: eur(601n) })).toEqual(busy);
    expect(admit(during, refund)).toEqual(busy);
  });

  it("never exceeds the captured amount", () => {
    expect(admit({ ...captured, refunding: 1n }, { ...refund, amount: eur(1001n) })).toEqual(
      refused("AMOUNT_EXCEEDS_CAPTURED"),
    );
  });

  it("is refused when nothing was captured, or all is refunded", () => {
    expect(admit(authorized, refund)).toEqual(refused("PAYMENT_NOT_REFUNDABLE"));
    expect(admit({ ...captured, refunded: 1000n }, refund)).toEqual(
      refused("PAYMENT_NOT_REFUNDABLE"),
    );
  });
});

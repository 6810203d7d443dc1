import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveId, type Scope, scopeHash } from "../../../src/idempotency/port/scope.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";

const scope: Scope = {
  tenant: "acme",
  operation: "payonce.payments.v1.PaymentService/CreatePayment",
  key: "order-1",
};

const anyScope: fc.Arbitrary<Scope> = fc.record({
  tenant: fc.string(),
  operation: fc.string(),
  key: fc.string(),
});

describe("the hash of a scope", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("never changes, as records are found by it", () => {
    expect(hex(scopeHash(scope))).toBe(
      "d01dc2276cec74d4b8ab90a787529e7fdcae1f81e70f8c11941258796deaca02",
    );
  });

  it.each<[what: string, other: Partial<Scope>]>([
    ["tenant", { tenant: "acme2" }],
    ["operation", { operation: "payonce.payments.v1.PaymentService/RefundPayment" }],
    ["key", { key: "order-2" }],
    ["case of the key", { key: "Order-1" }],
  ])("is another one with another %s", (_what, other) => {
    expect(scopeHash({ ...scope, ...other })).not.toStrictEqual(scopeHash(scope));
  });

  it("knows where each part ends", () => {
    const a = { tenant: "a", operation: "bc", key: "d" };
    const b = { tenant: "ab", operation: "c", key: "d" };
    const c = { tenant: "a", operation: "b", key: "cd" };
    expect(new Set([a, b, c].map((each) => hex(scopeHash(each)))).size).toBe(3);
  });

  it("is the same for equal scopes only", () => {
    fc.assert(
      fc.property(anyScope, anyScope, (a, b) => {
        const areEqual = a.tenant === b.tenant && a.operation === b.operation && a.key === b.key;
        expect(hex(scopeHash(a)) === hex(scopeHash(b))).toBe(areEqual);
        expect(scopeHash({ ...a })).toStrictEqual(scopeHash(a));
      }),
    );
  });
});

describe("an identifier made from a scope", () => {
  it("never changes, as the processor knows its effects by it", () => {
    expect(deriveId("pay", scope)).toBe("pay_d14c307dce35f5d041eb544096005d8b017e811b");
  });

  it("begins with its label and differs from those of other labels in the rest too", () => {
    const [payment, refund] = [deriveId("pay", scope), deriveId("re", scope)];
    expect(payment).toMatch(/^pay_[0-9a-f]{40}$/);
    expect(refund).toMatch(/^re_[0-9a-f]{40}$/);
    expect(payment.slice(-40)).not.toBe(refund.slice(-40));
  });

  it("differs for another tenant, operation or key", () => {
    const others = [
      { ...scope, tenant: "b" },
      { ...scope, operation: "b" },
      { ...scope, key: "b" },
    ];
    expect(new Set([scope, ...others].map((each) => deriveId("pay", each))).size).toBe(4);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

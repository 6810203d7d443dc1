import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CaptureMethod,
  CreatePaymentRequestSchema as desc,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  type Fingerprint,
  fingerprintOf,
  sameRequest,
} from "../../../src/idempotency/request/fingerprint.js";
import { KindsSchema, OlderKindsSchema } from "../../fixtures/gen/payonce/test/v1/kinds_pb.js";
import { choicesFrom, reencode } from "../../fixtures/reencode.js";

type PaymentInit = Exclude<MessageInitShape<typeof desc>, { $typeName: string }>;

const payment: PaymentInit = {
  idempotencyKey: "order-1",
  amount: { currencyCode: "EUR", minorUnits: 1999n },
  paymentMethod: "tok_visa",
  captureMethod: CaptureMethod.MANUAL,
  metadata: { b: "2", a: "1" },
};
const paymentBytes = toBinary(desc, create(desc, payment));
const first = fingerprintFrom(paymentBytes);

function fingerprintFrom(bytes: Uint8Array): Fingerprint {
  const message = fromBinary(desc, bytes);
  const keyField = desc.field.idempotencyKey;
  return fingerprintOf({ operation: "pay", desc, message, bytes, keyField });
}

function fingerprintWith(change: PaymentInit): Fingerprint {
  return fingerprintFrom(toBinary(desc, create(desc, { ...payment, ...change })));
}

describe("the fingerprint of a request", () => {
  it("never changes, as stored ones are compared with it", () => {
    const { version, canonical, raw } = first;
    expect({ version, canonical: hex(canonical), raw: hex(raw) }).toStrictEqual({
      version: 1,
      canonical: "35c3242e5b14f7d00bfa18ba4716c2c2ed41c8f0a0a9ffc5c00226e25f383c96",
      raw: "22d87d9e52bb5fd45dc026f08e7b2bc4671bd6086a345514876b7e5f3513f42f",
    });
  });

  it("is recognised in other encodings of the same request", () => {
    for (let seed = 0; seed < 20; seed++) {
      const again = reencode(desc, paymentBytes, choicesFrom(seed));
      expect(sameRequest(first, fingerprintFrom(again))).toBe(true);
    }
  });

  it.each<[what: string, change: PaymentInit]>([
    ["amount", { amount: { currencyCode: "EUR", minorUnits: 1998n } }],
    ["currency", { amount: { currencyCode: "USD", minorUnits: 1999n } }],
    ["payment method", { paymentMethod: "tok_slow" }],
    ["capture method", { captureMethod: CaptureMethod.UNSPECIFIED }],
    ["description", { description: "two books" }],
    ["metadata", { metadata: { a: "1" } }],
  ])("tells a request with another %s apart", (_what, change) => {
    expect(sameRequest(first, fingerprintWith(change))).toBe(false);
  });

  it("is the same wherever the call carries its key", () => {
    expect(sameRequest(first, fingerprintWith({ idempotencyKey: "" }))).toBe(true);
  });

  it("belongs to one operation", () => {
    const message = fromBinary(desc, paymentBytes);
    const other = fingerprintOf({ operation: "refund", desc, message, bytes: paymentBytes });
    expect(other.canonical).not.toStrictEqual(first.canonical);
    expect(sameRequest(first, other)).toBe(false);
  });
});

describe("a request seen by builds of different age", () => {
  it("is the same although one of them does not know all of its fields", () => {
    const bytes = toBinary(KindsSchema, create(KindsSchema, { string: "a", uint64s: [1n, 2n] }));
    const [older, newer] = [OlderKindsSchema, KindsSchema].map((schema) => {
      const message = fromBinary(schema, bytes);
      return fingerprintOf({ operation: "act", desc: schema, message, bytes });
    });
    expect(older?.canonical).toStrictEqual(newer?.canonical);
  });

  const otherHash = new Uint8Array(32);

  it("is the same if its bytes are, whatever the canonical form", () => {
    expect(sameRequest({ ...first, canonical: otherHash }, first)).toBe(true);
    expect(sameRequest({ ...first, canonical: otherHash, version: 2 }, first)).toBe(true);
  });

  it("is another one if neither its bytes nor a common form match", () => {
    expect(sameRequest({ ...first, raw: otherHash }, first)).toBe(true);
    expect(sameRequest({ ...first, raw: otherHash, version: 2 }, first)).toBe(false);
    expect(sameRequest({ ...first, raw: otherHash, canonical: otherHash }, first)).toBe(false);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

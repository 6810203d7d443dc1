import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CancelPaymentRequestSchema,
  CapturePaymentRequestSchema,
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
  RefundPaymentRequestSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import {
  readCancel,
  readCapture,
  readCreate,
  readRefund,
  readStatus,
} from "../../../src/payments/requests.js";
import { refusalOf } from "./refusal.js";

/** Any number may come over the wire where the schema says an enum. */
const OUTSIDE_THE_ENUM: number = 99;

function createOf(change: Partial<CreatePaymentRequest>) {
  const request = create(CreatePaymentRequestSchema, {
    amount: { currencyCode: "EUR", minorUnits: 1n },
    paymentMethod: "tok_visa",
  });
  return readCreate({ ...request, ...change });
}

const entries = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`name${index}`, "value"]));

describe("a request to create a payment", () => {
  it("captures at once unless it says otherwise", () => {
    expect(createOf({})).toMatchObject({ kind: "create", terms: { captureMethod: "AUTOMATIC" } });
    expect(createOf({ captureMethod: 1 })).toMatchObject({ terms: { captureMethod: "AUTOMATIC" } });
    expect(createOf({ captureMethod: 2 })).toMatchObject({ terms: { captureMethod: "MANUAL" } });
  });

  it("may be as long as the schema says, counted in characters", () => {
    const longest = {
      paymentMethod: "€".repeat(255),
      merchantReference: "😀".repeat(255),
      description: "😀".repeat(1000),
      metadata: { ...entries(49), ["😀".repeat(40)]: "😀".repeat(500) },
    };
    expect(createOf(longest)).toMatchObject({ terms: longest });
  });

  it.each<[string, Partial<CreatePaymentRequest>]>([
    ["payment_method", { paymentMethod: "" }],
    ["payment_method", { paymentMethod: "a".repeat(256) }],
    ["payment_method", { paymentMethod: "tok\0" }],
    ["capture_method", { captureMethod: OUTSIDE_THE_ENUM }],
    ["merchant_reference", { merchantReference: "a".repeat(256) }],
    ["description", { description: "a".repeat(1001) }],
    ["description", { description: "\0" }],
    ["metadata", { metadata: entries(51) }],
    ["metadata", { metadata: { ["a".repeat(41)]: "" } }],
    ["metadata", { metadata: { a: "a".repeat(501) } }],
    ["metadata", { metadata: { a: "\0" } }],
  ])("is refused as FIELD_INVALID for a wrong %s", (field, change) => {
    expect(refusalOf(() => createOf(change))).toEqual(["FIELD_INVALID", field]);
  });
});

describe("a request to change a payment", () => {
  const amount = { currencyCode: "EUR", minorUnits: 5n };

  it("may leave the amount out", () => {
    const request = create(CapturePaymentRequestSchema, { paymentId: "pay_1" });
    expect(readCapture(request)).toEqual({ kind: "capture", paymentId: "pay_1" });
  });

  it("may name an amount", () => {
    const request = create(RefundPaymentRequestSchema, { paymentId: "pay_1", amount });
    expect(readRefund(request)).toEqual({ kind: "refund", paymentId: "pay_1", amount });
  });

  it("is refused without a payment", () => {
    expect(refusalOf(() => readCancel(create(CancelPaymentRequestSchema)))).toEqual([
      "FIELD_INVALID",
      "payment_id",
    ]);
  });

  it("is refused with an amount of nothing", () => {
    const request = create(CapturePaymentRequestSchema, {
      paymentId: "pay_1",
      amount: { currencyCode: "EUR" },
    });
    expect(refusalOf(() => readCapture(request))).toEqual(["AMOUNT_INVALID", "amount.minor_units"]);
  });
});

it("a status to filter by is one of the schema's, or none", () => {
  expect(readStatus(0)).toBeUndefined();
  expect(readStatus(7)).toBe("UNKNOWN");
  expect(refusalOf(() => readStatus(OUTSIDE_THE_ENUM))).toEqual(["FIELD_INVALID", "status"]);
});

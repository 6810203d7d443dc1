import { fail } from "node:assert";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import pg from "pg";
import { describe, expect, it } from "vitest";
import {
  CancelPaymentRequestSchema,
  CancelPaymentResponseSchema,
  CapturePaymentRequestSchema,
  CapturePaymentResponseSchema,
  CreatePaymentRequestSchema,
  CreatePaymentResponseSchema,
  PaymentSchema,
  RefundPaymentRequestSchema,
  RefundPaymentResponseSchema,
  RefundSchema,
} from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import type { CallContext, Execution } from "../../../src/idempotency/execution/call.js";
import { encodeFields } from "../../../src/idempotency/request/wire.js";
import { BegunWithClaim } from "../../../src/payments/first-work.js";
import { createKeyWindow, readMoment } from "../../../src/payments/key-window.js";
import { encodePayment, paymentMessage, refundMessage } from "../../../src/payments/messages.js";
import {
  type Operated,
  type Operation,
  type OperationKind,
  refundIdOf,
} from "../../../src/payments/operation.js";
import { type Payment, paymentStatuses } from "../../../src/payments/payment.js";
import { sandboxTraits } from "../../../src/payments/processors/sandbox-traits.js";
import { createPaymentHandlers } from "../../../src/payments/service.js";
import { PROPERTY_TIMEOUT_MS } from "../../fixtures/property.js";
import { expectedMessage, payment } from "../../support/payments/payments.js";

/** What a request may carry: any characters, as protobuf has them. */
const anyText = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
const someText = anyText.filter((text) => text !== "");

/** Also where a varint has one more byte, and where 32 bits are too few. */
const anyAmount = fc.oneof(
  fc.constantFrom(0n, 127n, 128n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 10n ** 15n),
  fc.bigInt({ min: 0n, max: 10n ** 15n }),
);

/** From 1970 on, to the millisecond. */
const anyTime = fc.oneof(
  fc.constantFrom(new Date(0), new Date(1), new Date(999), new Date(1_000)),
  fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true }),
);

const anyPayment: fc.Arbitrary<Payment> = fc
  .record({
    id: someText,
    status: fc.constantFrom(...paymentStatuses),
    currencyCode: fc.constantFrom("EUR", "USD", "JPY"),
    minorUnits: anyAmount,
    authorized: anyAmount,
    captured: anyAmount,
    capturing: anyAmount,
    refunded: anyAmount,
    refunding: anyAmount,
    paymentMethod: someText,
    captureMethod: fc.constantFrom("AUTOMATIC", "MANUAL"),
    merchantReference: anyText,
    description: anyText,
    metadata: fc.dictionary(anyText, anyText, { maxKeys: 50 }),
    declineCode: anyText,
    nextAction: fc.option(
      fc.oneof(
        fc.record({ redirectUrl: someText, expireTime: anyTime }),
        fc.record({ clientSecret: someText, expireTime: anyTime }),
      ),
      { nil: undefined },
    ),
    authorizationExpireTime: fc.option(anyTime, { nil: undefined }),
    createTime: anyTime,
    updateTime: anyTime,
    version: fc.oneof(
      fc.bigInt({ min: 1n, max: 300n }),
      fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }),
    ),
  })
  .map(payment);

/** The payment, with what protobuf writes of its message. */
function expectSame(encoded: Uint8Array, given: Payment): void {
  expect(encoded).toStrictEqual(toBinary(PaymentSchema, expectedMessage(given)));
  expect(paymentMessage(given)).toEqual(expectedMessage(given));
}

describe("a payment encoded by hand", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it("is the message that callers see, byte for byte", () => {
    fc.assert(
      fc.property(anyPayment, (given) => {
        expectSame(encodePayment(given), given);
      }),
      { numRuns: 300 },
    );
  });

  it("has every status and capture method", () => {
    for (const status of paymentStatuses) {
      for (const captureMethod of ["AUTOMATIC", "MANUAL"] as const) {
        const given = payment({ status, captureMethod });
        expectSame(encodePayment(given), given);
      }
    }
  });

  it.each([
    ["none", {}],
    ["an empty value", { reference: "" }],
    ["an empty name", { "": "value" }],
    ["nothing but emptiness", { "": "" }],
    ["characters of one to four bytes", { "ключ-é-鍵": "naïve 支付 🧾" }],
    ["names that are numbers, which objects put first", { b: "1", 2: "2", 1: "3" }],
    ["names that objects have themselves", JSON.parse('{"__proto__": "a", "constructor": "b"}')],
    ["names that differ by one character", { a: "1", A: "2", aa: "3" }],
  ] satisfies [string, Payment["metadata"]][])("has the metadata: %s", (_, metadata) => {
    const given = payment({ metadata });
    expectSame(encodePayment(given), given);
    expect(fromBinary(PaymentSchema, encodePayment(given)).metadata).toEqual({ ...metadata });
  });

  it("says nothing of what is in flight", () => {
    const given = payment({ capturing: 5n, refunding: 7n, canceling: true });
    expect(encodePayment(given)).toStrictEqual(encodePayment(payment()));
  });
});

/** A call of a method under a key, whose operation was finished by an earlier attempt. */
async function answerOf(kind: OperationKind, operated: Operated) {
  const handlers = createPaymentHandlers({
    pool: new pg.Pool(), // nothing has to be read, so it never connects
    owners: { writeOwned: () => Promise.reject(new Error("nothing is written")) },
    processor: neverAsked,
    keyWindow: createKeyWindow({ windowMs: 1, longestCallMs: 0 }),
  });
  const begun = {
    ...operated,
    begunAgoMs: 0,
    readAt: readMoment(),
    time: new Date(),
    isNew: false,
  };
  const context: CallContext<pg.PoolClient> = {
    caller: { tenant: scope.tenant, role: "caller" },
    execution: { ...execution, begun: new BegunWithClaim(begun) },
    signal,
  };
  switch (kind) {
    case "create":
      return handlers.createPayment(create(CreatePaymentRequestSchema), context);
    case "capture":
      return handlers.capturePayment(create(CapturePaymentRequestSchema), context);
    case "cancel":
      return handlers.cancelPayment(create(CancelPaymentRequestSchema), context);
    case "refund":
      return handlers.refundPayment(create(RefundPaymentRequestSchema), context);
  }
}

const scope = { tenant: "acme", operation: "payonce.payments.v1.PaymentService/Call", key: "key" };
const unexpected = () => Promise.reject(new Error("the operation is over"));
const neverAsked = {
  traits: sandboxTraits,
  authorize: unexpected,
  capture: unexpected,
  void: unexpected,
  refund: unexpected,
  lookUp: unexpected,
};
const { signal } = new AbortController();
const execution: Execution<pg.PoolClient> = {
  scope,
  fingerprint: { version: 1, canonical: new Uint8Array(32), raw: new Uint8Array(32) },
  fencingToken: 1n,
  attempt: 2,
  signal,
  elsewhere: (work) => work(),
  throwIfAborted() {},
  ownership: {
    store: { ownWithin: unexpected, completeWithin: unexpected },
    claim: {
      scope,
      claimId: "claim",
      fingerprint: { version: 1, canonical: new Uint8Array(32), raw: new Uint8Array(32) },
      fencingToken: 1n,
      attempt: 2,
    },
    retentionMs: 1,
    onWritten: () => fail("the operation is over"),
  },
  assertOwner: unexpected,
  completeWithin: unexpected,
};

function operation(kind: OperationKind, change: Partial<Operation> = {}): Operation {
  return {
    tenant: scope.tenant,
    id: "op_1",
    processorKey: "pk_1",
    paymentId: "pay_1",
    kind,
    minorUnits: 1000n,
    currencyCode: "EUR",
    state: "approved",
    declineCode: "",
    beginTime: new Date(1_500),
    finishTime: new Date(2_750),
    ...change,
  };
}

/** Bytes that the schema reads as this message, all of them, and writes again. */
function expectMessage<Desc extends DescMessage>(
  encoded: Uint8Array,
  schema: Desc,
  expected: MessageInitShape<Desc>,
): void {
  const message: MessageShape<Desc> = create(schema, expected);
  expect(encoded).toStrictEqual(toBinary(schema, message));
  expect(fromBinary(schema, encoded)).toEqual(message);
}

describe("the answer to an operation", { timeout: PROPERTY_TIMEOUT_MS }, () => {
  const schemas = {
    create: CreatePaymentResponseSchema,
    capture: CapturePaymentResponseSchema,
    cancel: CancelPaymentResponseSchema,
  };

  it.each(["create", "capture", "cancel"] as const)("%s has the payment", async (kind) => {
    const schema = schemas[kind];
    await fc.assert(
      fc.asyncProperty(anyPayment, async (given) => {
        const expected = { payment: expectedMessage(given) };
        const answer = await answerOf(kind, { operation: operation(kind), payment: given });
        expect(answer).toEqual(create(schema, expected));
        expectMessage(encodeFields([[1, encodePayment(given)]]), schema, expected);
      }),
    );
  });

  it("refund has the payment and the refund", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyPayment,
        anyAmount,
        fc.option(anyTime, { nil: undefined }),
        async (given, minorUnits, finishTime) => {
          const { finishTime: _, ...begun } = operation("refund", { minorUnits });
          const refund = finishTime === undefined ? begun : { ...begun, finishTime };
          const expected = {
            payment: expectedMessage(given),
            refund: refundMessage(refund, refundIdOf(scope)),
          };
          const answer = await answerOf("refund", { operation: refund, payment: given });
          expect(answer).toEqual(create(RefundPaymentResponseSchema, expected));
          const encoded = encodeFields([
            [1, encodePayment(given)],
            [2, toBinary(RefundSchema, expected.refund)],
          ]);
          expectMessage(encoded, RefundPaymentResponseSchema, expected);
        },
      ),
    );
  });
});

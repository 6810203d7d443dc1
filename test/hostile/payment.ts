import { create, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import type { Random } from "../support/random.js";

type Terms = Exclude<MessageInitShape<typeof CreatePaymentRequestSchema>, CreatePaymentRequest>;

/** A correct request, a little different each time. */
export function anyPayment(random: Random, terms: Terms = {}): CreatePaymentRequest {
  return create(CreatePaymentRequestSchema, {
    amount: { currencyCode: random.pick(["EUR", "USD", "JPY"]), minorUnits: anyAmount(random) },
    paymentMethod: random.chance(0.9) ? "tok_visa" : "tok_declined",
    captureMethod: random.pick([0, 1, 2]),
    merchantReference: random.pick(["", "order", "заказ", "注文"]),
    description: "d".repeat(random.integer(0, 40)),
    metadata: random.chance(0.5) ? {} : { shop: "1", cart: "äöü" },
    ...terms,
  });
}

export function anyAmount(random: Random): bigint {
  return BigInt(random.integer(1, 100_000));
}

export function bytesOf(request: CreatePaymentRequest): Buffer {
  return Buffer.from(toBinary(CreatePaymentRequestSchema, request));
}

export function jsonOf(request: CreatePaymentRequest): string {
  return toJsonString(CreatePaymentRequestSchema, request);
}

export function anyBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.integer(0, 255)));
}

/** The same bytes, some of them others. */
export function withFlips(random: Random, bytes: Uint8Array): Buffer {
  const flipped = Buffer.from(bytes);
  for (let left = random.integer(1, 6); left > 0 && flipped.length > 0; left -= 1) {
    const at = random.integer(0, flipped.length - 1);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random.integer(0, 7));
  }
  return flipped;
}

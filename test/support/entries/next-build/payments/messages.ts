import { toBinary } from "@bufbuild/protobuf";
import {
  type Payment as PaymentMessage,
  PaymentSchema,
} from "../../../../../src/gen/payonce/payments/v1/payments_pb.js";
import { paymentMessage as olderMessage } from "../../../../../src/payments/messages.js";
import type { Payment } from "../../../../../src/payments/payment.js";
import { fillNote } from "../../../next-build/next-build-note.js";

export * from "../../../../../src/payments/messages.js";

export function paymentMessage(payment: Payment): PaymentMessage {
  return fillNote(PaymentSchema, olderMessage(payment));
}

export function encodePayment(payment: Payment): Uint8Array {
  return toBinary(PaymentSchema, paymentMessage(payment));
}

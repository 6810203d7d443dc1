import { create, toBinary } from "@bufbuild/protobuf";
import { CreatePaymentResponseSchema } from "../../src/gen/payonce/payments/v1/payments_pb.js";

/** What handlers answer that do nothing: 200 bytes, about as many as a payment has. */
export const ANSWER = create(CreatePaymentResponseSchema, {
  payment: { id: `pay_${"0".repeat(40)}`, description: "-".repeat(148) },
});

export const ANSWER_BYTES = toBinary(CreatePaymentResponseSchema, ANSWER);

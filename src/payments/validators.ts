import type { PaymentService } from "../gen/payonce/payments/v1/payments_pb.js";
import { CallError, type ErrorDescription } from "../idempotency/errors.js";
import type { ServiceValidators } from "../idempotency/handlers.js";
import { settled } from "../runtime/batches.js";
import { readCancel, readCapture, readCreate, readRefund } from "./requests.js";

/** What is wrong with requests that write. Their handlers ask the same, once more, under the claim. */
export const paymentValidators: ServiceValidators<typeof PaymentService> = {
  createPayment: validating(readCreate),
  capturePayment: validating(readCapture),
  cancelPayment: validating(readCancel),
  refundPayment: validating(readRefund),
};

function validating<Request>(read: (request: Request) => unknown) {
  return (request: Request): ErrorDescription | undefined => {
    const intent = settled(() => read(request));
    return !intent.ok && intent.error instanceof CallError ? intent.error.description : undefined;
  };
}

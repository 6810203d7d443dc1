import { toBinary } from "@bufbuild/protobuf";
import type { PoolClient } from "pg";
import { CapturePaymentResponseSchema } from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { CallError } from "../../src/idempotency/answers/errors.js";
import type { Execution } from "../../src/idempotency/execution/call.js";
import { okOutcome, type PendingOutcome } from "../../src/idempotency/port/outcome.js";
import { encodeFields } from "../../src/idempotency/request/wire.js";
import { createLostRows } from "../../src/payments/lost-rows.js";
import { encodePayment } from "../../src/payments/messages.js";
import type { OperationKind } from "../../src/payments/operation.js";
import { perform } from "../../src/payments/perform.js";
import type { Transaction } from "./database.js";
import type { HandlerDependencies } from "./handlers.js";
import { intentOf } from "./requests.js";

/** An operation on the world's payment, by the payment service's own `perform`. */
export async function pay(
  { steps, keyWindow, restoredAgoMs, lookForRestore, asPaymentProcessor, saw }: HandlerDependencies,
  call: {
    readonly kind: OperationKind;
    readonly request: string;
    readonly execution: Execution<Transaction>;
  },
): Promise<PendingOutcome> {
  const { kind, request, execution } = call;
  const processor = asPaymentProcessor(call);
  const response = await perform(
    {
      steps,
      processor,
      keyWindow,
      lostRows: createLostRows({ processor, keyWindow, restoredAgoMs, lookForRestore }),
    },
    {
      // Only the steps, which are ours, look at its transactions.
      execution: execution as unknown as Execution<PoolClient>,
      readIntent: () => intentOf(kind, request),
      // Every answer has its payment in the same field.
      response: CapturePaymentResponseSchema,
      encode: ({ payment }) => encodeFields([[1, encodePayment(payment)]]),
    },
  ).catch((error: unknown) => {
    if (error instanceof CallError) {
      saw(`${kind} refused: ${error.description.reason}`);
    }
    throw error;
  });
  return () => okOutcome(toBinary(CapturePaymentResponseSchema, response));
}

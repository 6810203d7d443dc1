import { processorKeyOf } from "./operation.js";
import type { Authorized, PaymentNames, Processor } from "./processor.js";

/** Names the give-up of a payment: derived, as every key that goes to the processor. */
const EXPIRE_ACTION = "payonce.payments.v1.PaymentService/ExpireAction";

/**
 * Gives up at the processor what a customer could still pay, before it is
 * declined here. Resolves with false where it may not be given up: it has been
 * authorized at the last moment, and a look-up finds that.
 */
export async function giveUp(
  processor: Pick<Processor, "void">,
  request: PaymentNames & Authorized,
): Promise<boolean> {
  const scope = { tenant: request.tenant, operation: EXPIRE_ACTION, key: request.paymentId };
  const { kind } = await processor.void({ ...request, processorKey: processorKeyOf(scope) });
  return kind === "approved";
}

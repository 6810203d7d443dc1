import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { Pool, PoolClient } from "pg";
import type { Execution } from "../idempotency/call.js";
import { Final, Parked } from "../idempotency/errors.js";
import { inTransaction } from "../runtime/transaction.js";
import { describe, type PaymentReason } from "./errors.js";
import type { FirstWork } from "./first-work.js";
import { type Intent, type Operated, type Operation, operationIdOf } from "./operation.js";
import { restartOperation } from "./postgres/operations.js";
import type { Steps } from "./postgres/steps.js";
import { type Processor, ProcessorUnknown, send } from "./processor.js";

/** What operations work with. */
export interface Performing {
  readonly firstWork: FirstWork;
  readonly steps: Steps;
  readonly processor: Processor;
  /**
   * How long after its beginning an operation may still be sent to the
   * processor. Shorter than the processor remembers keys, by what one call takes.
   */
  readonly keyWindowMs: number;
}

/** One call that writes. */
interface Write<Response extends DescMessage> {
  readonly execution: Execution<PoolClient>;
  readonly request: object;
  /** Throws if the request is not valid. Not asked once the operation has begun. */
  readonly readIntent: () => Intent;
  readonly response: Response;
  /** The answer to an operation that is done, serialized. */
  readonly encode: (operated: Operated) => Uint8Array;
}

/**
 * Carries an operation on a payment from its claim to its answer: begin, ask
 * the processor, finish. Every attempt may stop anywhere; the next one goes on
 * from what is stored and repeats the same call under the same processor key.
 * Every transaction holds the claim first, so the writes of an owner that lost
 * it never count.
 *
 * @throws Final when the operation is refused for good, NotExecuted when the
 * payment is busy, Parked past the processor's window for keys, ClaimLost when
 * another owner has the claim. Everything else, ProcessorUnknown among it, says
 * that the outcome is not known.
 */
export async function perform<Response extends DescMessage>(
  { firstWork, steps, processor, keyWindowMs }: Performing,
  { execution, request, readIntent, response, encode }: Write<Response>,
): Promise<MessageShape<Response>> {
  const begun = firstWork.take(request) ?? (await steps.begin({ execution }, readIntent));
  if (isFinished(begun.operation)) {
    return fromBinary(response, answerTo(begun, encode));
  }
  if (begun.begunAgoMs > keyWindowMs) {
    throw new Parked(
      `operation ${begun.operation.id} began ${Math.round(begun.begunAgoMs)} ms ago and has no result; the processor may have forgotten its key`,
    );
  }
  // An owner that slept may have lost its claim by now; then it sends nothing.
  execution.throwIfAborted();
  const { operation } = begun;
  const decision = await send(processor, begun).catch(async (cause: unknown) => {
    await steps.markUnknown({ execution, operation });
    throw new ProcessorUnknown(cause);
  });
  const finished = await steps.finish({
    execution,
    operation,
    decision,
    respond: (operated) =>
      refusalOf(operated.operation) === undefined ? encode(operated) : undefined,
  });
  return fromBinary(response, finished.body ?? answerTo(finished, encode));
}

/**
 * Lets an operation that has no result be sent again, as if it had just begun:
 * it is known that the processor did nothing under its key.
 */
export function restartWindow(pool: Pool, execution: Execution<PoolClient>): Promise<void> {
  return inTransaction(pool, async (transaction) => {
    await execution.assertOwner(transaction);
    const { tenant } = execution.scope;
    await restartOperation(transaction, tenant, operationIdOf(execution.scope));
  });
}

/** @throws the error that answers it. */
function answerTo(operated: Operated, encode: (operated: Operated) => Uint8Array): Uint8Array {
  const error = refusalOf(operated.operation);
  if (error !== undefined) {
    throw error;
  }
  return encode(operated);
}

function isFinished({ state }: Operation): boolean {
  return state === "approved" || state === "declined";
}

const declineReasons: Record<Exclude<Operation["kind"], "create">, PaymentReason> = {
  capture: "PAYMENT_NOT_CAPTURABLE",
  cancel: "PAYMENT_NOT_CANCELABLE",
  refund: "PAYMENT_NOT_REFUNDABLE",
};

/** The error that answers a declined operation. A declined card is an answer, not an error. */
function refusalOf({ kind, state, declineCode }: Operation): Final | undefined {
  if (state !== "declined" || kind === "create") {
    return undefined;
  }
  return new Final(
    describe(declineReasons[kind], `the processor declined: ${declineCode}`, {
      metadata: { decline_code: declineCode },
    }),
  );
}

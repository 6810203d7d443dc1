import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { PoolClient } from "pg";
import { CallError, Final, Parked, refusal } from "../idempotency/answers/errors.js";
import type { Reason } from "../idempotency/answers/reasons.js";
import type { Execution } from "../idempotency/execution/call.js";
import { ask } from "./ask-processor.js";
import { begunWithClaim } from "./first-work.js";
import type { KeyWindow } from "./key-window.js";
import type { LostRows } from "./lost-rows.js";
import { type Intent, isAnswered, type Operated, type Operation } from "./operation.js";
import type { Begun } from "./postgres/begin.js";
import type { Steps } from "./postgres/steps.js";
import { type Processor, ProcessorUnknown } from "./processor.js";
import { askingOf, isPastWindow } from "./repetition.js";

/** The parts that operations are performed with. */
export interface Performing {
  readonly steps: Steps;
  readonly processor: Processor;
  readonly keyWindow: KeyWindow;
  readonly lostRows: LostRows;
}

/** One call that writes. */
export interface Write<Response extends DescMessage> {
  readonly execution: Execution<PoolClient>;
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
 * @throws Final when the operation is refused for good, NotExecuted when it did
 * not begin and may again, Parked when nothing more may be sent for it,
 * ClaimLost when another owner has the claim. Everything else, ProcessorUnknown
 * among it, says that the outcome is not known.
 */
export async function perform<Response extends DescMessage>(
  performing: Performing,
  { execution, readIntent, response, encode }: Write<Response>,
): Promise<MessageShape<Response>> {
  const { steps, processor } = performing;
  const begun = begunWithClaim(execution) ?? (await begin(performing, execution, readIntent));
  if (isAnswered(begun.operation)) {
    return fromBinary(response, answerTo(begun, encode));
  }
  const { operation } = begun;
  if (isPastWindow(begun, performing)) {
    throw new Parked(
      `operation ${operation.id} has no result, and began too long ago: the processor may have forgotten its key`,
    );
  }
  // An owner that slept may have lost its claim by now; then it sends nothing.
  execution.throwIfAborted();
  const answer = await execution.elsewhere(() =>
    ask(
      processor,
      begun,
      askingOf(begun, performing, () => isAmountImplied(readIntent())),
    ),
  );
  if (answer.kind === "unknown") {
    await steps.markUnknown({ execution, begun });
    const unknown = new ProcessorUnknown(answer.cause);
    throw answer.isFinal ? new Parked(unknown.message) : unknown;
  }
  const finished = await steps.finish({
    execution,
    begun,
    decision: answer.decision,
    minorUnits: answer.minorUnits,
    respond: (operated) =>
      refusalOf(operated.operation) === undefined ? encode(operated) : undefined,
  });
  return fromBinary(response, finished.body ?? answerTo(finished, encode));
}

async function begin(
  { steps, lostRows }: Performing,
  execution: Execution<PoolClient>,
  readIntent: () => Intent,
): Promise<Begun> {
  try {
    return await steps.begin({ execution }, readIntent);
  } catch (error) {
    throw error instanceof CallError
      ? await lostRows.confirm(error, readIntent, execution.scope)
      : error;
  }
}

/** Returns true if a request asks for all that remains, which may be less once it comes again. */
function isAmountImplied(intent: Intent): boolean {
  return (intent.kind === "capture" || intent.kind === "refund") && intent.amount === undefined;
}

/** @throws the error that answers it. */
function answerTo(operated: Operated, encode: (operated: Operated) => Uint8Array): Uint8Array {
  const error = refusalOf(operated.operation);
  if (error !== undefined) {
    throw error;
  }
  return encode(operated);
}

const declineReasons: Record<Exclude<Operation["kind"], "create">, Reason> = {
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
    refusal(declineReasons[kind], `the processor declined: ${declineCode}`, {
      metadata: { decline_code: declineCode },
    }),
  );
}

import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { type Processor, processorKeyOfCall } from "./processor.js";
import { waitUntil } from "./service-process.js";

/** Until a busy machine has brought a call to the processor. */
const ARRIVAL_LIMIT_MS = 20_000;

export interface WaitingPayment<Result> {
  readonly processor: Processor;
  /** The key of the payment. */
  readonly key: string;
  /** How long the processor lets the call wait, and whether before it acts or after. */
  readonly delayMs: number;
  readonly action?: FaultAction.DELAY_BEFORE | FaultAction.DELAY_AFTER;
  /** Sends the payment. */
  readonly send: () => Promise<Result>;
}

/**
 * Begins a payment that the processor lets wait, so that it can be met under
 * way. Resolves once the processor has it, with the result to come.
 */
export async function beginWaitingPayment<Result>({
  processor,
  key,
  delayMs,
  action = FaultAction.DELAY_BEFORE,
  send,
}: WaitingPayment<Result>): Promise<{ readonly result: Promise<Result> }> {
  const processorKey = processorKeyOfCall("CreatePayment", key);
  await processor.arm({ action, processorKey, delay: durationFromMs(delayMs) });
  const result = send();
  await waitUntil(async () => (await processor.callsOf(processorKey)) > 0n, ARRIVAL_LIMIT_MS);
  return { result };
}

import type { Processor, ProcessorDecision } from "../processor.js";

/** Approves everything at once and keeps nothing: for benchmarks only. */
export function createInstantProcessor(): Processor {
  const approve = async (): Promise<ProcessorDecision> => ({ kind: "approved" });
  return { authorize: approve, capture: approve, void: approve, refund: approve };
}

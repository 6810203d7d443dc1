import type { Processor, ProcessorDecision } from "../processor.js";

/** Stands for a processor whose decision is known already, and sends nothing. */
export function createDecidedProcessor(decision: ProcessorDecision): Processor {
  const decide = async () => decision;
  return {
    authorize: decide,
    capture: decide,
    void: decide,
    refund: decide,
    lookUp: async () => undefined,
  };
}

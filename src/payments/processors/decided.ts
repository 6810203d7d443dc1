import type { Processor, ProcessorDecision } from "../processor.js";

/** Stands for a processor whose decision is known already, and sends nothing. */
export function createDecidedProcessor(decision: ProcessorDecision): Processor {
  const decide = async () => decision;
  return {
    traits: {
      name: "none",
      keys: {
        windowMs: Number.POSITIVE_INFINITY,
        maxLength: 255,
        otherRequest: "first_answer",
        inFlight: "waits",
        repetition: "first_answer",
        keepsErrors: "all",
      },
      lookUp: { visibleAfterMs: 0 },
      capturesInParts: true,
    },
    authorize: decide,
    capture: decide,
    void: decide,
    refund: decide,
    lookUp: async () => undefined,
  };
}

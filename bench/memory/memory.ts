import type { Study } from "../studies.js";
import { studyCallsInFlight } from "./calls-in-flight.js";
import { studyLoadedService } from "./loaded-service.js";
import { studyMemoryGate } from "./memory-gate.js";
import { studyRedisCopies } from "./redis-copies.js";

/** Whether memory is bounded, and what calls and answers take of it. */
export const studyMemory: Study = async (lab, options) => {
  const parts = [
    await studyLoadedService(lab, options),
    await studyCallsInFlight(lab, options),
    await studyRedisCopies(lab),
    await studyMemoryGate(lab),
  ];
  return {
    rows: parts.flatMap(({ rows }) => rows),
    tables: parts.flatMap(({ tables }) => tables),
  };
};

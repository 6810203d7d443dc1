import type { Processor } from "../processor.js";
import { createDecidedProcessor } from "./decided.js";

/** Approves everything at once and keeps nothing: for benchmarks only. */
export function createInstantProcessor(): Processor {
  return createDecidedProcessor({ kind: "approved" });
}

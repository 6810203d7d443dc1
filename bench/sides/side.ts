import type { CpuTimes } from "../lab/cpu.js";
import type { Measured } from "../load/plan.js";

/** How a side is asked to work. */
export interface Load {
  /** Calls at once. */
  readonly atOnce: number;
  readonly seconds: number;
}

/** One stretch of a side's work, none of which was wrong. */
export interface Sample extends Measured {
  /** How often the work of a new key was done. */
  readonly executionsPerKey?: number;
  /** Of all calls together. */
  readonly cpuMs: CpuTimes;
}

/** Something whose speed is measured. */
export interface Side {
  /** @throws if any of the work was wrong. */
  measure(load: Load): Promise<Sample>;
}

/** A side that this machine or this clone cannot run. Its rows are left out, and say why. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

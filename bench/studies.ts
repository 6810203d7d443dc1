import { studyFirstMinute } from "./first-minute/first-minute.js";
import type { Lab } from "./lab/lab.js";
import { studyMemory } from "./memory/memory.js";
import type { Sizes } from "./options.js";
import { studyOverload } from "./overload/overload.js";
import { studyReads } from "./reads/reads.js";
import type { GroupResult } from "./report/result.js";
import type { Rounds } from "./run-group.js";

/** Measures the lines of a group in a way of its own. @throws if any work was wrong. */
export type Study = (lab: Lab, options: Rounds & Sizes) => Promise<GroupResult>;

/** The groups that are not measured in rounds of sides, by their names. */
export const studies = {
  memory: studyMemory,
  overload: studyOverload,
  reads: studyReads,
  "first-minute": studyFirstMinute,
} satisfies Record<string, Study>;

export type StudyName = keyof typeof studies;

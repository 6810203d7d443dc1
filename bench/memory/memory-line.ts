import type { MeasuredLine } from "../report/result.js";

export const MEBIBYTE = 1_024 * 1_024;

/** A line of this group's. */
export function memoryLine(line: Omit<MeasuredLine, "group" | "figure">): MeasuredLine {
  return { group: "memory", figure: "memory", ...line };
}

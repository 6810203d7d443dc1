import { createHash } from "node:crypto";
import type { Scheduler } from "./scheduler.js";

/** Events that a failure shows: what led to it, and still fits a screen or two. */
const LAST_EVENTS = 60;

/** What happened in a world, line by line. */
export interface Trace {
  add(line: string): void;
  last(): string;
  /** Equal for two runs exactly where all their events are. */
  hash(): string;
}

export function createTrace(scheduler: Scheduler): Trace {
  const lines: string[] = [];
  return {
    add(line) {
      lines.push(`${scheduler.nowMs().toFixed(3).padStart(11)} ${line}`);
    },
    last: () => lines.slice(-LAST_EVENTS).join("\n"),
    hash: () => createHash("sha256").update(lines.join("\n")).digest("hex"),
  };
}

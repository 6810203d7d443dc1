import { createHash } from "node:crypto";
import type { Scheduler } from "./scheduler.js";

/** Events that a failure shows: what led to it, and still fits a screen or two. */
const LAST_EVENTS = 60;

/** What happened in a world, line by line. */
export interface Trace {
  /** `about` is what the event concerns; without it, everything. */
  add(line: string, about?: string): void;
  /** The last events that concern it, of those that there were by then. */
  last(about: string, untilLine: number): string;
  length(): number;
  /** Equal for two runs exactly where all their events are. */
  hash(): string;
}

export function createTrace(scheduler: Scheduler): Trace {
  const lines: { readonly atMs: number; readonly line: string; readonly about?: string }[] = [];
  return {
    add(line, about) {
      lines.push({ atMs: scheduler.nowMs(), line, ...(about === undefined ? {} : { about }) });
    },
    last: (about, untilLine) =>
      lines
        .slice(0, untilLine)
        .filter((event) => event.about === undefined || event.about === about)
        .slice(-LAST_EVENTS)
        .map(({ atMs, line }) => `${atMs.toFixed(3).padStart(11)} ${line}`)
        .join("\n"),
    length: () => lines.length,
    hash: () =>
      createHash("sha256")
        .update(lines.map(({ atMs, line }) => `${atMs} ${line}`).join("\n"))
        .digest("hex"),
  };
}

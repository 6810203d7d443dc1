import type { StormProgress } from "./storm.js";

const WIDTH = 30;

/** Never draw more often: a terminal is slower than a storm. Milliseconds. */
const INTERVAL_MS = 50;

/** Draws a bar on a terminal; on anything else it stays silent. */
export function createProgressBar(stream: NodeJS.WriteStream) {
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  return (progress: StormProgress): void => {
    const done = progress.answered === progress.calls;
    const nowMs = performance.now();
    if (!stream.isTTY || (!done && nowMs - drawnAtMs < INTERVAL_MS)) {
      return;
    }
    drawnAtMs = nowMs;
    stream.write(`\r${barLine(progress)}${done ? "\n" : ""}`);
  };
}

function barLine({ answered, calls, attempts }: StormProgress): string {
  const filled = Math.floor((answered / calls) * WIDTH);
  const bar = "#".repeat(filled).padEnd(WIDTH, "-");
  return `[${bar}] ${answered}/${calls} answered, ${attempts - answered} retries`;
}

import type { Sample } from "../sides/side.js";

/** What a row compares. */
export type Figure = "throughput" | "peer's throughput" | "latency" | "executions";

interface FigureDescription {
  readonly unit: string;
  readonly better: "more" | "less";
  of(sample: Sample): number;
}

const throughput = ({ calls, seconds }: Sample) => calls / seconds;

export const figures: Record<Figure, FigureDescription> = {
  throughput: { unit: "calls/s", better: "more", of: throughput },
  "peer's throughput": { unit: "calls/s", better: "less", of: throughput },
  // The mean, of callers that wait for one answer after the other.
  latency: { unit: "ms", better: "less", of: ({ calls, seconds }) => (seconds * 1000) / calls },
  executions: {
    unit: "executions/key",
    better: "less",
    of: ({ executionsPerKey = Number.NaN }) => executionsPerKey,
  },
};

/** @param values not empty */
export function summaryOf(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    min: at(0),
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    max: at(sorted.length - 1),
  };
}

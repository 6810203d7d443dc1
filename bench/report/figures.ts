import type { Sample } from "../sides/side.js";

/** What a row compares of what its sides did. */
export type SampledFigure =
  | "throughput"
  | "peer's throughput"
  | "latency"
  | "executions"
  | "server's CPU"
  | "Postgres' CPU";

/** What a row compares. */
export type Figure = SampledFigure | "memory";

interface FigureDescription {
  readonly unit: string;
  /** Where less is better, a floor is the most that is allowed. */
  readonly better: "more" | "less";
}

export const figures: Record<Figure, FigureDescription> = {
  throughput: { unit: "calls/s", better: "more" },
  "peer's throughput": { unit: "calls/s", better: "less" },
  latency: { unit: "ms", better: "less" },
  executions: { unit: "executions/key", better: "less" },
  "server's CPU": { unit: "ms/call", better: "less" },
  "Postgres' CPU": { unit: "ms/call", better: "less" },
  memory: { unit: "bytes", better: "less" },
};

const throughput = ({ calls, seconds }: Sample) => calls / seconds;

/** The figure of one sample. */
export const figureOf: Record<SampledFigure, (sample: Sample) => number> = {
  throughput,
  "peer's throughput": throughput,
  // The mean, of callers that wait for one answer after the other.
  latency: ({ calls, seconds }) => (seconds * 1000) / calls,
  executions: ({ executionsPerKey = Number.NaN }) => executionsPerKey,
  "server's CPU": ({ calls, cpuMs: { server = Number.NaN } }) => server / calls,
  "Postgres' CPU": ({ calls, cpuMs: { postgres = Number.NaN } }) => postgres / calls,
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

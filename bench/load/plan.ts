/** What the callers ask for. Keys begin with the plan's prefix. */
export type Traffic =
  /** Every call has a key of its own. */
  | { readonly kind: "new keys" }
  /** Calls that were answered before, one after the other. */
  | { readonly kind: "replays"; readonly keys: number }
  /** New keys, and a share of calls that repeat one of the newest keys. */
  | { readonly kind: "mixed"; readonly duplicates: number }
  /** All callers send one key at once; the next one when all have their answer. */
  | { readonly kind: "one key" };

export interface Plan {
  readonly targets: readonly string[];
  readonly prefix: string;
  readonly traffic: Traffic;
  /** Each of them sends its next call when it has its answer. */
  readonly callers: number;
  /** How long calls are begun. All of them are answered in the end. */
  readonly seconds: number;
  /** Ends the run earlier. */
  readonly maxCalls?: number;
  /** Whose calls they are, where the service wants to know. */
  readonly token?: string;
  /** How long the requests are. Default: as short as a payment's can be. */
  readonly requestBytes?: number;
}

export interface Measured {
  /** Those that were answered. */
  readonly calls: number;
  /** From the first call to the last answer. */
  readonly seconds: number;
  /** Absent where it is not told. */
  readonly latency?: Latency;
}

export interface PlanDone extends Measured {
  /** Keys that had not been sent before. */
  readonly newKeys: number;
}

/** What came of a plan. Every call was answered with OK. */
export interface Answered extends PlanDone {
  /** Answers that say they were given before. */
  readonly replayed: number;
  /** Attempts that were told to come again. */
  readonly retries: number;
}

/** Milliseconds from a call's first attempt to its answer. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export function latencyOf(timesMs: number[]): Latency {
  const sorted = Float64Array.from(timesMs).sort();
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

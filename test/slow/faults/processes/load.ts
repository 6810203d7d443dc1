import { type StormOptions, type StormReport, storm } from "../../../../src/server/storm/storm.js";

/** Callers of one storm: several for each key, on every service. */
const CALLS = 90;
const KEYS = 30;

/** How long callers keep retrying, on a busy machine. */
const ANSWER_LIMIT_MS = 60_000;

/** All storms taken together. */
export interface Load {
  readonly storms: number;
  readonly calls: number;
  readonly keys: number;
  readonly attempts: number;
  readonly effects: number;
  readonly processorCalls: number;
  readonly problems: readonly string[];
}

/** Sends storm after storm while the work is being done; each asks until all are answered. */
export async function loadDuring(
  servers: Pick<StormOptions, "targets" | "processor">,
  work: () => Promise<void>,
): Promise<Load> {
  let isDone = false;
  const working = work().finally(() => {
    isDone = true;
  });
  const reports: StormReport[] = [];
  do {
    reports.push(
      await storm({
        ...servers,
        calls: CALLS,
        keys: KEYS,
        paymentMethod: "tok_visa",
        timeoutMs: ANSWER_LIMIT_MS,
      }),
    );
  } while (!isDone);
  await working;
  const sum = (pick: (report: StormReport) => number) =>
    reports.reduce((total, report) => total + pick(report), 0);
  return {
    storms: reports.length,
    calls: sum(({ calls }) => calls),
    keys: sum(({ keys }) => keys),
    attempts: sum(({ attempts }) => attempts),
    effects: sum(({ effects }) => effects),
    processorCalls: sum(({ processorCalls }) => processorCalls),
    problems: reports.flatMap(({ problems }) => problems),
  };
}

export function loadText({ calls, attempts, keys, effects, processorCalls }: Load): string {
  return `${calls} calls in ${attempts} attempts for ${keys} keys; processor calls ${processorCalls}, effects ${effects}`;
}

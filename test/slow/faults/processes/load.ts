import { setTimeout as sleep } from "node:timers/promises";
import { type StormReport, storm } from "../../../../src/server/storm/storm.js";
import type { FaultCluster } from "../../../support/faults/fault-cluster.js";

/** Callers of one storm: several for each key, on every service. */
const CALLS = 30;
const KEYS = 10;

/**
 * A storm works at its beginning and then waits for the callers whose service
 * was killed. With storms that begin one after the other, some payment is
 * always under way, on a fast machine too.
 */
const STORMS_AT_ONCE = 12;
const STORM_INTERVAL_MS = 500;

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

/** Sends storm after storm while the work is being done, each until all are answered. */
export async function loadDuring(
  { targets, sandbox, processor }: Pick<FaultCluster, "targets" | "sandbox" | "processor">,
  work: () => Promise<void>,
): Promise<Load> {
  let isDone = false;
  const servers = { targets: targets(), processor: sandbox.address };
  const callsBefore = await processor.countCalls();
  const working = work().finally(() => {
    isDone = true;
  });
  const reports: StormReport[] = [];
  const sendStorms = async (_: unknown, index: number) => {
    await sleep(index * STORM_INTERVAL_MS);
    while (!isDone) {
      reports.push(
        await storm({
          ...servers,
          calls: CALLS,
          keys: KEYS,
          paymentMethod: "tok_visa",
          timeoutMs: ANSWER_LIMIT_MS,
        }),
      );
    }
  };
  await Promise.all([working, ...Array.from({ length: STORMS_AT_ONCE }, sendStorms)]);
  const sum = (pick: (report: StormReport) => number) =>
    reports.reduce((total, report) => total + pick(report), 0);
  return {
    storms: reports.length,
    calls: sum(({ calls }) => calls),
    keys: sum(({ keys }) => keys),
    attempts: sum(({ attempts }) => attempts),
    effects: sum(({ effects }) => effects),
    processorCalls: Number((await processor.countCalls()) - callsBefore),
    problems: reports.flatMap(({ problems }) => problems),
  };
}

export function loadText({ calls, attempts, keys, effects, processorCalls }: Load): string {
  return `${calls} calls in ${attempts} attempts for ${keys} keys; processor calls ${processorCalls}, effects ${effects}`;
}

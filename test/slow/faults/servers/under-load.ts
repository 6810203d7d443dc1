import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type StormReport, storm } from "../../../../src/server/storm/storm.js";
import { type FaultCluster, seconds, tell } from "../../../support/faults/fault-cluster.js";

/**
 * Storms at once. Small ones, so that new keys begin at every moment; and few,
 * because all test files share the connections of one Postgres.
 */
const STORMS_AT_ONCE = 5;
const CALLS = 6;
const KEYS = 2;

/** How long callers keep retrying, on a busy machine. */
const ANSWER_LIMIT_MS = 60_000;

/** Calls are under way before a fault begins. Milliseconds. */
const CALM_MS = 300;

export interface Trouble {
  /** What is done to what, for whoever reads the output. */
  readonly what: string;
  readonly begin: () => unknown;
  /** How long it lasts. Milliseconds. */
  readonly lastsMs: number;
  readonly end: () => unknown;
}

/** Expects that each key is charged once and has one answer, whatever happens while callers ask. */
export async function expectOnceDuring(
  cluster: Pick<FaultCluster, "targets" | "sandbox">,
  { what, begin, lastsMs, end }: Trouble,
): Promise<void> {
  let isOver = false;
  const trouble = async () => {
    await sleep(CALM_MS);
    await begin();
    try {
      await sleep(lastsMs);
    } finally {
      await end();
      isOver = true;
    }
  };
  const stormUntilOver = async () => {
    const reports: StormReport[] = [];
    do {
      reports.push(
        await storm({
          targets: cluster.targets(),
          processor: cluster.sandbox.address,
          calls: CALLS,
          keys: KEYS,
          paymentMethod: "tok_visa",
          timeoutMs: ANSWER_LIMIT_MS,
        }),
      );
    } while (!isOver);
    return reports;
  };
  const startedAtMs = performance.now();
  const [, ...stormed] = await Promise.all([
    trouble(),
    ...Array.from({ length: STORMS_AT_ONCE }, stormUntilOver),
  ]);
  const reports = stormed.flat();
  const sum = (pick: (report: StormReport) => number) =>
    reports.reduce((total, report) => total + pick(report), 0);
  const keys = sum((report) => report.keys);
  const effects = sum((report) => report.effects);
  tell(
    `${what}: ${sum(({ calls }) => calls)} calls in ${sum(({ attempts }) => attempts)} attempts, keys ${keys}, effects ${effects}, all answered after ${seconds(performance.now() - startedAtMs)}`,
  );
  expect(reports.flatMap(({ problems }) => problems)).toEqual([]);
  expect(effects).toBe(keys);
}

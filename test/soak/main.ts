import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createRandom } from "../support/random.js";
import type { Wire } from "../support/servers/wire.js";
import { type Quiet, untilQuiet } from "./aftermath.js";
import { startSoakCluster } from "./cluster.js";
import { inflictAll } from "./inflict-all.js";
import { nameOf } from "./intents.js";
import { openJournal } from "./journal.js";
import { startOperator } from "./operator.js";
import { type PlannedFault, planFaults } from "./plan.js";
import type { Restored, Soak } from "./restore.js";
import { drawKeyWindowMs } from "./settings.js";
import { progressText, summaryText } from "./text.js";
import { startTraffic } from "./traffic.js";
import { judge } from "./verdict.js";

const PROGRESS_INTERVAL_MS = 10_000;

/** Traffic begins before the faults do. Milliseconds. */
const CALM_MS = 2_000;

const { minutes, seed, entry, summary, wire } = readArguments();
console.log(
  `soak: seed ${seed}, ${minutes} minutes; again: npm run soak -- --minutes ${minutes} --seed ${seed} --processor ${wire}`,
);
process.exitCode = await soak();
if (summary !== undefined) {
  const failed = process.exitCode;
  writeFileSync(summary, JSON.stringify({ passed: 1 - failed, failed }));
}

async function soak(): Promise<number> {
  const random = createRandom(seed);
  const keyWindowMs = drawKeyWindowMs(random);
  const plan = planFaults(random, minutes * 60_000);
  const problems: string[] = [];
  const onProblem = (problem: string) => {
    console.log(`PROBLEM ${problem}`);
    problems.push(problem);
  };
  const cluster = await startSoakCluster({
    keyWindowMs,
    onProblem,
    wire,
    ...(entry === undefined ? {} : { entry }),
  });
  process.once("SIGINT", () => void cluster.stop().finally(() => process.exit(130)));
  const targets = cluster.services.map(({ grpcAddress }) => grpcAddress);
  const journal = openJournal(cluster.journalPath);
  const traffic = startTraffic(targets, { seed, journal });
  const operator = startOperator({ targets, traffic, journal, seed, onProblem });
  const whole: Soak = { cluster, traffic, operator, journal, keyWindowMs, onProblem };
  const inflicted: PlannedFault[] = [];
  const restores: Restored[] = [];
  const startedAtMs = performance.now();
  const progress = setInterval(() => {
    const elapsedMs = performance.now() - startedAtMs;
    console.log(progressText({ elapsedMs, traffic, inflicted }));
  }, PROGRESS_INTERVAL_MS);
  try {
    await sleep(CALM_MS);
    await inflictAll({ soak: whole, plan, inflicted, restores });
    console.log(`faults are over after ${inflicted.length}; waiting until all is quiet`);
    operator.finish();
    await traffic.end();
    const quiet = await untilQuiet(cluster.database.directUrl(), { traffic, keyWindowMs });
    await operator.stop();
    problems.push(...wedgedIn(quiet));
    await traffic.callers.giveUp();
    const verdict = await judge(whole, restores);
    problems.push(...verdict.problems);
    const drawn = { seed, minutes, keyWindowMs };
    const done = { traffic, inflicted, restores, operator, quiet, verdict, problems };
    console.log(summaryText({ ...drawn, ...done }));
    return problems.length === 0 ? 0 : 1;
  } finally {
    clearInterval(progress);
    traffic.close();
    await operator.stop();
    await cluster.stop();
  }
}

function wedgedIn({ executing, held, unanswered, boundMs }: Quiet): readonly string[] {
  return [
    ...unanswered.map(
      (intent) => `${nameOf(intent)}: no definite answer, last ${intent.lastReason}`,
    ),
    ...(executing > 0 ? [`${executing} records are still executing after ${boundMs} ms`] : []),
    ...(held > 0 ? [`${held} records are still held after ${boundMs} ms`] : []),
  ];
}

interface Arguments {
  readonly minutes: number;
  readonly seed: number;
  /** Another program for the services: a broken one must make a run fail. */
  readonly entry: string | undefined;
  /** Where to write { "passed": number, "failed": number }. */
  readonly summary: string | undefined;
  /** The form in which services speak to the processor. */
  readonly wire: Wire;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string" },
      entry: { type: "string" },
      summary: { type: "string" },
      processor: { type: "string", default: "sandbox" },
    },
  });
  const { processor: wire } = values;
  if (wire !== "sandbox" && wire !== "stripe") {
    throw new RangeError("--processor accepts sandbox or stripe");
  }
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    throw new RangeError("--minutes accepts a positive number, --seed a whole number");
  }
  return {
    minutes,
    seed,
    entry: values.entry && resolve(values.entry),
    summary: values.summary,
    wire,
  };
}

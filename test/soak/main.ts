import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createRandom } from "../simulation/random.js";
import { untilQuiet } from "./aftermath.js";
import { type SoakCluster, startSoakCluster } from "./cluster.js";
import { inflict } from "./faults.js";
import { type PlannedFault, planFaults } from "./plan.js";
import { progressText, summaryText } from "./text.js";
import { startTraffic } from "./traffic.js";
import { judge, nameOf } from "./verdict.js";

const PROGRESS_INTERVAL_MS = 10_000;

/** Traffic begins before the faults do. Milliseconds. */
const CALM_MS = 2_000;

const { minutes, seed, entry, summary } = readArguments();
console.log(
  `soak: seed ${seed}, ${minutes} minutes; again: npm run soak -- --minutes ${minutes} --seed ${seed}`,
);
process.exitCode = await soak();
if (summary !== undefined) {
  const failed = process.exitCode;
  writeFileSync(summary, JSON.stringify({ passed: 1 - failed, failed }));
}

async function soak(): Promise<number> {
  const durationMs = minutes * 60_000;
  const plan = planFaults(createRandom(seed), durationMs);
  const problems: string[] = [];
  const cluster = await startSoakCluster({
    onProblem(problem) {
      console.log(`PROBLEM ${problem}`);
      problems.push(problem);
    },
    ...(entry === undefined ? {} : { entry }),
  });
  process.once("SIGINT", () => void cluster.stop().finally(() => process.exit(130)));
  const targets = cluster.services.map(({ grpcAddress }) => grpcAddress);
  const traffic = startTraffic(targets, seed);
  const inflicted: PlannedFault[] = [];
  const startedAtMs = performance.now();
  const progress = setInterval(() => {
    const elapsedMs = performance.now() - startedAtMs;
    console.log(progressText({ elapsedMs, traffic, inflicted }));
  }, PROGRESS_INTERVAL_MS);
  try {
    await sleep(CALM_MS);
    await inflictAll({ cluster, plan, inflicted, problems });
    console.log(`faults are over after ${inflicted.length}; waiting until all is quiet`);
    await traffic.end();
    const quiet = await untilQuiet(cluster.database.directUrl(), traffic);
    problems.push(
      ...quiet.unexplained.map(
        (intent) => `${nameOf(intent)}: no definite answer, last ${intent.lastReason}`,
      ),
      ...quiet.unfinished.parked
        .filter(({ reason }) => reason === null)
        .map(({ key }) => `${key}: parked without a reason`),
    );
    const { executing } = quiet.unfinished;
    if (executing > 0) {
      problems.push(`${executing} records are still executing after ${quiet.boundMs} ms`);
    }
    await traffic.giveUp();
    const verdict = await judge(cluster, traffic);
    problems.push(...verdict.problems);
    console.log(summaryText({ seed, minutes, traffic, inflicted, quiet, verdict, problems }));
    return problems.length === 0 ? 0 : 1;
  } finally {
    clearInterval(progress);
    traffic.close();
    await cluster.stop();
  }
}

interface Inflicting {
  readonly cluster: SoakCluster;
  readonly plan: readonly PlannedFault[];
  readonly inflicted: PlannedFault[];
  readonly problems: string[];
}

/** Faults of one part follow one another; those of different parts overlap. */
async function inflictAll({ cluster, plan, inflicted, problems }: Inflicting): Promise<void> {
  const startedAtMs = performance.now();
  const busy = new Map<string, Promise<void>>();
  for (const fault of plan) {
    await sleep(Math.max(0, startedAtMs + fault.atMs - performance.now()));
    const part = fault.part === "service" ? `service ${fault.targets}` : fault.part;
    const harm = (busy.get(part) ?? Promise.resolve()).then(async () => {
      inflicted.push(fault);
      await inflict(cluster, fault).catch((error: unknown) => {
        problems.push(`${fault.kind} could not be carried out: ${String(error)}`);
      });
    });
    busy.set(part, harm);
  }
  await Promise.all(busy.values());
}

interface Arguments {
  readonly minutes: number;
  readonly seed: number;
  /** Another program for the services: a broken one must make a run fail. */
  readonly entry: string | undefined;
  /** Where to write { "passed": number, "failed": number }. */
  readonly summary: string | undefined;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string" },
      entry: { type: "string" },
      summary: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    throw new RangeError("--minutes accepts a positive number, --seed a whole number");
  }
  return { minutes, seed, entry: values.entry && resolve(values.entry), summary: values.summary };
}

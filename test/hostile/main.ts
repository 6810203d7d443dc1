import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { auditServers, violationsIn } from "../support/operators/audit.js";
import { startHostileCluster } from "./cluster.js";
import { drawCase } from "./draw.js";
import { repeatable, run } from "./run.js";
import { progressText, summaryText } from "./text.js";

const { from, to, seed, entry, summary } = readArguments();
console.log(`hostile: seed ${seed}, cases ${from} to ${to - 1}`);
const { cases, problems } = await hostile();
process.exitCode = problems === 0 ? 0 : 1;
if (summary !== undefined) {
  const failed = Math.min(problems, cases);
  writeFileSync(summary, JSON.stringify({ passed: cases - failed, failed }));
}

async function hostile() {
  const problems: string[] = [];
  const onProblem = (problem: string) => {
    console.log(`PROBLEM ${problem}`);
    problems.push(problem);
  };
  const cluster = await startHostileCluster(entry);
  process.once("SIGINT", () => void cluster.stop().finally(() => process.exit(130)));
  try {
    const startedAtMs = performance.now();
    const done = await run({
      service: cluster.service,
      seed,
      from,
      to,
      onProblem,
      onBatch: (count, now) => console.log(progressText(count, now)),
    });
    const charged = await done.charges.compare(cluster.journalPath);
    for (const [number, problem] of charged.problems) {
      onProblem(number < 0 ? problem : `${repeatable(seed, drawCase(seed, number))} ${problem}`);
    }
    const servers = {
      database: { url: cluster.databaseUrl },
      sandbox: { address: cluster.sandboxAddress },
    };
    for (const violation of violationsIn(await auditServers(servers))) {
      onProblem(violation);
    }
    const elapsedMs = performance.now() - startedAtMs;
    console.log(summaryText({ seed, elapsedMs, run: done, charged, problems }));
    return { cases: to - from, problems: problems.length };
  } finally {
    await cluster.stop();
  }
}

interface Arguments {
  /** The numbers of the cases; the second is not among them. */
  readonly from: number;
  readonly to: number;
  readonly seed: number;
  /** Another program for the service: a broken one must make a run fail. */
  readonly entry: string | undefined;
  /** Where to write { "passed": number, "failed": number }. */
  readonly summary: string | undefined;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      cases: { type: "string", default: "2000" },
      only: { type: "string" },
      seed: { type: "string" },
      entry: { type: "string" },
      summary: { type: "string" },
    },
  });
  const { cases, only = `0-${Number(cases) - 1}` } = values;
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(only) ?? [];
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (first === undefined || !Number.isInteger(seed)) {
    throw new RangeError(
      "--cases accepts a positive number, --seed a whole number, --only a case's number or two with - between",
    );
  }
  return {
    from: Number(first),
    to: Number(last) + 1,
    seed,
    entry: values.entry && resolve(values.entry),
    summary: values.summary,
  };
}

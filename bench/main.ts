import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { createShutdown, type Shutdown } from "../src/server/shutdown.js";
import { openLab } from "./lab/lab.js";
import { type Options, readOptions } from "./options.js";
import type { GroupResult } from "./report/result.js";
import { markdown } from "./report/table.js";
import { runGroup } from "./run-group.js";
import { type Study, studies } from "./studies.js";

const RESULTS = fileURLToPath(new URL("results", import.meta.url));

const shutdown = createShutdown();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => process.exit(1)); // all that was started ends with this process
}
try {
  const options = readOptions(Date.now());
  const result = await measure(options, shutdown);
  console.log(`\n${markdown(result)}`);
  await mkdir(RESULTS, { recursive: true });
  const file = `${RESULTS}/${options.label}.json`;
  await writeFile(file, JSON.stringify(report(options, result), undefined, 2));
  console.log(`\nAll samples: ${file}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await shutdown.closeAll();
}

async function measure(options: Options, shutdown: Shutdown): Promise<GroupResult> {
  const lab = await openLab(shutdown);
  const results: GroupResult[] = [];
  for (const [group, study] of groupsOf(options)) {
    console.log(`Measuring: ${group}`);
    const started = createShutdown();
    shutdown.add(() => started.closeAll());
    results.push(await study({ ...lab, shutdown: started }, options));
    await started.closeAll();
  }
  return {
    rows: results.flatMap(({ rows }) => rows),
    tables: results.flatMap(({ tables }) => tables),
  };
}

function groupsOf(options: Options): ReadonlyMap<string, Study> {
  const groups = new Map<string, Study>();
  for (const group of new Set(options.rows.map((row) => row.group))) {
    const rows = options.rows.filter((row) => row.group === group);
    groups.set(group, (lab) => runGroup(lab, rows, options));
  }
  for (const name of options.studies) {
    groups.set(name, studies[name]);
  }
  return groups;
}

function report({ rounds, seconds, records, payments, minutes }: Options, result: GroupResult) {
  return {
    commit: describeCommit(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    rounds,
    seconds,
    records,
    payments,
    minutes,
    ...result,
  };
}

/** Nothing outside of a clone. */
function describeCommit(): string | undefined {
  const { stdout } = spawnSync("git", ["describe", "--always", "--dirty"], { cwd: RESULTS });
  return stdout?.toString().trim();
}

import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { type Closers, createClosers } from "../src/server/closers.js";
import { openLab } from "./lab/lab.js";
import { type Options, readOptions } from "./options.js";
import { markdown } from "./report/table.js";
import { type LeftOutRow, type MeasuredRow, runGroup } from "./run-group.js";

const RESULTS = fileURLToPath(new URL("results", import.meta.url));

type Result = MeasuredRow | LeftOutRow;

const closers = createClosers();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => process.exit(1)); // all that was started ends with this process
}
try {
  const options = readOptions(Date.now());
  const results = await measure(options, closers);
  console.log(`\n${markdown(results)}`);
  await mkdir(RESULTS, { recursive: true });
  const file = `${RESULTS}/${options.label}.json`;
  await writeFile(file, JSON.stringify(report(options, results), undefined, 2));
  console.log(`\nAll samples: ${file}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await closers.closeAll();
}

async function measure(options: Options, closers: Closers): Promise<readonly Result[]> {
  const lab = await openLab(closers);
  const results: Result[] = [];
  for (const group of new Set(options.rows.map((row) => row.group))) {
    console.log(`Measuring: ${group}`);
    const rows = options.rows.filter((row) => row.group === group);
    const started = createClosers();
    closers.add(() => started.closeAll());
    results.push(...(await runGroup({ ...lab, closers: started }, rows, options)));
    await started.closeAll();
  }
  return results;
}

function report({ rounds, seconds }: Options, rows: readonly Result[]) {
  return {
    commit: describeCommit(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    rounds,
    seconds,
    rows,
  };
}

/** Nothing outside of a clone. */
function describeCommit(): string | undefined {
  const { stdout } = spawnSync("git", ["describe", "--always", "--dirty"], { cwd: RESULTS });
  return stdout?.toString().trim();
}

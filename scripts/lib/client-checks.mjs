import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectPath } from "./run.mjs";

/** A check that passes or fails as a whole: a command in a folder below `clients`. */
export function whole(folder, ...command) {
  return () => asOne(execute(folder, ...command));
}

/** A check that is as many as there are tests: `count` reads { passed, failed } from what it left. */
export function tests(folder, command, count) {
  return () => {
    const result = execute(folder, ...command);
    const { passed, failed } = count(result.stdout);
    // It may have ended before its tests, or found none.
    const isComplete = passed > 0 && (result.status === 0) === (failed === 0);
    if (isComplete && failed === 0) {
      return { passed, failed };
    }
    return { passed, failed: Math.max(failed, 1), output: result.output };
  };
}

/** What became of one command: { passed, failed } and, if it failed, its output. */
export function asOne({ status, output }) {
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, output };
}

/** Runs a command in a folder below `clients`. */
export function execute(folder, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: projectPath("clients", folder),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return { status, stdout: stdout ?? "", output: [error?.message, stdout, stderr].join("") };
}

/** Counts in the output of `go test -json`; a test with tests in it does not count itself. */
export function countGoTests(output) {
  const ends = output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter(({ Test, Action }) => Test !== undefined && ["pass", "fail"].includes(Action))
    .map(({ Package, Test, Action }) => ({ name: `${Package} ${Test}`, action: Action }));
  const single = ends.filter(({ name }) => !ends.some((end) => end.name.startsWith(`${name}/`)));
  const passed = single.filter(({ action }) => action === "pass").length;
  return { passed, failed: single.length - passed };
}

/** Counts in the JUnit reports of a folder. */
export function countJunitTests(folder) {
  const suites = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.endsWith(".xml"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").match(/<testsuite\b[^>]*>/g) ?? []);
  const sum = (attribute) =>
    suites.reduce(
      (total, suite) => total + Number(suite.match(` ${attribute}="(\\d+)"`)?.[1] ?? 0),
      0,
    );
  const failed = sum("failures") + sum("errors");
  return { passed: sum("tests") - sum("skipped") - failed, failed };
}

// Prints the totals of one run of .ci/run: summary.mjs <folder of reports> <exit code so far>.
// Fails when something failed, or nothing ran.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [, , folder, exitCode] = process.argv;

const check = read("check.json");
const vitest = read("vitest.json");
const passed = (check?.passed ?? 0) + (vitest?.numPassedTests ?? 0);
const reported = (check?.failed ?? 0) + (vitest?.numFailedTests ?? 0);
// A step that ended badly without naming a test, such as an install or a test file that cannot load.
const failed = reported === 0 && (exitCode !== "0" || passed === 0) ? 1 : reported;

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function read(name) {
  const path = join(folder, name);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

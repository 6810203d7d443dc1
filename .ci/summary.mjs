// Prints the totals of one run of .ci/run: summary.mjs <folder of reports> <exit code so far>.
// Fails when something failed, or nothing ran.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const [, , folder, exitCode] = process.argv;

// Reports are vitest's, or { passed, failed, missing? } of a script of ours.
const reports = readdirSync(folder).map((name) =>
  JSON.parse(readFileSync(join(folder, name), "utf8")),
);
const sum = (countOf) => reports.reduce((total, report) => total + countOf(report), 0);
const passed = sum((report) => report.passed ?? report.numPassedTests ?? 0);
const reported = sum((report) => report.failed ?? report.numFailedTests ?? 0);
// A step that ended badly without naming a test, such as an install or a test file that cannot load.
const failed = reported === 0 && (exitCode !== "0" || passed === 0) ? 1 : reported;

// Named here once more: the end of a long log is what people see first.
for (const name of reports.flatMap(failedTests)) {
  console.log(`Failed: ${name}`);
}
for (const name of reports.flatMap((report) => report.missing ?? [])) {
  console.log(`Not run: ${name}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** The failed tests that a report of vitest names, each with its file and the first line of its error. */
function failedTests(report) {
  return (report.testResults ?? [])
    .filter((file) => file.status === "failed")
    .flatMap((file) => {
      const tests = file.assertionResults.filter((test) => test.status === "failed");
      const name = relative(process.cwd(), file.name);
      return tests.length === 0
        ? [`${name}: ${firstLine(file.message)}`]
        : tests.map(
            (test) => `${name}: ${test.fullName}: ${firstLine(test.failureMessages[0] ?? "")}`,
          );
    });
}

function firstLine(text) {
  return text.split("\n", 1)[0];
}

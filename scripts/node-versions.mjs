// node scripts/node-versions.mjs: test:fast, the package test and a start, on the oldest Node that
// package.json accepts and on the newest with long-term support. npm brings both.
// --summary FILE also writes { "passed": number, "failed": number } there.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, platform, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { ensureDependencies } from "./lib/prepare.mjs";
import { ensureRedis } from "./lib/redis.mjs";
import { projectPath, run } from "./lib/run.mjs";

const { engines } = JSON.parse(readFileSync(projectPath("package.json"), "utf8"));

/** The newest for which `process.release.lts` has a name. */
const NEWEST_LTS = "24.21.0";
const VERSIONS = [engines.node.replace(">=", ""), NEWEST_LTS];

/** What is asked of each: arguments of vitest. */
const CHECKS = {
  "test:fast": ["--project", "fast"],
  "the package": ["--project", "real", "test/real/package"],
  "a start": ["--project", "real", "test/real/start", "-t", "installs and builds what is missing"],
};

const { values: flags } = parseArgs({ options: { summary: { type: "string" } } });

ensureDependencies();
ensureRedis();
process.env.CI = "true"; // no test may be left out
const searched = process.env.PATH;
const temporary = mkdtempSync(join(tmpdir(), "payonce-node-"));
process.on("exit", () => rmSync(temporary, { recursive: true }));

const total = { passed: 0, failed: 0 };
for (const version of VERSIONS) {
  const folder = install(version);
  if (folder === undefined) {
    report(`Node ${version}`, "cannot be installed", { passed: 0, failed: 1 });
    continue;
  }
  // npm and vitest run on the Node that the PATH leads to, and so do the processes that they start.
  process.env.PATH = `${folder}${delimiter}${searched}`;
  for (const [name, args] of Object.entries(CHECKS)) {
    report(`Node ${version}`, name, runTests(args));
  }
}
if (flags.summary !== undefined) {
  writeFileSync(flags.summary, JSON.stringify(total));
}
process.exitCode = total.failed === 0 ? 0 : 1;

/** Returns the folder of a Node's program; nothing where npm has none for this machine. */
function install(version) {
  const name = `node-${platform() === "win32" ? "win" : platform()}-${arch()}`;
  const prefix = projectPath(".cache", "node", version);
  const folder = join(prefix, "node_modules", name, "bin");
  if (!existsSync(folder)) {
    const quiet = ["--no-audit", "--no-fund", "--no-save"];
    run("npm", "install", ...quiet, "--prefix", prefix, `${name}@${version}`);
  }
  return existsSync(folder) ? folder : undefined;
}

function runTests(args) {
  const file = join(temporary, "report.json");
  rmSync(file, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const exitCode = run("vitest", "run", ...args, ...reporters);
  const { numPassedTests: passed = 0, numFailedTests: reported = 0 } = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : {};
  // It may have ended before its tests, or found none.
  const failed = reported === 0 && (exitCode !== 0 || passed === 0) ? 1 : reported;
  return { passed, failed };
}

function report(where, name, { passed, failed }) {
  const verdict = failed === 0 ? "ok     " : "FAILED ";
  console.log(`${verdict} ${where}, ${name}: ${passed} passed, ${failed} failed`);
  total.passed += passed;
  total.failed += failed;
}
